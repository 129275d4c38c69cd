package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
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
		Subcommands: []*cli.Command{
			{
				Name:  "generate",
				Usage: "make a private key and its verifier key",
				Description: "Writes the private key into --out (which only its owner may read, and which is never\n" +
					"overwritten) and prints the verifier key. Nothing leaves this machine.\n\n" +
					"The key belongs to one participant of one log: the log's name (origin) is the first\n" +
					"line of its checkpoint, at /log/checkpoint. To have it registered, make a request with\n" +
					"`tallyroot key request` and give that to the administrator.\n\n" +
					"Example:\n" +
					"  tallyroot key generate --origin log.example.org --participant hillside --out hillside.key",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`"},
					&cli.StringFlag{Name: "participant", Usage: "the participant's `ID`"},
					&cli.StringFlag{Name: "out", Usage: "write the private key into `FILE`", TakesFile: true},
					jsonFlag(),
				},
				Action: keyGenerate,
			},
			{
				Name:      "request",
				Usage:     "ask the administrator to add a participant that holds its own key",
				ArgsUsage: `"NAME"`,
				Description: "Prints a request in JSON: the participant's name, what it may describe, its verifier key,\n" +
					"and the key's signature over all that, which shows that the participant holds it. The\n" +
					"administrator adds the participant with `tallyroot participant add --request FILE`; what\n" +
					"the request says cannot be changed on the way. It holds nothing secret.\n\n" +
					"Example:\n" +
					"  tallyroot key request \"Hillside Orchard\" --key hillside.key --grant 9506000 > hillside.request",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "key", Usage: "the private key in `FILE`, which `tallyroot key generate` made", TakesFile: true},
					grantFlag(),
					jsonFlag(),
				},
				Action: keyRequest,
			},
		},
	}
}

// A participantRequest is the body of POST /v1/participants.
type participantRequest struct {
	Name         string     `json:"name"`
	ID           string     `json:"id,omitempty"`
	Grants       []string   `json:"grants,omitempty"`
	TokenExpires *time.Time `json:"tokenExpires,omitempty"`
	OwnKeys      []string   `json:"ownKeys,omitempty"`
	Proofs       []string   `json:"proofs,omitempty"`
}

func keyRequest(c *cli.Context) error {
	args, err := arguments(c, `"NAME"`)
	if err != nil {
		return err
	}
	file := c.String("key")
	if file == "" {
		return usagef("%s needs --key: the file of the private key, which `tallyroot key generate` makes", c.Command.HelpName)
	}
	s, err := openSigner(file)
	if err != nil {
		return err
	}
	statement := participant.Statement{
		ID: s.participant, Number: 1, Name: args[0], Grants: c.StringSlice("grant"), State: participant.Active,
		OwnKeys: []string{s.key.Verifier().String()},
	}
	statement.Prove(s.origin, s.key)
	if _, err := participant.ParseStatement(statement.JSON()); err != nil {
		return usageError{err}
	}
	return printJSON(os.Stdout, participantRequest{
		Name: statement.Name, ID: statement.ID, Grants: statement.Grants, OwnKeys: statement.OwnKeys, Proofs: statement.Proofs,
	})
}

func keyGenerate(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	origin, id, out := c.String("origin"), c.String("participant"), c.String("out")
	for _, f := range []struct{ name, value, what string }{
		{"origin", origin, "the log's name, the first line of its /log/checkpoint"},
		{"participant", id, "the participant's id"},
		{"out", out, "the file for the private key"},
	} {
		if f.value == "" {
			return usagef("%s needs --%s: %s", c.Command.HelpName, f.name, f.what)
		}
	}
	if err := entry.CheckOrigin(origin); err != nil {
		return usagef("--origin: %w", err)
	}
	if err := entry.ParticipantID(id); err != nil {
		return usagef("--participant: %w", err)
	}
	key, err := entry.NewKey(rand.Reader, entry.KeyName(origin, entry.RoleOwn, id))
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
