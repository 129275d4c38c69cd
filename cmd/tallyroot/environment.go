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

// flagOf is the other way round.
func flagOf(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, variablePrefix), "_", "-"))
}

// fromEnvironment lets a variable say what each of serve's flags says.
func fromEnvironment(flags ...cli.Flag) []cli.Flag { return withVariables(variablePrefix, flags...) }

// withVariables is that for another command, whose variables begin with a prefix of
// their own.
func withVariables(prefix string, flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		variables := []string{prefix + strings.TrimPrefix(variableOf(f.Names()[0]), variablePrefix)}
		switch f := f.(type) {
		case *cli.StringFlag:
			f.EnvVars = variables
		case *cli.StringSliceFlag:
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
	var names []cli.Flag // the variables, written as flags, for SuggestFlag
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
						names = append(names, &cli.BoolFlag{Name: flagOf(name)})
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
		if strings.HasPrefix(name, variablePrefix) && !known[name] {
			unknown[name] = variableOf(strings.TrimLeft(cli.SuggestFlag(names, flagOf(name), true), "-"))
		}
	}
	return unknown
}

// sorted gives the names in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
