package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/urfave/cli/v2"
)

func tokenCommand() *cli.Command {
	return &cli.Command{
		Name:  "token",
		Usage: "add and revoke participants' tokens (administrator)",
		Description: "To rotate a token: add one, put it into use, revoke the old one.\n\n" +
			"Example:\n" +
			"  tallyroot token add hillside --token-file data/admin.token",
		Subcommands: []*cli.Command{
			{
				Name:      "add",
				Usage:     "make another token for a participant and print it",
				ArgsUsage: "PARTICIPANT",
				Description: "The token is shown this once: the service keeps only its hash.\n\n" +
					"Examples:\n" +
					"  tallyroot token add hillside --token-file data/admin.token\n" +
					"  tallyroot token add hillside --expires 720h --json --token-file data/admin.token",
				Flags:  readFlags(expiresFlag()),
				Action: tokenAdd,
			},
			{
				Name:      "revoke",
				Usage:     "refuse a token from now on",
				ArgsUsage: "PARTICIPANT NUMBER",
				Description: "`tallyroot participant list` shows the numbers of a participant's tokens.\n\n" +
					"Example:\n" +
					"  tallyroot token revoke hillside 1 --token-file data/admin.token",
				Flags:  readFlags(),
				Action: tokenRevoke,
			},
		},
	}
}

func tokenAdd(c *cli.Context) error {
	args, err := arguments(c, "PARTICIPANT")
	if err != nil {
		return err
	}
	expires, err := expiry(c)
	if err != nil {
		return err
	}
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	in := struct {
		Expires *time.Time `json:"expires,omitempty"`
	}{expires}
	var out struct {
		Number  client.Uint64 `json:"number"`
		Token   string        `json:"token"`
		Expires *time.Time    `json:"expires,omitempty"`
	}
	path := "/v1/participants/" + url.PathEscape(args[0]) + "/tokens"
	err = cl.JSON(c.Context, client.Request{Method: http.MethodPost, Path: path, Once: true}, in, &out)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, out)
	}
	fmt.Printf("number %d\ntoken  %s\n", uint64(out.Number), out.Token)
	if out.Expires != nil {
		fmt.Printf("until  %s\n", out.Expires.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(os.Stderr, "The token is shown this once. Keep it in a file that only its owner can read, and give that as --token-file.")
	return nil
}

func tokenRevoke(c *cli.Context) error {
	args, err := arguments(c, "PARTICIPANT", "NUMBER")
	if err != nil {
		return err
	}
	if n, err := strconv.ParseUint(args[1], 10, 64); err != nil || n == 0 {
		return usagef("%q is not the number of a token: they count from 1, and `tallyroot participant list` shows them", args[1])
	}
	cl, err := connect(c, true)
	if err != nil {
		return err
	}
	var out tokenView
	path := "/v1/participants/" + url.PathEscape(args[0]) + "/tokens/" + args[1] + ":revoke"
	if err := cl.JSON(c.Context, client.Request{Method: http.MethodPost, Path: path}, struct{}{}, &out); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(os.Stdout, out)
	}
	fmt.Printf("token %s of %s is revoked\n", args[1], args[0])
	return nil
}
