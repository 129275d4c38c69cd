package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/urfave/cli/v2"
)

// dsnFlags are the flags that may hold the address of a database, with what may
// stand before it.
var dsnFlags = map[string]string{"mysql": "", "from": mysqlPlace + ":", "to": mysqlPlace + ":"}

// movedVariable names, for the program that hidePasswords starts again, the flags
// that it has moved: they were said on the command line all the same.
const movedVariable = "TALLYROOT_MOVED_FLAGS"

// takeMoved gives those flags, and removes the variable.
func takeMoved() []string {
	names := strings.Fields(os.Getenv(movedVariable))
	os.Unsetenv(movedVariable)
	return names
}

// hidePasswords looks for a password in the arguments, which every process of the
// machine can read for as long as this one runs. Where there is one, it starts
// the program again in the same process, with the flag's variable in the flag's
// place, and does not return.
func hidePasswords(app *cli.App, args []string) error {
	arguments, variables := withoutPasswords(app, args)
	if len(variables) == 0 {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the command line holds a password, and the program cannot be started again without it: %w", err)
	}
	environment := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		_, replaced := variables[name]
		return replaced
	})
	var moved []string
	for _, name := range sorted(variables) {
		environment = append(environment, name+"="+variables[name])
		moved = append(moved, flagOf(name))
	}
	environment = append(environment, movedVariable+"="+strings.Join(moved, " "))
	fmt.Fprintf(os.Stderr, "tallyroot: the command line held a password, for a moment readable by every process of this machine; "+
		"it was moved to %s. Set that, or %s, or say --mysql-password-file FILE\n",
		strings.Join(sorted(variables), " and "), passwordVariable)
	err = syscall.Exec(program, arguments, environment)
	return fmt.Errorf("the command line holds a password, and the program cannot be started again without it: %w", err)
}

// withoutPasswords takes the flags with a password out of the arguments, which
// arrange has put into order, and gives the variables that say the same.
func withoutPasswords(app *cli.App, args []string) (arguments []string, variables map[string]string) {
	words := flagWords(app, args)
	secret, last := map[string]bool{}, map[string]string{}
	for _, w := range words {
		before, mayHold := dsnFlags[w.flag]
		if !mayHold || !w.hasValue {
			continue
		}
		last[w.flag] = w.value // of several the last one counts
		dsn, ok := strings.CutPrefix(w.value, before)
		secret[w.flag] = secret[w.flag] || ok && holdsPassword(dsn)
	}
	variables = map[string]string{}
	for _, w := range words {
		if secret[w.flag] {
			variables[variableOf(w.flag)] = last[w.flag]
		} else {
			arguments = append(arguments, w.text)
		}
	}
	return arguments, variables
}

// holdsPassword is false for what is no DSN: the program ends at once over that.
func holdsPassword(dsn string) bool { return strings.Contains(mysqldb.Redact(dsn), ":***@") }
