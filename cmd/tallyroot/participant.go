package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/urfave/cli/v2"
)

// A participantView is a participant as the service describes it.
type participantView struct {
	ID          string        `json:"id"`
	Number      client.Uint64 `json:"number"`
	Name        string        `json:"name"`
	State       string        `json:"state"`
	Grants      []string      `json:"grants,omitempty"`
	OwnKeys     []string      `json:"ownKeys,omitempty"`
	ManagedKeys []string      `json:"managedKeys,omitempty"`
	Index       client.Uint64 `json:"index"`
	Tokens      []tokenView   `json:"tokens,omitempty"`
}

// A tokenView is a token without its secret.
type tokenView struct {
	Number  client.Uint64 `json:"number"`
	Created *time.Time    `json:"created,omitempty"`
	Expires *time.Time    `json:"expires,omitempty"`
	Revoked *time.Time    `json:"revoked,omitempty"`
}

func participantCommand() *cli.Command {
	return &cli.Command{
		Name:  "participant",
		Usage: "add, list and disable those who log events (administrator)",
		Description: "Participants are the organisations that log events. These commands need the\n" +
			"administrator's token.\n\n" +
			"Example:\n" +
			"  tallyroot participant list --token-file data/admin.token",
		Subcommands: []*cli.Command{
			{
				Name:      "add",
				Usage:     "add a participant and print its first token",
				ArgsUsage: `"NAME"`,
				Description: "Logs a statement that names the participant and what it may describe, and prints\n" +
					"the first token. The token is shown this once: the service keeps only its hash.\n\n" +
					"The participant's id is --id, or made from the name: \"Hillside Orchard\" becomes\n" +
					"hillside-orchard. An id is never given twice.\n\n" +
					"Examples:\n" +
					"  tallyroot participant add \"Hillside Orchard\" --grant 9506000 --token-file data/admin.token\n" +
					"  tallyroot participant add \"Hillside Orchard\" --id hillside --json --token-file data/admin.token\n" +
					"  tallyroot participant add --request hillside.request --token-file data/admin.token",
				Flags: readFlags(
					&cli.StringFlag{Name: "id", Usage: "the participant's `ID`: a-z, 0-9, dots and hyphens; by default made from the name"},
					grantFlag(),
					&cli.StringFlag{Name: "request", Usage: "add the participant that holds its own key, by its request in `FILE`", TakesFile: true},
					expiresFlag(),
				),
				Action: participantAdd,
			},
			{
				Name:  "list",
				Usage: "list the participants, what they may describe and their tokens",
				Description: "Example:\n" +
					"  tallyroot participant list --token-file data/admin.token --json",
				Flags:  readFlags(),
				Action: participantList,
			},
			{
				Name:      "disable",
				Usage:     "end a participant's rights; what it logged stays",
				ArgsUsage: "ID",
				Description: "Logs a statement that the participant is disabled. Its tokens are refused from now\n" +
					"on; what it logged before stays in the log and stays valid.\n\n" +
					"Example:\n" +
					"  tallyroot participant disable hillside --token-file data/admin.token",
				Flags:  readFlags(),
				Action: participantDisable,
			},
		},
	}
}

func grantFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "grant", Usage: "a GS1 company `PREFIX` such as 9506000, an identifier, or the beginning of a URI that it may describe; may be repeated"}
}

func expiresFlag() cli.Flag {
	return &cli.StringFlag{Name: "expires", Usage: "refuse the token after `WHEN`: a time like 2027-01-31T00:00:00Z or a duration like 720h"}
}

// expiry reads --expires.
func expiry(c *cli.Context) (*time.Time, error) {
	text := c.String("expires")
	if text == "" {
		return nil, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d <= 0 {
			return nil, usagef("--expires %s is not in the future", text)
		}
		t := time.Now().Add(d).UTC().Truncate(time.Second)
		return &t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usagef("--expires %q is neither a time like 2027-01-31T00:00:00Z nor a duration like 720h", text)
	}
	if !t.After(time.Now()) {
		return nil, usagef("--expires %s is not in the future", text)
	}
	return &t, nil
}

// newParticipant is what the command line says of the participant to add.
func newParticipant(c *cli.Context) (participantRequest, error) {
	var p participantRequest
	if file := c.String("request"); file != "" {
		if c.Args().Len() > 0 || c.IsSet("id") || c.IsSet("grant") {
			return p, usagef("%s: the request says name, id and grants, and its key signed them; leave them out beside --request", c.Command.HelpName)
		}
		text, err := readSmallFile(file, 64<<10)
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal(text, &p); err != nil || len(p.OwnKeys) == 0 {
			return p, fmt.Errorf("%s is not what `tallyroot key request` prints", inputName(file))
		}
	} else {
		args, err := arguments(c, `"NAME"`)
		if err != nil {
			return p, err
		}
		p.Name, p.ID, p.Grants = args[0], c.String("id"), c.StringSlice("grant")
	}
	var err error
	p.TokenExpires, err = expiry(c)
	return p, err
}

func participantAdd(c *cli.Context) error {
	in, err := newParticipant(c)
	if err != nil {
		return err
	}
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	var out struct {
		Participant participantView `json:"participant"`
		Token       string          `json:"token"`
	}
	err = cl.JSON(c.Context, client.Request{Method: http.MethodPost, Path: "/v1/participants", Once: true}, in, &out)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			Participant string `json:"participant"`
			Token       string `json:"token"`
		}{out.Participant.ID, out.Token})
	}
	fmt.Printf("participant %s\ntoken       %s\n", out.Participant.ID, out.Token)
	fmt.Fprintln(os.Stderr, "The token is shown this once. Keep it in a file that only its owner can read, and give that as --token-file.")
	return nil
}

func participantList(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	var out struct {
		Participants []participantView `json:"participants"`
	}
	if err := cl.JSON(c.Context, client.Request{Method: http.MethodGet, Path: "/v1/participants"}, nil, &out); err != nil {
		return err
	}
	if c.Bool("json") {
		if out.Participants == nil {
			out.Participants = []participantView{}
		}
		return printJSON(os.Stdout, out)
	}
	if len(out.Participants) == 0 {
		fmt.Fprintln(os.Stderr, `There is no participant yet; add one with: tallyroot participant add "NAME"`)
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSTATE\tMAY DESCRIBE\tTOKENS")
	for _, p := range out.Participants {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.ID, p.Name, p.State, strings.Join(p.Grants, " "), describeTokens(p.Tokens, time.Now()))
	}
	return w.Flush()
}

// describeTokens is like "1, 2 (revoked), 3 (until 2027-01-31)".
func describeTokens(tokens []tokenView, now time.Time) string {
	parts := make([]string, 0, len(tokens))
	for _, t := range tokens {
		part := fmt.Sprint(uint64(t.Number))
		switch {
		case t.Revoked != nil:
			part += " (revoked)"
		case t.Expires != nil && !t.Expires.After(now):
			part += " (expired)"
		case t.Expires != nil:
			part += " (until " + t.Expires.UTC().Format(time.DateOnly) + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func participantDisable(c *cli.Context) error {
	args, err := arguments(c, "ID")
	if err != nil {
		return err
	}
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	var out participantView
	path := "/v1/participants/" + url.PathEscape(args[0]) + ":disable"
	if err := cl.JSON(c.Context, client.Request{Method: http.MethodPost, Path: path}, struct{}{}, &out); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, out)
	}
	fmt.Printf("participant %s is %s\n", out.ID, out.State)
	return nil
}
