package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/mirror"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/urfave/cli/v2"
)

func mirrorCommand() *cli.Command {
	return &cli.Command{
		Name:      "mirror",
		Usage:     "copy a log and its history index, verified, to answer for them",
		ArgsUsage: "URL|DIRECTORY DIR",
		Description: "Copies the log and the index log of a service, or of another mirror, into DIR, and makes the map\n" +
			"that histories are proved with. Everything is held against signed checkpoints before it is kept,\n" +
			"and each leaf of the index log against what the entries give. A copy that is broken off goes on\n" +
			"where it was when the command is run again; run it now and then to have what is new.\n\n" +
			"Any web server can serve DIR/log and DIR/index, for auditors and index-verifiers.\n" +
			"`tallyroot serve --mirror DIR` answers scans, histories and journeys too, with all proofs, also\n" +
			"while the origin is down. Nobody has to trust either: readers check what they get.\n\n" +
			"--policy or --log-key, and --index-policy, say whose log it must be. Without them the keys are\n" +
			"taken from the log's own first entry, and it says so. DIR remembers them.\n\n" +
			"The exit code is 0 when DIR has what the origin has, and 1 when it has not: it says whether the\n" +
			"origin cannot be read, or shows what is not so. What was copied before stays.\n\n" +
			"Examples:\n" +
			"  tallyroot mirror https://trace.example.com /srv/mirror --policy policy.txt --index-policy index-policy.txt\n" +
			"  tallyroot serve --mirror /srv/mirror --mirror-from https://trace.example.com",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "policy", Usage: "copy what the log's policy in `FILE` takes", TakesFile: true},
			&cli.StringFlag{Name: "log-key", Usage: "copy what the log's verifier key in `FILE` has signed; alone, no witness is asked for", TakesFile: true},
			&cli.StringFlag{Name: "index-policy", Usage: "copy what the index log's policy in `FILE` takes; otherwise the log's first entry names its key, and no witness is asked for", TakesFile: true},
			jsonFlag(),
		},
		Action: runMirror,
	}
}

// mirrorResult is what --json prints.
type mirrorResult struct {
	Directory string `json:"directory"`
	Origin    string `json:"origin"`         // the log's name
	Entries   uint64 `json:"entries,string"` // of the log, that the mirror has
	Leaves    uint64 `json:"leaves,string"`  // of the index log
	// Of these, copied by this run.
	NewEntries uint64 `json:"newEntries,string"`
	NewLeaves  uint64 `json:"newLeaves,string"`
}

func runMirror(c *cli.Context) (err error) {
	args, err := arguments(c, "URL|DIRECTORY", "DIR")
	if err != nil {
		return err
	}
	o, err := mirrorOrigin(c, args[0])
	if err != nil {
		return err
	}
	options := mirror.Options{Dir: args[1], Logger: warnings(), Pebble: pebblelog.Logger{To: warnings()}}
	if options.Policy, options.IndexPolicy, err = mirrorPolicies(c, o, args[1]); err != nil {
		return err
	}
	bar := &progress{}
	options.Progress = func(p mirror.Progress) { bar.show(p.Step, p.Done, p.Size) }
	m, err := mirror.Open(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	copied, err := m.Sync(c.Context, o)
	bar.clear()
	if c.Context.Err() != nil {
		return errors.New("interrupted; run the same command again, it goes on from there")
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, mirrorResult{args[1], copied.Log.Origin, copied.Log.Size, copied.Index.Size, copied.Entries, copied.Leaves})
	}
	fmt.Printf("%s: entries of %s: %d, new: %d; leaves of its index log: %d, new: %d\n",
		args[1], copied.Log.Origin, copied.Log.Size, copied.Entries, copied.Index.Size, copied.Leaves)
	return nil
}

// mirrorOrigin is where is copied from.
func mirrorOrigin(c *cli.Context, place string) (o mirror.Origin, err error) {
	if isURL(place) {
		if o, err = mirror.HTTP(place, fetch.HTTPOptions{UserAgent: "tallyroot/" + c.App.Version}); err != nil {
			return o, usageError{err}
		}
		return o, nil
	}
	if o.Log, err = logFiles(c, place, "log"); err != nil {
		return o, err
	}
	o.Index, err = logFiles(c, place, "index")
	return o, err
}

// mirrorPolicies gives the policies that the flags say; nil where the folder says them
// already. Otherwise they are what the log's first entry says.
func mirrorPolicies(c *cli.Context, o mirror.Origin, dir string) (log, index *policy.Policy, err error) {
	if c.IsSet("policy") || c.IsSet("log-key") {
		if log, err = readPolicy(c.String("policy"), c.String("log-key")); err != nil {
			return nil, nil, err
		}
	}
	if file := c.String("index-policy"); file != "" {
		if index, err = readPolicyFile(file); err != nil {
			return nil, nil, err
		}
	}
	if log != nil && index != nil || mirror.Made(dir) {
		return log, index, nil
	}
	keys, err := o.FirstKeys(c.Context)
	if err != nil {
		return nil, nil, err
	}
	if log == nil {
		fmt.Fprintf(os.Stderr, "The log's key is taken from its own first entry, since there is no --policy and no --log-key: %s\n", keys.Log)
		if log, err = policy.None(keys.Log); err != nil {
			return nil, nil, err
		}
	} else if !log.HasLog(keys.Log) {
		return nil, nil, fmt.Errorf("the log's first entry names the key %s, and the policy does not", keys.Log)
	}
	if index == nil {
		fmt.Fprintf(os.Stderr, "The index log's key is taken from the log's first entry, since there is no --index-policy: %s\n", keys.Index)
		index, err = policy.None(keys.Index)
	}
	return log, index, err
}
