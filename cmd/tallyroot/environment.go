package main

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// variablePrefix begins the names of all variables of this program.
const variablePrefix = "TALLYROOT_"

// passwordVariable is the one setting that no flag has: a command line can be
// read by every process of the machine.
const passwordVariable = "TALLYROOT_MYSQL_PASSWORD"

// variableOf is the variable that says the same as the flag: --public-url and
// TALLYROOT_PUBLIC_URL.
func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment lets a variable say what each of the flags says.
func fromEnvironment(flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		variables := []string{variableOf(f.Names()[0])}
		switch f := f.(type) {
		case *cli.StringFlag:
			f.EnvVars = variables
		case *cli.BoolFlag:
			f.EnvVars = variables
		case *cli.IntFlag:
			f.EnvVars = variables
		case *cli.Int64Flag:
			f.EnvVars = variables
		case *cli.Uint64Flag:
			f.EnvVars = variables
		case *cli.Float64Flag:
			f.EnvVars = variables
		case *cli.DurationFlag:
			f.EnvVars = variables
		default:
			panic("a flag of a kind that no variable sets: --" + f.Names()[0])
		}
	}
	return flags
}

// ignoreEmptyVariables makes a variable that is set to nothing one that is not
// set: the compose file and unit files pass on what may be empty.
func ignoreEmptyVariables() {
	for _, pair := range os.Environ() {
		if name, value, _ := strings.Cut(pair, "="); value == "" && strings.HasPrefix(name, variablePrefix) {
			os.Unsetenv(name)
		}
	}
}

// unknownVariables are those that are ours by their name, and that nothing reads:
// probably mistyped. Each comes with the one that was probably meant.
func unknownVariables(app *cli.App) map[string]string {
	known := map[string]bool{passwordVariable: true, "TALLYROOT_TOKEN": true}
	var flags []cli.Flag
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for _, f := range c.Flags {
				d, ok := f.(cli.DocGenerationFlag)
				if !ok {
					continue
				}
				for _, name := range d.GetEnvVars() {
					if !known[name] {
						flags = append(flags, f)
					}
					known[name] = true
				}
			}
			walk(c.Subcommands)
		}
	}
	walk(app.Commands)
	unknown := map[string]string{}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if rest, ours := strings.CutPrefix(name, variablePrefix); ours && !known[name] {
			flag := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
			unknown[name] = variableOf(strings.TrimLeft(cli.SuggestFlag(flags, flag, true), "-"))
		}
	}
	return unknown
}

// sorted gives the names in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
