package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/indexlog"
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
			"them into the file. It changes nothing else. The index log has such a file too; whichever\n" +
			"of the two is missing or behind is mended.\n\n" +
			"--policy and --index-policy name the witnesses, as for serve: each is asked for the newest\n" +
			"checkpoint that it has cosigned. Give with --checkpoint what else others saw, such as one\n" +
			"that a reader saved. What was signed after the largest of them and seen by somebody else\n" +
			"cannot be known, and would contradict what the log signs next.\n\n" +
			"Examples:\n" +
			"  tallyroot recover --data /var/lib/tallyroot\n" +
			"  tallyroot recover --data /var/lib/tallyroot --policy policy.txt --index-policy index-policy.txt \\\n" +
			"    --checkpoint saved.txt\n" +
			"  tallyroot recover --data /var/lib/tallyroot --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot'",
		Flags: append(slices.Concat(directoryFlags(), indexDirectoryFlags(), placeFlags(), fromEnvironment(
			&cli.StringFlag{Name: "policy", Usage: "the `FILE` of the policy whose witnesses are asked, or \"none\"", TakesFile: true},
			&cli.StringFlag{Name: "index-policy", Usage: "the `FILE` of the index policy whose witnesses are asked, or \"none\"", TakesFile: true},
			&cli.BoolFlag{Name: "witness-http", Usage: "ask witnesses of other machines without TLS too, in a network of one's own"},
			&cli.DurationFlag{Name: "witness-timeout", Usage: "wait for a witness at most `DURATION`", Value: quorum.DefaultTimeout},
		)),
			&cli.StringSliceFlag{Name: "checkpoint", Usage: "a signed checkpoint of either log that somebody else holds, in `FILE`; may be repeated", TakesFile: true},
			jsonFlag(),
		),
		Action: recoverLogs,
	}
}

// recovered is one log whose last checkpoint was put back.
type recovered struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size,string"`
	Root   []byte `json:"root"`
}

func recoverLogs(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("data")
	if dir == "" {
		return usagef("tallyroot recover needs --data DIRECTORY: where the log's data lies")
	}
	if p := c.String("policy"); p != "" && p != "none" && c.String("index-policy") == "" {
		return usagef("tallyroot recover needs --index-policy FILE beside --policy FILE, as serve: the witnesses of the index log know what that signed. --index-policy none says that it has none")
	}
	key, err := verifierIn(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return err
	}
	where, err := readPlace(c, warnings())
	if err != nil {
		return err
	}
	held, err := readCheckpoints(c.StringSlice("checkpoint"))
	if err != nil {
		return err
	}
	lock, err := datadir.Lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	last := lastCheckpointFile(c.String("last-checkpoint"), dir)
	var all []recovered
	log := recovery{key: key, last: last, seen: held[key.Name()], policy: c.String("policy"), run: func(ctx context.Context, r trillianlog.Recovery) (checkpoint.Checkpoint, error) {
		return recoverFromBackend(ctx, dir, where, r)
	}}
	if all, err = log.mend(c, dir, "log", all); err != nil {
		return err
	}
	indexKey, err := verifierIn(filepath.Join(dir, "index.vkey"))
	if err != nil {
		return err
	}
	index := recovery{key: indexKey, last: lastIndexCheckpointFile(c.String("last-index-checkpoint"), last), seen: held[indexKey.Name()], policy: c.String("index-policy"),
		run: func(ctx context.Context, r trillianlog.Recovery) (checkpoint.Checkpoint, error) {
			return indexlog.Recover(ctx, filepath.Join(dir, "index-store"), r)
		}}
	if all, err = index.mend(c, dir, "index", all); err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%w; `tallyroot serve` can start", trillianlog.ErrNothingToRecover)
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, all)
	}
	return nil
}

// readCheckpoints reads those that others hold, by origin.
func readCheckpoints(files []string) (map[string][][]byte, error) {
	held := map[string][][]byte{}
	for _, file := range files {
		text, err := readSmallFile(file, 1<<20)
		if err != nil {
			return nil, err
		}
		c, _, err := checkpoint.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		held[c.Origin] = append(held[c.Origin], text)
	}
	return held, nil
}

// recovery is how one of the two logs is mended.
type recovery struct {
	key    note.Verifier
	last   string   // the file
	policy string   // the file whose witnesses are asked, "none" or ""
	seen   [][]byte // that others hold
	run    func(context.Context, trillianlog.Recovery) (checkpoint.Checkpoint, error)
}

// mend puts the last checkpoint back, if it is not there, and adds the log to those
// that were mended. The log's files are in the folder files of dir.
func (r *recovery) mend(c *cli.Context, dir, files string, all []recovered) (_ []recovered, err error) {
	witnesses, err := askWitnesses(c, r.policy, r.key.Name(), filepath.Join(dir, files+".vkey"))
	if err != nil {
		return all, err
	}
	for _, w := range witnesses {
		if w.Signed != nil {
			r.seen = append(r.seen, w.Signed)
		}
	}
	published, err := tiles.Open(filepath.Join(dir, files))
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, published.Close()) }()
	if published.Published() == nil && len(r.seen) == 0 && files == "index" {
		return all, nil // a log whose index was never made
	}
	at, err := r.run(c.Context, trillianlog.Recovery{
		Tiles: published, Last: trillianlog.FileLastCheckpoint(r.last), Origin: r.key.Name(), LogKeys: []note.Verifier{r.key}, Seen: r.seen,
	})
	if errors.Is(err, trillianlog.ErrNothingToRecover) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("%s: %w", r.key.Name(), err)
	}
	if !c.Bool("json") {
		fmt.Printf("%s holds the checkpoint of %s at size %d again; all leaves agree with it\n", r.last, at.Origin, at.Size)
	}
	if len(r.seen) == 0 {
		fmt.Fprintf(os.Stderr, "No checkpoint of %s that somebody else holds was compared: that nothing later was signed is not known.\n", at.Origin)
	}
	return append(all, recovered{at.Origin, at.Size, at.Root[:]}), nil
}

// askWitnesses asks those of the policy what they have seen of the log, and tells of
// each what it said.
func askWitnesses(c *cli.Context, file, origin, keyFile string) ([]quorum.Seen, error) {
	if file == "" || file == "none" {
		return nil, nil
	}
	p, err := readPolicy(file, keyFile)
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
		fmt.Fprintf(os.Stderr, "%s, of %s: %s\n", w.Witness.Name, origin, printable(said))
	}
	return all, nil
}

func recoverFromBackend(ctx context.Context, dir string, where *place, r trillianlog.Recovery) (at checkpoint.Checkpoint, err error) {
	opened, err := where.open(ctx, r.Origin)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	if r.Backend, err = opened.Backend(ctx, filepath.Join(dir, "store")); err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, r.Backend.Close()) }()
	return trillianlog.Recover(ctx, r)
}
