package main

import (
	"fmt"
	"os"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/urfave/cli/v2"
)

func logKeyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "make the keys of a new log before its first start",
		Description: "Makes DIRECTORY and the keys in it, and prints the log's verifier key: the one that the\n" +
			"policy names, and that its witnesses need before the log has its first entry. Keys that are\n" +
			"there stay, so it can be asked again while the service does not run.\n\n" +
			"The index log has a key of its own, which the index policy names: --index-log prints that one.\n\n" +
			"Examples:\n" +
			"  tallyroot log key --data /var/lib/tallyroot --origin log.example.org\n" +
			"  tallyroot log key --data /var/lib/tallyroot --origin log.example.org --index-log",
		Flags: append(append(directoryFlags(), fromEnvironment(
			&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`, such as log.example.org; it stands in everything that is signed, for good"},
		)...), &cli.BoolFlag{Name: "index-log", Usage: "print the index log's key"}, jsonFlag()),
		Action: makeLogKey,
	}
}

func makeLogKey(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir, origin := c.String("data"), c.String("origin")
	if dir == "" || origin == "" {
		return usagef("tallyroot log key needs --data DIRECTORY and --origin NAME, as serve will get them")
	}
	if err := entry.CheckOrigin(origin); err != nil {
		return usagef("--origin: %w", err)
	}
	key, indexKey, err := provenance.MakeKeys(dir, origin, lastCheckpointFile(c.String("last-checkpoint"), dir))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			Origin   string `json:"origin"`
			LogKey   string `json:"logKey"`
			IndexKey string `json:"indexKey"`
		}{origin, key, indexKey})
	}
	if c.Bool("index-log") {
		key = indexKey
	}
	fmt.Println(key)
	return nil
}
