package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts a command line into the order that urfave/cli v2 reads: the
// command, its flags, "--", its arguments. People write flags before and after
// arguments and even before the command; the library stops at the first
// argument and would take the flags behind it for arguments.
//
// "-" is an argument, everything behind "--" is one, and `help COMMAND` means
// `COMMAND --help`, which is answered whatever stands beside it. argv[0] stands for the program and is kept.
func arrange(app *cli.App, argv []string) ([]string, error) {
	takesValue := flagArity(app)
	var flags, words []string
	rest := argv[1:]
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		if word == "--" {
			words = append(words, rest...)
			break
		}
		if word == "-" || !strings.HasPrefix(word, "-") {
			words = append(words, word)
			continue
		}
		flags = append(flags, word)
		if name := strings.TrimLeft(word, "-"); takesValue[name] {
			if len(rest) == 0 {
				return nil, usagef("%s needs a value behind it", word)
			}
			flags = append(flags, rest[0])
			rest = rest[1:]
		}
	}
	if len(words) > 0 && words[0] == "help" {
		words = words[1:]
		flags = append(flags, "--help")
	}
	path := commandPath(app, words)
	if slices.ContainsFunc(flags, isHelp) {
		// The library would take an argument beside it for the name of a topic.
		return append(append([]string{argv[0]}, words[:path]...), "--help"), nil
	}
	out := append([]string{argv[0]}, words[:path]...)
	out = append(out, flags...)
	out = append(out, "--")
	return append(out, words[path:]...), nil
}

func isHelp(flag string) bool { return flag == "--help" || flag == "-help" || flag == "-h" }

// commandPath counts the leading words that name a command and its subcommands.
func commandPath(app *cli.App, words []string) int {
	commands := app.Commands
	for n, word := range words {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) })
		if i < 0 {
			return n
		}
		commands = commands[i].Subcommands
	}
	return len(words)
}

// flagArity tells for the name of each flag of the whole tree whether a value
// follows it. One name means the same in every command.
func flagArity(app *cli.App) map[string]bool {
	takes := make(map[string]bool)
	add := func(flags []cli.Flag) {
		for _, f := range flags {
			d, ok := f.(cli.DocGenerationFlag)
			for _, name := range f.Names() {
				takes[name] = ok && d.TakesValue()
			}
		}
	}
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			add(c.Flags)
			walk(c.Subcommands)
		}
	}
	add(app.Flags)
	walk(app.Commands)
	return takes
}

// A word of the command line, and which flag it belongs to.
type word struct {
	text     string
	flag     string // "": none
	value    string // the flag's, beside the word that holds it
	hasValue bool
}

// flagWords tells which words of arguments that arrange has put into order are
// flags of the command that they name, and their values.
func flagWords(app *cli.App, args []string) []word {
	takes := map[string]bool{} // by the names of the command's flags: whether a value follows
	commands := app.Commands
	for _, name := range args[1:] {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(name) })
		if i < 0 {
			break
		}
		for _, f := range commands[i].Flags {
			d, ok := f.(cli.DocGenerationFlag)
			for _, name := range f.Names() {
				takes[name] = ok && d.TakesValue()
			}
		}
		commands = commands[i].Subcommands
	}
	var words []word
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			for _, text := range args[i:] {
				words = append(words, word{text: text})
			}
			break
		}
		w := word{text: args[i]}
		if name, value, joined := strings.Cut(strings.TrimLeft(w.text, "-"), "="); strings.HasPrefix(w.text, "-") {
			if takesValue, known := takes[name]; known {
				w.flag, w.value, w.hasValue = name, value, joined
				if takesValue && !joined && i+1 < len(args) {
					words = append(words, w)
					i++
					w = word{args[i], name, args[i], true}
				}
			}
		}
		words = append(words, w)
	}
	return words
}
