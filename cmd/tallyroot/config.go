package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/urfave/cli/v2"
)

const (
	// masked stands for a secret.
	masked = "***"
	// givenKey is that of App.Metadata under which the names of the flags of the
	// command line stand: the library does not tell them from those that a
	// variable sets.
	givenKey = "given"
)

// rememberGiven notes which flags stand in the arguments, or stood there before
// hidePasswords moved them.
func rememberGiven(app *cli.App, args, moved []string) {
	given := map[string]bool{}
	for _, w := range flagWords(app, args) {
		given[w.flag] = true
	}
	for _, name := range moved {
		given[name] = true
	}
	app.Metadata = map[string]any{givenKey: given}
}

func configCommand() *cli.Command {
	return &cli.Command{
		Name:        "config",
		Usage:       "look at serve's settings",
		Subcommands: []*cli.Command{configShowCommand()},
		Description: "Example:\n  tallyroot config show",
	}
}

func configShowCommand() *cli.Command {
	return &cli.Command{
		Name:  "show",
		Usage: "print the settings that serve would have, and where each comes from",
		Description: "Takes serve's flags and variables and prints each setting, the value in force, and what\n" +
			"says so: a flag, a variable, a file, or the default. Secrets are masked. It reads no data\n" +
			"and asks no database. Variables that begin with TALLYROOT_ and that nothing reads are\n" +
			"named: they were probably mistyped.\n\n" +
			"Examples:\n" +
			"  tallyroot config show\n" +
			"  docker compose exec tallyroot tallyroot config show --json",
		Flags:  append(settingFlags(), jsonFlag()),
		Action: showConfig,
	}
}

// A setting is one line of the answer.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Source is "flag", "variable", "file" or "default"; Where names the variable,
	// the file, or the flag if it is another one.
	Source string `json:"source"`
	Where  string `json:"where,omitempty"`
}

func showConfig(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	given, _ := c.App.Metadata[givenKey].(map[string]bool)
	var settings []setting
	for _, f := range append(settingFlags(), &cli.BoolFlag{Name: "json", EnvVars: []string{variableOf("json")}}) {
		s := readSetting(c, f.(cli.DocGenerationFlag), given)
		settings = append(settings, s)
		if s.Name == "mysql-password-file" {
			settings = append(settings, passwordSetting(c, given))
		}
	}
	unknown := unknownVariables(c.App)
	if c.Bool("json") {
		return printJSON(os.Stdout, struct {
			Settings []setting         `json:"settings"`
			Unknown  map[string]string `json:"unknownVariables"` // and what was probably meant
		}{settings, unknown})
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, printable(s.Value), printable(strings.TrimSpace(s.Source+" "+s.Where)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, name := range sorted(unknown) {
		fmt.Fprintf(os.Stderr, "%s is set, and nothing reads it; was %s meant?\n", printable(name), unknown[name])
	}
	return nil
}

func readSetting(c *cli.Context, f cli.DocGenerationFlag, given map[string]bool) setting {
	name := f.Names()[0]
	s := setting{Name: name, Source: "default", Value: fmt.Sprint(c.Value(name))}
	variable := variableOf(name)
	switch text, set := os.LookupEnv(variable); {
	case name == "json": // here the flag means this command's output
		s.Value = "false"
		if set {
			s.Value, s.Source, s.Where = text, "variable", variable
		}
		return s
	case given[name]:
		s.Source = "flag"
	case set:
		s.Source, s.Where = "variable", variable
	case f.GetDefaultText() != "":
		s.Value = strings.Trim(f.GetDefaultText(), `"`)
	}
	if name == "mysql" && s.Value != "" {
		s.Value = mysqldb.Redact(s.Value)
	}
	return s
}

// passwordSetting says where the database's password comes from.
func passwordSetting(c *cli.Context, given map[string]bool) setting {
	s := setting{Name: "mysql-password", Source: "default"}
	password, where, err := readPassword(c)
	switch {
	case err != nil:
		s.Value = "(" + err.Error() + ")"
	case where == passwordVariable:
		s.Source, s.Where = "variable", where
	case where != "":
		s.Source, s.Where = "file", where
	case holdsPassword(c.String("mysql")) && given["mysql"]:
		password, s.Source, s.Where = masked, "flag", "--mysql"
	case holdsPassword(c.String("mysql")):
		password, s.Source, s.Where = masked, "variable", variableOf("mysql")
	}
	if password != "" {
		s.Value = masked
	}
	return s
}
