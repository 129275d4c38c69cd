package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"github.com/urfave/cli/v2"
	"golang.org/x/mod/sumdb/note"
)

func logCommand() *cli.Command {
	return &cli.Command{
		Name:        "log",
		Usage:       "prepare and move a log",
		Subcommands: []*cli.Command{logKeyCommand(), logCopyCommand()},
		Description: "Example:\n  tallyroot log copy --data /var/lib/tallyroot --from embedded --to mysql",
	}
}

func logCopyCommand() *cli.Command {
	return &cli.Command{
		Name:  "copy",
		Usage: "carry a log to where it shall lie from now on",
		Description: "Copies every entry, at its place and under its identity, and the tokens and managed keys\n" +
			"where they move too. Stop the service first. The source is read from end to end and has to\n" +
			"give what DIR says was signed and published before anything is written; the target is read\n" +
			"back from end to end afterwards. An interrupted copy goes on when it is run again.\n\n" +
			"--from and --to are embedded, mysql or trillian, each with the settings that serve's flags\n" +
			"and variables give it, or name one: embedded:FOLDER (a store), mysql:DSN,\n" +
			"trillian:HOST:PORT. A target is empty, or has a part of this very log; a database is\n" +
			"prepared with `tallyroot schema apply`.\n\n" +
			"Then start serve with --mysql or --trillian, or without, on the same --data. What was\n" +
			"copied from is left as it is: it is behind from then on, and serve refuses to go on there.\n\n" +
			"Examples:\n" +
			"  tallyroot log copy --data /var/lib/tallyroot --from embedded --to mysql --dry-run\n" +
			"  tallyroot log copy --data /var/lib/tallyroot --from embedded \\\n" +
			"    --to mysql --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot' --mysql-password-file db.password",
		Flags: append(append(directoryFlags(), placeFlags()...), append(fromEnvironment(
			&cli.StringFlag{Name: "from", Usage: "the `PLACE` where the log lies"},
			&cli.StringFlag{Name: "to", Usage: "the `PLACE` where it shall lie"},
		),
			&cli.BoolFlag{Name: "dry-run", Usage: "only read and compare, and say what would be copied"},
			jsonFlag(),
		)...),
		Action: copyLog,
	}
}

// A move is what log copy does.
type move struct {
	dir      string // the log's data
	last     string // the file of the last signed checkpoint
	key      note.Verifier
	from, to *place
	dryRun   bool
	progress func(trillianlog.CopyStep, uint64, uint64)
}

// A moved move, for programs.
type moved struct {
	Origin      string `json:"origin"`
	Size        uint64 `json:"size,string"`
	Root        []byte `json:"root"`
	Found       uint64 `json:"found,string"`   // entries that the target had
	Written     uint64 `json:"written,string"` // entries that it had not
	Credentials int    `json:"credentials"`    // tokens and keys that were added
	DryRun      bool   `json:"dryRun"`
}

func copyLog(c *cli.Context) (err error) {
	m, err := readMove(c)
	if err != nil {
		return err
	}
	lock, err := datadir.Lock(m.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	bar := &progress{}
	m.progress = func(step trillianlog.CopyStep, done, total uint64) { bar.show(string(step), done, total) }
	result, err := m.run(c.Context)
	bar.clear()
	if err != nil && c.Context.Err() != nil {
		return errors.New("interrupted; run the same command again, it goes on from there")
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, result)
	}
	if m.dryRun {
		fmt.Printf("the %d entries of %s are those that were signed; %d would be written to %s, which has %d of them\n",
			result.Size, result.Origin, result.Written, m.to, result.Found)
		return nil
	}
	fmt.Printf("%s now holds the %d entries of %s with the root %x; %d were written, %d were there\n",
		m.to, result.Size, result.Origin, result.Root, result.Written, result.Found)
	if m.movesCredentials() {
		fmt.Printf("%d tokens and managed keys were copied too\n", result.Credentials)
	}
	fmt.Printf("%s is left as it is: start the service on the new place, and do not go back without copying back\n", m.from)
	return nil
}

