package compose_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds waiting; it only ends a test that has failed.
const patience = 3 * time.Minute

const root = "../.." // the project's folder

// environment is what a user writes into .env.
func environment() map[string]string {
	return map[string]string{
		"TALLYROOT_ORIGIN":     "log.example.com",
		"TALLYROOT_PUBLIC_URL": "https://id.example.com",
		"TALLYROOT_POLICY":     "none",
		"MYSQL_PASSWORD":       "not-in-any-command-line",
		"MYSQL_ROOT_PASSWORD":  "nor-this-one",
	}
}

var built struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	// The race detector waits a second at the end of each process.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// programs gives the image's programs as files of this machine: tallyroot of this
// tree, built the way that the tests are, and Trillian's servers as installed.
func programs(t *testing.T) map[string]string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "tallyroot-compose"); built.err != nil {
			return
		}
		args := []string{"build", "-o", built.dir}
		if raceDetector {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, "./cmd/tallyroot")...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go %s: %w\n%s", strings.Join(cmd.Args[1:], " "), err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return map[string]string{
		"tallyroot":           filepath.Join(built.dir, "tallyroot"),
		"trillian_log_server": findTrillian(t, "trillian_log_server"),
		"trillian_log_signer": findTrillian(t, "trillian_log_signer"),
	}
}

// findTrillian looks in $TALLYROOT_TRILLIAN_BIN, in the PATH and in build/bin.
func findTrillian(t *testing.T, name string) string {
	t.Helper()
	places := []string{filepath.Join(root, "build", "bin", name)}
	if path, err := exec.LookPath(name); err == nil {
		places = append([]string{path}, places...)
	}
	if dir := os.Getenv("TALLYROOT_TRILLIAN_BIN"); dir != "" {
		places = []string{filepath.Join(dir, name)}
	}
	for _, place := range places {
		path, err := filepath.Abs(place)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	missing := fmt.Sprintf("%s is neither in the PATH nor in build/bin nor in $TALLYROOT_TRILLIAN_BIN: `make tools` builds it", name)
	if os.Getenv("TALLYROOT_TEST_ALL") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
