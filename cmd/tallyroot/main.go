// Command tallyroot serves a provenance log, writes to it and checks it.
//
// One binary does everything: `serve` and `demo` run the service, `witness` one
// that cosigns logs; `recover`, `schema`, `log`, `config` and `health` are for
// whoever operates one; `participant`, `token`, `product`, `place`, `event`,
// `history` and `qr` ask a running one over its REST interface; `verify`, `id` and
// `event hash` need no service and no network. What `verify` says rests on the proofs
// that it is given, whoever gave them, and on whom the reader trusts; `audit` and
// `monitor` read a whole log, and believe nobody who serves it.
//
// A command ends with 0 when it did what it was asked, with 1 when something
// failed, was refused or did not verify, and with 2 when it was called wrongly. Of
// those whose task is to check, 1 says that something is wrong with what was checked,
// and 2 that it could not be checked.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. Scripts depend on them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args))
}

// run executes one command line and gives the exit code. A first SIGINT or
// SIGTERM ends the command's context, a second one the process.
func run(argv []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	ignoreEmptyVariables()
	moved := takeMoved()
	app := newApp()
	args, err := arrange(app, argv)
	if err == nil {
		err = hidePasswords(app, args)
	}
	if err == nil {
		rememberGiven(app, args, moved)
		err = app.RunContext(ctx, args)
	}
	if err == nil {
		return exitOK
	}
	var silent silentError
	if !errors.As(err, &silent) {
		fmt.Fprintln(os.Stderr, "tallyroot:", printable(err.Error()))
	}
	var usage usageError
	var unchecked uncheckedError
	if errors.As(err, &usage) || errors.As(err, &unchecked) {
		return exitUsage
	}
	return exitFailed
}

// An uncheckedError means that a command whose task is to check could not: nothing is
// known to be wrong. Its exit code is exitUsage, so that exitFailed says one thing
// alone.
type uncheckedError struct{ error }

func (e uncheckedError) Unwrap() error { return e.error }

// A usageError means that the command line itself is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// A silentError ends the command with exit code 1 when everything has been
// said already.
type silentError struct{}

func (silentError) Error() string { return "failed" }
