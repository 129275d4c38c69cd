package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/audit"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/urfave/cli/v2"
)

// auditSuffix is what the folder of an audit's work is called, beside its state.
const auditSuffix = ".audit"

func auditCommand() *cli.Command {
	return &cli.Command{
		Name:      "audit",
		Usage:     "check a whole log and its index, without trust in who serves them",
		ArgsUsage: "URL|DIRECTORY",
		Description: "Reads the log and the index log below URL/log/ and URL/index/, of a service, a mirror or any\n" +
			"file server, or from a folder that holds both. Every entry and hash is held against the\n" +
			"checkpoints, every signature is verified by the keys that held at its position, every\n" +
			"statement is judged, and the history index is made again and compared with every leaf of the\n" +
			"index log. Entries without effect are counted and named: unauthenticated, duplicate,\n" +
			"ineffective, without keys, malformed.\n\n" +
			"--log-key or --policy, --index-policy and --operator-key say whose log it must be. Without\n" +
			"them the keys are taken from the log's own first entry, and the report says so: it then tells\n" +
			"whether the log agrees with itself, and not whose it is.\n\n" +
			"--state remembers the checkpoints, in the form that `tallyroot verify --state` uses, and in\n" +
			"FILE" + auditSuffix + " what was read: the next audit reads what is new and proves that nothing else has\n" +
			"changed, and one that was interrupted goes on. Without it everything is read, in a temporary\n" +
			"folder.\n\n" +
			"The exit code is 0 when nothing is wrong, 1 when something is, and 2 when it could not be\n" +
			"checked.\n\n" +
			"Examples:\n" +
			"  tallyroot audit https://trace.example.com\n" +
			"  tallyroot audit https://trace.example.com --policy log.policy --index-policy index.policy \\\n" +
			"    --operator-key operator.vkey --state trace.json",
		Flags:  append(auditFlags(), jsonFlag()),
		Action: runAudit,
	}
}

// auditFlags stand on audit and monitor.
func auditFlags() []cli.Flag {
	// An audit rebuilds the index itself.
	flags := slices.DeleteFunc(trustFlags(), func(f cli.Flag) bool { return slices.Contains(f.Names(), "index-verifier") })
	return append(flags,
		&cli.StringFlag{Name: "state", Usage: "remember in `FILE` what was seen, and go on from there", TakesFile: true},
		&cli.DurationFlag{Name: "max-age", Usage: "a checkpoint that was witnessed longer ago than `DURATION` is something wrong; 0 is any time", Value: 24 * time.Hour},
		&cli.DurationFlag{Name: "index-wait", Usage: "how long the index log may be behind the log: `DURATION`", Value: audit.DefaultIndexWait},
		&cli.BoolFlag{Name: "log-only", Usage: "leave the index log out"},
	)
}

func runAudit(c *cli.Context) error {
	a, done, err := openAudit(c, nil)
	if err != nil {
		return err
	}
	report, err := a.Round(c.Context)
	// The folder says what was told only after it was.
	printed := printReport(c, report, err)
	if printed == nil && err == nil {
		printed = a.Reported(report)
	}
	if failed := errors.Join(printed, done()); failed != nil {
		return uncheckedError{failed}
	}
	return auditOutcome(report, err)
}

// auditOutcome gives the error that an audit ends with: what is wrong weighs more than
// what could not be checked.
func auditOutcome(report *audit.Report, err error) error {
	switch {
	case len(report.Wrong()) > 0:
		return silentError{}
	case err != nil:
		return uncheckedError{silentError{}}
	}
	return nil
}

func printReport(c *cli.Context, report *audit.Report, err error) error {
	trouble := ""
	if err != nil {
		trouble = err.Error()
		if c.Context.Err() != nil {
			trouble = "interrupted"
			if c.String("state") != "" {
				trouble += "; run the same command again, it goes on from there"
			}
		}
	}
	if c.Bool("json") {
		if report.Findings == nil {
			report.Findings = []audit.Finding{}
		}
		return printJSON(os.Stdout, struct {
			*audit.Report
			Error string `json:"error,omitempty"`
		}{report, trouble})
	}
	if _, err := fmt.Print(printable(report.String())); err != nil {
		return err
	}
	switch {
	case trouble == "":
	case report.Origin == "":
		fmt.Fprintln(os.Stderr, "tallyroot: could not check:", printable(trouble))
	default:
		fmt.Fprintln(os.Stderr, "tallyroot: could not check everything:", printable(trouble))
	}
	return nil
}

// openAudit prepares what the flags say. done lets go of it, and shows no progress any
// more.
func openAudit(c *cli.Context, change func(*audit.Options) error) (_ *audit.Auditor, done func() error, err error) {
	args, err := arguments(c, "URL|DIRECTORY")
	if err != nil {
		return nil, nil, err
	}
	trust, err := auditTrust(c)
	if err != nil {
		return nil, nil, err
	}
	o := audit.Options{
		Policy: trust.Policy, IndexPolicy: trust.IndexPolicy, OperatorKey: trust.OperatorKey, StateFile: c.String("state"),
		MaxAge: c.Duration("max-age"), IndexWait: c.Duration("index-wait"), Logger: pebblelog.Logger{To: warnings()},
	}
	if o.MaxAge == 0 {
		o.MaxAge = verify.AnyAge
	}
	if o.MaxAge < 0 || o.IndexWait <= 0 {
		return nil, nil, usagef("--max-age and --index-wait are durations such as 24h and 1m, above 0")
	}
	if o.Log, err = logFiles(c, args[0], "log"); err != nil {
		return nil, nil, err
	}
	if !c.Bool("log-only") {
		if o.Index, err = logFiles(c, args[0], "index"); err != nil {
			return nil, nil, err
		}
	}
	if change != nil {
		if err := change(&o); err != nil {
			return nil, nil, err
		}
	}
	remove := func() error { return nil }
	if o.Dir = o.StateFile + auditSuffix; o.StateFile == "" {
		if o.Dir, err = os.MkdirTemp("", "tallyroot-audit-"); err != nil {
			return nil, nil, uncheckedError{fmt.Errorf("a folder for the audit's work: %w; name one with --state FILE", err)}
		}
		remove = func() error { return os.RemoveAll(o.Dir) }
	}
	bar := &progress{}
	o.Progress = func(done, total uint64) { bar.show("entries", done, total) }
	a, err := audit.Open(o)
	if err != nil {
		return nil, nil, uncheckedError{errors.Join(err, remove())}
	}
	return a, func() error {
		bar.clear()
		return errors.Join(a.Close(), remove())
	}, nil
}

// auditTrust reads the trust; without any flag it is the log's own word.
func auditTrust(c *cli.Context) (trust verify.Trust, err error) {
	for _, name := range []string{"policy", "log-key", "index-policy", "operator-key"} {
		if c.IsSet(name) {
			return readTrust(c)
		}
	}
	return trust, nil
}

// logFiles is where a log's files are: below a URL or in a folder.
func logFiles(c *cli.Context, place, name string) (fetch.Source, error) {
	if isURL(place) {
		s, err := fetch.HTTP(strings.TrimSuffix(place, "/")+"/"+name, fetch.HTTPOptions{UserAgent: "tallyroot/" + c.App.Version})
		if err != nil {
			return nil, usageError{err}
		}
		return s, nil
	}
	if info, err := os.Stat(place); err != nil || !info.IsDir() {
		return nil, usagef("%q is neither the URL of a service, such as https://trace.example.com, nor a folder that holds log/ and index/", place)
	}
	return fetch.Folder(filepath.Join(place, name)), nil
}
