package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// newApp builds the whole command tree, afresh for each run.
func newApp() *cli.App {
	app := &cli.App{
		Name:  "tallyroot",
		Usage: "supply-chain provenance that anyone can check",
		Description: "Custody events go into a Merkle log; each one is answered with a receipt, and\n" +
			"anyone can check it.\n\n" +
			"Examples:\n" +
			"  tallyroot demo                     a whole supply chain on this machine, to look at\n" +
			"  tallyroot event log harvest.json   log events with a running service\n" +
			"  tallyroot event log --help         what a command does, with an example",
		Version: version(),
		Commands: []*cli.Command{
			serveCommand(),
			demoCommand(),
			recoverCommand(),
			witnessCommand(),
			indexVerifierCommand(),
			mirrorCommand(),
			schemaCommand(),
			logCommand(),
			configCommand(),
			healthCommand(),
			participantCommand(),
			tokenCommand(),
			productCommand(),
			placeCommand(),
			keyCommand(),
			eventCommand(),
			historyCommand(),
			idCommand(),
			verifyCommand(),
			auditCommand(),
			monitorCommand(),
			qrCommand(),
		},
		HideHelpCommand: true,
		Action:          noCommand,
		OnUsageError:    asUsageError,
		ExitErrHandler:  func(*cli.Context, error) {}, // run decides the exit code
	}
	for _, c := range app.Commands {
		finish(c)
	}
	return app
}

// finish gives every command of the tree what all have in common. The commands
// named help that the library would add are left out: an argument may be the
// word "help".
func finish(c *cli.Command) {
	c.HideHelpCommand = true
	c.OnUsageError = asUsageError
	if len(c.Subcommands) > 0 {
		c.Action = noCommand
	}
	for _, sub := range c.Subcommands {
		finish(sub)
	}
}

// noCommand is what a group of commands does when none of them is named.
func noCommand(c *cli.Context) error {
	subcommands, path := c.App.Commands, c.App.Name
	if len(c.Command.Subcommands) > 0 {
		subcommands, path = c.Command.Subcommands, c.Command.HelpName
	}
	if c.Args().Len() == 0 {
		return cli.ShowSubcommandHelp(c)
	}
	names := make([]string, 0, len(subcommands))
	for _, s := range subcommands {
		names = append(names, s.Name)
	}
	return usagef("%s has no command %q; it has %s (%s --help says more)",
		path, c.Args().First(), strings.Join(names, ", "), path)
}

func asUsageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		text = fmt.Sprintf("there is no flag --%s", strings.TrimPrefix(name, "-"))
	}
	path := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		path = c.Command.HelpName
	}
	return usagef("%s (%s --help lists the flags)", text, path)
}

// version is the module's version as the Go tool recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "built from source"
	}
	return info.Main.Version
}
