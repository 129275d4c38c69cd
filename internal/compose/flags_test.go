package compose_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// Each command line of the file is read by the parser of its own program, flags
// with their values: tallyroot gets one argument too many behind them, of which it
// complains only when it has read the rest; Go's flags are read up to -help.
func TestFlags(t *testing.T) {
	bin := programs(t)
	for name, s := range load(t, environment()).Services {
		for what, argv := range commandLines(s) {
			t.Run(name+" "+what, func(t *testing.T) {
				if err := parses(bin, s, argv); err != "" {
					t.Errorf("%q: %s", argv, err)
				}
				if err := parses(bin, s, append(slices.Clip(argv), "--no-such-flag=1")); err == "" {
					t.Error("the check is none: a flag that does not exist passes it")
				}
			})
		}
	}
}

// commandLines are those of one container that run programs of our image.
func commandLines(s types.ServiceConfig) map[string][]string {
	if s.Image == "mariadb:10.11" {
		return map[string][]string{"command": append([]string{"mariadbd"}, s.Command...)}
	}
	entrypoint := s.Entrypoint
	if len(entrypoint) == 0 {
		entrypoint = types.ShellCommand{"tallyroot"}
	}
	lines := map[string][]string{"command": slices.Concat(entrypoint, s.Command)}
	if s.HealthCheck != nil {
		lines["healthcheck"] = s.HealthCheck.Test[1:]
	}
	return lines
}

// parses gives what is wrong with a command line, "" if nothing is.
func parses(bin map[string]string, s types.ServiceConfig, argv []string) string {
	args := argv[1:]
	var cmd *exec.Cmd
	switch argv[0] {
	case "mariadbd":
		cmd = exec.Command("/usr/sbin/mariadbd", slices.Concat([]string{"--no-defaults", "--user=mysql"}, args, []string{"--verbose", "--help"})...)
	case "tallyroot":
		cmd = exec.Command(bin[argv[0]], append(slices.Clip(args), "one", "too-many")...)
	default:
		cmd = exec.Command(bin[argv[0]], append(slices.Clip(args), "-help")...)
	}
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
	for name, value := range s.Environment {
		cmd.Env = append(cmd.Env, name+"="+*value)
	}
	out, err := cmd.CombinedOutput()
	said := string(out[max(0, len(out)-500):])
	if argv[0] == "tallyroot" {
		if cmd.ProcessState.ExitCode() == 2 && complaint.MatchString(said) {
			return ""
		}
		return said
	}
	if err != nil {
		return err.Error() + ": " + said
	}
	return ""
}

// complaint is tallyroot's, of one argument too many.
var complaint = regexp.MustCompile(`is more than that|takes one URL`)

// Each variable with our prefix is one that its command reads.
func TestVariables(t *testing.T) {
	bin := programs(t)
	seen := 0
	for name, s := range load(t, environment()).Services {
		for variable := range s.Environment {
			if !strings.HasPrefix(variable, "TALLYROOT_") {
				continue
			}
			seen++
			args := slices.DeleteFunc(slices.Clone(s.Command), func(word string) bool { return strings.HasPrefix(word, "-") })
			help, err := exec.Command(bin["tallyroot"], append(args, "--help")...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, help)
			}
			if !regexp.MustCompile(`\b` + variable + `\b`).Match(help) {
				t.Errorf("%s: tallyroot %s does not read %s", name, strings.Join(args, " "), variable)
			}
		}
	}
	if seen == 0 {
		t.Error("the file sets no variable of tallyroot's")
	}
}
