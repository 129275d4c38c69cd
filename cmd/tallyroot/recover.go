package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/urfave/cli/v2"
	"golang.org/x/mod/sumdb/note"
)

func recoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "recover",
		Usage: "start again after the last signed checkpoint was lost",
		Description: "A log never signs two histories: it remembers the last checkpoint that it signed in a\n" +
			"file of its own, and without that file it refuses to start. This reads every leaf, compares\n" +
			"with the published checkpoint and with those that others hold, and writes the largest of\n" +
			"them into the file. It changes nothing else.\n\n" +
			"--policy names the log's witnesses, as for serve: each is asked for the newest checkpoint\n" +
			"that it has cosigned. Give with --checkpoint what else others saw, such as one that a reader\n" +
			"saved. What was signed after the largest of them and seen by somebody else cannot be known,\n" +
			"and would contradict what the log signs next.\n\n" +
			"Examples:\n" +
			"  tallyroot recover --data /var/lib/tallyroot\n" +
			"  tallyroot recover --data /var/lib/tallyroot --policy policy.txt --checkpoint saved.txt\n" +
			"  tallyroot recover --data /var/lib/tallyroot --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot'",
		Flags: append(slices.Concat(directoryFlags(), placeFlags(), fromEnvironment(
			&cli.StringFlag{Name: "policy", Usage: "the `FILE` of the policy whose witnesses are asked, or \"none\"", TakesFile: true},
			&cli.BoolFlag{Name: "witness-http", Usage: "ask witnesses of other machines without TLS too, in a network of one's own"},
			&cli.DurationFlag{Name: "witness-timeout", Usage: "wait for a witness at most `DURATION`", Value: quorum.DefaultTimeout},
		)),
			&cli.StringSliceFlag{Name: "checkpoint", Usage: "a signed checkpoint that somebody else holds, in `FILE`; may be repeated", TakesFile: true},
			jsonFlag(),
		),
		Action: recoverLog,
	}
}

func recoverLog(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("data")
	if dir == "" {
		return usagef("tallyroot recover needs --data DIRECTORY: where the log's data lies")
	}
	key, err := logKey(dir)
	if err != nil {
		return err
	}
	where, err := readPlace(c, warnings())
	if err != nil {
		return err
	}
	var seen [][]byte
	for _, file := range c.StringSlice("checkpoint") {
		text, err := readSmallFile(file, 1<<20)
		if err != nil {
			return err
		}
		seen = append(seen, text)
	}
	witnesses, err := askWitnesses(c, key.Name(), dir)
	if err != nil {
		return err
	}
	for _, w := range witnesses {
		if w.Signed != nil {
			seen = append(seen, w.Signed)
		}
	}
	last := lastCheckpointFile(c.String("last-checkpoint"), dir)
	lock, err := datadir.Lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	at, err := recoverFrom(c.Context, dir, where, key, last, seen)
	if errors.Is(err, trillianlog.ErrNothingToRecover) {
		return fmt.Errorf("%w; `tallyroot serve` can start", err)
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			Origin string `json:"origin"`
			Size   uint64 `json:"size,string"`
			Root   []byte `json:"root"`
		}{at.Origin, at.Size, at.Root[:]})
	}
	fmt.Printf("%s holds the checkpoint of %s at size %d again; all leaves agree with it\n", last, at.Origin, at.Size)
	if len(seen) == 0 {
		fmt.Fprintln(os.Stderr, "No checkpoint that somebody else holds was compared: that nothing later was signed is not known.")
	}
	return nil
}

// askWitnesses asks those of --policy what they have seen of the log, and tells of
// each what it said.
func askWitnesses(c *cli.Context, origin, dir string) ([]quorum.Seen, error) {
	file := c.String("policy")
	if file == "" || file == "none" {
		return nil, nil
	}
	p, err := readPolicy(file, filepath.Join(dir, "log.vkey"))
	if err != nil {
		return nil, err
	}
	all, err := quorum.Newest(c.Context, quorum.Options{Origin: origin, Policy: p, AllowHTTP: c.Bool("witness-http"), Timeout: c.Duration("witness-timeout")})
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		said := fmt.Sprintf("size %d", w.Checkpoint.Size)
		switch {
		case w.Err != nil:
			said = w.Err.Error()
		case w.Signed == nil:
			said = "it has not cosigned a checkpoint of this log"
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", w.Witness.Name, printable(said))
	}
	return all, nil
}

func recoverFrom(ctx context.Context, dir string, where *place, key note.Verifier, last string, seen [][]byte) (at checkpoint.Checkpoint, err error) {
	opened, err := where.open(ctx, key.Name())
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	backend, err := opened.Backend(ctx, filepath.Join(dir, "store"))
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	published, err := tiles.Open(filepath.Join(dir, "log"))
	if err != nil {
		return at, err
	}
	return trillianlog.Recover(ctx, trillianlog.Recovery{
		Backend: backend, Tiles: published, Last: trillianlog.FileLastCheckpoint(last),
		Origin: key.Name(), LogKeys: []note.Verifier{key}, Seen: seen,
	})
}
