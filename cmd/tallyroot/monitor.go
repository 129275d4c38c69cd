package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/audit"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/urfave/cli/v2"
)

// execTimeout is how long the command that --exec names may run.
const execTimeout = time.Minute

func monitorCommand() *cli.Command {
	return &cli.Command{
		Name:      "monitor",
		Usage:     "go on auditing a log, and tell what is found",
		ArgsUsage: "URL|DIRECTORY",
		Description: "Audits as `tallyroot audit` does, again and again, and prints each finding once, on a line of\n" +
			"its own. --watch and --watch-participant make each new entry about an identifier, or by or\n" +
			"about a participant, a finding too. So does a log that cannot be read for --patience.\n\n" +
			"--exec calls COMMAND for each finding, which comes as JSON, one line, on its standard input.\n" +
			"It is called without a shell: the words of COMMAND are its name and its arguments. When it\n" +
			"fails, or takes longer than a minute, it is called again for the same finding after the next\n" +
			"audit. What is no fault has the kind \"entry\" or \"recovery\".\n\n" +
			"With --state, a monitor that is started again knows what it has told. It ends at SIGTERM.\n\n" +
			"Examples:\n" +
			"  tallyroot monitor https://trace.example.com --policy log.policy --state trace.json \\\n" +
			"    --exec '/usr/local/bin/alert --to on-call'\n" +
			"  tallyroot monitor https://trace.example.com --log-key log.vkey --watch-participant hillside",
		Flags: append(auditFlags(),
			&cli.DurationFlag{Name: "every", Usage: "wait `DURATION` between two audits", Value: audit.DefaultEvery},
			&cli.DurationFlag{Name: "patience", Usage: "a log that cannot be read for `DURATION` is a finding", Value: audit.DefaultPatience},
			&cli.StringSliceFlag{Name: "watch", Usage: "tell of each new entry about `ID`, a Digital Link, URN or other identifier; may stand more than once"},
			&cli.StringSliceFlag{Name: "watch-participant", Usage: "tell of each new entry by or about the `PARTICIPANT`; may stand more than once"},
			&cli.StringFlag{Name: "exec", Usage: "call `COMMAND` for each finding"},
			jsonFlag(),
		),
		Action: runMonitor,
	}
}

func runMonitor(c *cli.Context) (err error) {
	command := strings.Fields(c.String("exec"))
	if len(command) == 0 && c.IsSet("exec") {
		return usagef("--exec names no command")
	}
	if len(command) > 0 {
		if command[0], err = exec.LookPath(command[0]); err != nil {
			return usagef("--exec: %v", err)
		}
	}
	if c.Duration("every") <= 0 || c.Duration("patience") <= 0 {
		return usagef("--every and --patience are durations such as 30s and 10m, above 0")
	}
	a, done, err := openAudit(c, func(o *audit.Options) (err error) {
		o.Watch, err = watchedKeys(c)
		return err
	})
	if err != nil {
		return err
	}
	logger := newLogger(c)
	m := &audit.Monitor{
		Auditor: a, Every: c.Duration("every"), Patience: c.Duration("patience"),
		Tell: func(ctx context.Context, f *audit.Finding) error {
			err := tellFinding(ctx, f, command, c.Bool("json"))
			if err != nil && ctx.Err() == nil {
				logger.Error("a finding could not be told; it is tried again after the next audit", "kind", f.Kind, "error", err)
			}
			return err
		},
		Audited: func(r *audit.Report, err error) { logAudit(logger, r, err) },
	}
	if err := errors.Join(m.Run(c.Context), done()); err != nil {
		return uncheckedError{err}
	}
	return nil
}

// watchedKeys gives the index's keys of what is watched.
func watchedKeys(c *cli.Context) (map[historyindex.Key]string, error) {
	keys := map[historyindex.Key]string{}
	for _, id := range c.StringSlice("watch") {
		if id == "" {
			return nil, usagef("--watch names no identifier")
		}
		for _, identifier := range gs1.Identifiers(id) {
			for _, kind := range []historyindex.Kind{historyindex.Object, historyindex.Input, historyindex.Master, historyindex.Transformation, historyindex.Place} {
				keys[historyindex.Key{Kind: kind, Identifier: identifier}] = id
			}
		}
	}
	for _, id := range c.StringSlice("watch-participant") {
		if err := entry.ParticipantID(id); err != nil {
			return nil, usagef("--watch-participant %q: %v", id, err)
		}
		for _, kind := range []historyindex.Kind{historyindex.By, historyindex.Participant} {
			keys[historyindex.Key{Kind: kind, Identifier: id}] = id
		}
	}
	return keys, nil
}

// tellFinding calls the command, if there is one, and then prints the finding: so a
// line that was printed is one that the command took.
func tellFinding(ctx context.Context, f *audit.Finding, command []string, asJSON bool) error {
	var line bytes.Buffer
	if err := printJSONLine(&line, f); err != nil {
		return err
	}
	if len(command) > 0 {
		if err := call(ctx, command, line.Bytes()); err != nil {
			return err
		}
	}
	if asJSON {
		_, err := os.Stdout.Write(line.Bytes())
		return err
	}
	text := f.Error()
	if len(f.Watched) > 0 {
		text += ": " + strings.Join(f.Watched, ", ")
	}
	_, err := fmt.Printf("%s: %s\n", f.Kind, printable(text))
	return err
}

// call runs a command without a shell. What it prints goes to standard error.
func call(ctx context.Context, command []string, input []byte) error {
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], slices.Clone(command[1:])...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), os.Stderr, os.Stderr
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it did not end within %s", execTimeout)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

func logAudit(logger *slog.Logger, r *audit.Report, err error) {
	attributes := []any{"origin", r.Origin, "size", r.Log.Size, "read", r.Next, "new", r.New.Entries, "wrong", len(r.Wrong())}
	if r.Index != nil {
		attributes = append(attributes, "index leaves", r.Index.Leaves)
	}
	if err != nil {
		logger.Warn("the audit could not read everything", append(attributes, "error", err)...)
		return
	}
	level := slog.LevelDebug
	if r.New.Entries > 0 || r.From == 0 {
		level = slog.LevelInfo
	}
	logger.Log(context.Background(), level, "audited", attributes...)
}
