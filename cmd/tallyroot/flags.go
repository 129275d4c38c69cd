package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/urfave/cli/v2"
)

// defaultListen is where serve listens and where the other commands ask unless
// they are told otherwise. Loopback: nobody else reaches it.
const (
	defaultListen = "127.0.0.1:8080"
	defaultServer = "http://" + defaultListen
)

const (
	categoryServer    = "Which service"
	categoryWitnesses = "Witnesses"
	categoryMirror    = "A mirror"
	categoryOutput    = "Output"
)

// jsonFlag stands on every command.
func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON, for programs", Category: categoryOutput}
}

// readFlags stand on every command that asks a service.
func readFlags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringFlag{
			Name: "server", Usage: "ask the service at `URL`", EnvVars: []string{"TALLYROOT_SERVER"},
			Value: defaultServer, Category: categoryServer,
		},
		&cli.StringFlag{
			Name: "token-file", TakesFile: true, Category: categoryServer,
			Usage: "read the bearer token from `FILE`; without it, TALLYROOT_TOKEN is the token",
		},
		jsonFlag(),
	)
}

// connect makes the client that --server, --token-file and TALLYROOT_TOKEN
// describe. A command that writes says so, and gets an error that names the
// ways to give a token.
func connect(c *cli.Context, needsToken bool) (*client.Client, error) {
	token := strings.TrimSpace(os.Getenv("TALLYROOT_TOKEN"))
	if file := c.String("token-file"); file != "" {
		text, err := readSmallFile(file, 1<<12)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(text))
		if token == "" {
			return nil, fmt.Errorf("%s is empty; it should hold one token", file)
		}
	}
	if token == "" && needsToken {
		return nil, usagef("%s needs a token: say --token-file FILE or set TALLYROOT_TOKEN "+
			"(the administrator's is in the service's data directory, admin.token; "+
			"a participant's is what `tallyroot participant add` or `tallyroot token add` printed)", c.Command.HelpName)
	}
	server := c.String("server")
	if server == "" { // TALLYROOT_SERVER is set to nothing
		server = defaultServer
	}
	cl, err := client.New(server, token)
	if err != nil {
		return nil, usageError{err}
	}
	cl.UserAgent = "tallyroot/" + c.App.Version
	return cl, nil
}

// arguments checks how many there are and names what is missing.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) < len(names) {
		return nil, usagef("%s: %s is missing; write %s %s (--help has an example)",
			c.Command.HelpName, names[len(args)], c.Command.HelpName, strings.Join(names, " "))
	}
	if len(args) > len(names) {
		return nil, usagef("%s takes %s; %q is more than that (an argument with spaces needs quotes)",
			c.Command.HelpName, countNoun(len(names), "argument"), args[len(names)])
	}
	return args, nil
}

// manyArguments is for a command that takes one or more.
func manyArguments(c *cli.Context, name string) ([]string, error) {
	if c.Args().Len() == 0 {
		return nil, usagef("%s: %s is missing; write %s %s… (--help has an example)",
			c.Command.HelpName, name, c.Command.HelpName, name)
	}
	return c.Args().Slice(), nil
}

// countNoun is "no argument", "1 event", "3 events".
func countNoun(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printJSON writes one value, indented, and a line feed.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printJSONLine writes one value on one line.
func printJSONLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// readSmallFile reads a file, or standard input for "-", of at most limit bytes.
func readSmallFile(name string, limit int64) ([]byte, error) {
	f, err := openInput(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", inputName(name), err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", inputName(name), limit)
	}
	return b, nil
}

func openInput(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", name)
	}
	return f, err
}

func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// writeFile writes what the user asked to keep; it replaces what is there.
func writeFile(name string, data []byte) error {
	if name == "-" {
		_, err := os.Stdout.Write(data)
		return err
	}
	return os.WriteFile(name, data, 0o644)
}