func readMove(c *cli.Context) (*move, error) {
	if _, err := arguments(c); err != nil {
		return nil, err
	}
	m := &move{dir: c.String("data"), dryRun: c.Bool("dry-run")}
	if m.dir == "" {
		return nil, usagef("tallyroot log copy needs --data DIRECTORY: where the log's keys and files lie")
	}
	for _, name := range []string{"from", "to"} {
		if c.String(name) == "" {
			return nil, usagef("tallyroot log copy needs --%s: embedded, mysql or trillian", name)
		}
	}
	logger := warnings()
	var err error
	if m.from, err = parsePlace(c, "from", logger); err != nil {
		return nil, err
	}
	if m.to, err = parsePlace(c, "to", logger); err != nil {
		return nil, err
	}
	if m.from.String() == m.to.String() && m.from.tree == m.to.tree {
		return nil, usagef("--from and --to are both %s", m.from)
	}
	if c.IsSet("tree") && m.from.kind != embeddedPlace && m.to.kind != embeddedPlace {
		return nil, usagef("--tree names one tree, and both places have some: copy to embedded:FOLDER first, and from there in a second run")
	}
	m.last = lastCheckpointFile(c.String("last-checkpoint"), m.dir)
	m.key, err = logKey(m.dir)
	return m, err
}

func (m *move) run(ctx context.Context) (_ moved, err error) {
	store := filepath.Join(m.dir, "store")
	if folder := m.from.storeFolder(store); folder != "" {
		if _, err := os.Stat(folder); err != nil {
			return moved{}, fmt.Errorf("there is no log in %s: %w", m.from, err)
		}
	}
	for _, p := range []*place{m.from, m.to} {
		if p.identities != ownIdentities {
			defer os.RemoveAll(filepath.Join(m.dir, p.identities))
		}
	}
	closeAfter := func(close func() error) { err = errors.Join(err, close()) }
	source, from, err := m.open(ctx, m.from, store)
	if err != nil {
		return moved{}, fmt.Errorf("the source: %w", err)
	}
	defer closeAfter(source.Close)
	defer closeAfter(from.Close)
	m.to.existing = m.dryRun
	target, to, err := m.open(ctx, m.to, store)
	if err != nil && !errors.Is(err, errNothingThere) {
		return moved{}, fmt.Errorf("the target: %w", err)
	}
	if err == nil {
		defer closeAfter(target.Close)
		defer closeAfter(to.Close)
	}
	published, err := tiles.Open(filepath.Join(m.dir, "log"))
	if err != nil {
		return moved{}, err
	}
	copied, err := trillianlog.Copy(ctx, trillianlog.Copying{
		From: from, To: to, Origin: m.key.Name(), Tiles: published, Last: trillianlog.FileLastCheckpoint(m.last),
		LogKeys: []note.Verifier{m.key}, DryRun: m.dryRun, Progress: m.progress,
	})
	if err = errors.Join(err, published.Close()); err != nil {
		return moved{}, err
	}
	result := moved{copied.Origin, copied.Size, copied.Root[:], copied.Found, copied.Written, 0, m.dryRun}
	if m.movesCredentials() && !m.dryRun {
		result.Credentials, err = m.copyCredentials(ctx, source, target)
	}
	return result, err
}

func (m *move) open(ctx context.Context, p *place, store string) (*openPlace, trillianlog.Backend, error) {
	opened, err := p.open(ctx, m.key.Name())
	if err != nil {
		return nil, nil, err
	}
	backend, err := opened.Backend(ctx, store)
	if err != nil {
		return nil, nil, errors.Join(err, opened.Close())
	}
	return opened, backend, nil
}

// movesCredentials says whether the two places keep what is remembered beside the
// log in different stores.
func (m *move) movesCredentials() bool {
	return m.from.credentialsDSN() != m.to.credentialsDSN()
}

func (m *move) copyCredentials(ctx context.Context, source, target *openPlace) (added int, err error) {
	var stores []credentials.Store
	defer func() {
		for _, s := range stores {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, p := range []*openPlace{source, target} {
		s, err := p.Credentials(filepath.Join(m.dir, "private"))
		if err != nil {
			return 0, fmt.Errorf("the log is copied; its tokens and managed keys are not: %w", err)
		}
		stores = append(stores, s)
	}
	if added, err = credentials.Copy(ctx, stores[0], stores[1]); err != nil {
		return added, fmt.Errorf("the log is copied; its tokens and managed keys are not: %w", err)
	}
	return added, nil
}
