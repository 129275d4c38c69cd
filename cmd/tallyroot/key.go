package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/urfave/cli/v2"
)

func keyCommand() *cli.Command {
	return &cli.Command{
		Name:  "key",
		Usage: "make keys of one's own",
		Description: "A participant that holds its own key signs its events itself; the service cannot\n" +
			"sign in its name.\n\n" +
			"Example:\n" +
			"  tallyroot key generate --origin log.example.org --participant hillside --out hillside.key",
		Subcommands: []*cli.Command{{
			Name:  "generate",
			Usage: "make a private key and its verifier key",
			Description: "Writes the private key into --out (which only its owner may read, and which is never\n" +
				"overwritten) and prints the verifier key, which the administrator registers. Nothing\n" +
				"leaves this machine.\n\n" +
				"The key belongs to one participant of one log: the log's name (origin) is the first\n" +
				"line of its checkpoint, at /log/checkpoint.\n\n" +
				"Example:\n" +
				"  tallyroot key generate --origin log.example.org --participant hillside --out hillside.key",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`"},
				&cli.StringFlag{Name: "participant", Usage: "the participant's `ID`"},
				&cli.StringFlag{Name: "out", Usage: "write the private key into `FILE`", TakesFile: true},
				jsonFlag(),
			},
			Action: keyGenerate,
		}},
	}
}

func keyGenerate(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	origin, participant, out := c.String("origin"), c.String("participant"), c.String("out")
	for _, f := range []struct{ name, value, what string }{
		{"origin", origin, "the log's name, the first line of its /log/checkpoint"},
		{"participant", participant, "the participant's id"},
		{"out", out, "the file for the private key"},
	} {
		if f.value == "" {
			return usagef("%s needs --%s: %s", c.Command.HelpName, f.name, f.what)
		}
	}
	if err := entry.CheckOrigin(origin); err != nil {
		return usagef("--origin: %w", err)
	}
	if err := entry.ParticipantID(participant); err != nil {
		return usagef("--participant: %w", err)
	}
	key, err := entry.NewKey(rand.Reader, entry.KeyName(origin, entry.RoleOwn, participant))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and a key is never overwritten: name another file", out)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, key.Secret())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	vkey := key.Verifier().String()
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			Name        string `json:"name"`
			VerifierKey string `json:"verifierKey"`
			File        string `json:"file"`
		}{key.Name(), vkey, out})
	}
	fmt.Println(vkey)
	return nil
}
