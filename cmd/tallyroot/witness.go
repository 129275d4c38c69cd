package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
	"github.com/urfave/cli/v2"
)

// defaultWitnessListen is not serve's address: both may run on one machine.
const defaultWitnessListen = "127.0.0.1:8081"

// witnessPrefix begins the names of the variables of `tallyroot witness`, so that
// it may have one environment with serve.
const witnessPrefix = variablePrefix + "WITNESS_"

func witnessCommand() *cli.Command {
	return &cli.Command{
		Name:  "witness",
		Usage: "cosign the checkpoints of logs, for those who read them",
		Description: "Runs a witness (C2SP tlog-witness): a server that cosigns a log's checkpoint when a proof\n" +
			"shows that it continues the one before. Whoever trusts it need not believe the log's operator\n" +
			"that everybody is shown the same log. It says nothing of what the entries say.\n\n" +
			"The first start makes DIRECTORY and the witness's key, in the name that --name says: a URL\n" +
			"without its scheme, which is yours. It prints \"witness NAME listening on URL, key VKEY\" when\n" +
			"it is ready. Give the key and the address to the operators of the logs and to their readers:\n" +
			"`witness NAME VKEY URL` is the line of a policy. Others reach it with --listen and --tls-cert,\n" +
			"or through a proxy that speaks TLS.\n\n" +
			"--log-key is a log's verifier key, or a file of one (log.vkey), or of many: lines `log VKEY`.\n" +
			"Files are read again at SIGHUP; a log that is not named any more is not cosigned for, but what\n" +
			"was cosigned is remembered.\n\n" +
			"Never restore DIRECTORY from a backup, and never run a copy of it: a witness that forgets\n" +
			"vouches for two logs under one name. When it is lost, start a new one, with a new name.\n\n" +
			"Each flag can be said by a variable too: --log-key by TALLYROOT_WITNESS_LOG_KEY (several with\n" +
			"commas between them).\n\n" +
			"Examples:\n" +
			"  tallyroot witness --data witness --name witness.example.org/w1 --log-key log.vkey\n" +
			"  tallyroot witness --data /var/lib/witness --name witness.example.org/w1 --listen :443 \\\n" +
			"    --tls-cert cert.pem --tls-key key.pem --log-key /etc/witness/logs",
		Flags: withVariables(witnessPrefix,
			append(cosignerFlags(defaultWitnessListen),
				&cli.StringSliceFlag{Name: "log-key", Usage: "cosign for the log with the verifier key `VKEY|FILE`, in a file or said here; may be repeated", TakesFile: true},
			)...,
		),
		Action: runWitness,
	}
}

// cosignerFlags are those of every command that cosigns.
func cosignerFlags(listen string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "the `DIRECTORY` of the witness's key and of what it has cosigned", TakesFile: true},
		&cli.StringFlag{Name: "name", Usage: "the witness's `NAME`, such as witness.example.org/w1; for good, and needed at the first start alone"},
		&cli.StringFlag{Name: "listen", Usage: "take connections at `HOST:PORT`; port 0 is a free one", Value: listen},
		&cli.StringFlag{Name: "tls-cert", Usage: "the certificate's `FILE`, PEM; without it connections are plain text", TakesFile: true},
		&cli.StringFlag{Name: "tls-key", Usage: "the certificate's private key's `FILE`, PEM", TakesFile: true},
		&cli.StringFlag{Name: "debug-listen", Usage: "give profiles, under /debug/pprof/, at `HOST:PORT`, a loopback address", DefaultText: "nowhere"},
		&cli.BoolFlag{Name: "end-with-input", Usage: "end when standard input does, and not at the first signal, for a program that starts a witness"},
		&cli.BoolFlag{Name: "verbose", Usage: "log more", Category: categoryOutput},
		&cli.BoolFlag{Name: "json", Usage: "log in JSON, for programs", Category: categoryOutput},
	}
}

// witnessContext ends with the program's, or with --end-with-input when standard input
// does.
func witnessContext(c *cli.Context) (context.Context, context.CancelFunc) {
	if !c.Bool("end-with-input") {
		return c.Context, func() {}
	}
	ctx, end := context.WithCancel(context.WithoutCancel(c.Context))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	return ctx, end
}

// debugWitness opens --debug-listen.
func debugWitness(ctx context.Context, c *cli.Context, logger *slog.Logger) error {
	address := c.String("debug-listen")
	if address == "" {
		return nil
	}
	listener, err := listenDebug(ctx, address)
	if err != nil {
		return err
	}
	go serveDebug(ctx, listener, logger)
	return nil
}

func runWitness(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	ctx, end := witnessContext(c)
	defer end()
	dir := c.String("data")
	if dir == "" {
		return usagef("tallyroot witness needs --data DIRECTORY: where its key and what it has cosigned lie, or will lie")
	}
	if len(c.StringSlice("log-key")) == 0 {
		return usagef("tallyroot witness needs --log-key VKEY or --log-key FILE: the verifier key of a log to cosign for (its operator has it as log.vkey)")
	}
	logs, err := readLogs(c, "log-key")
	if err != nil {
		return err
	}
	tlsConfig, err := serveTLS(c.String("tls-cert"), c.String("tls-key"))
	if err != nil {
		return err
	}
	logger := newLogger(c)
	warnOfVariables(c.App, logger)
	if err := debugWitness(ctx, c, logger); err != nil {
		return err
	}
	s, err := openWitness(ctx, witnessConfig{
		Witness: witness.Options{Dir: dir, Name: c.String("name"), Logs: logs, Logger: logger},
		Listen:  c.String("listen"), TLS: tlsConfig,
	})
	if err != nil {
		return err
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP) // before anybody is told that it runs: without this the signal ends it
	defer signal.Stop(again)
	go rereadLogs(ctx, c, s.Witness, again, logger)
	fmt.Printf("witness %s listening on %s, key %s\n", s.Name(), s.URL(), s.Witness.Verifier())
	return s.Run(ctx)
}

// rereadLogs reads the logs' keys again whenever it is asked to. What cannot be read
// changes nothing.
func rereadLogs(ctx context.Context, c *cli.Context, w *witness.Server, again <-chan os.Signal, logger *slog.Logger) {
	for {
		select {
		case <-again:
		case <-ctx.Done():
			return
		}
		logs, err := readLogs(c, "log-key")
		if err == nil {
			err = w.SetLogs(logs)
		}
		if err != nil {
			logger.Error("the logs' keys cannot be read again; those from before stay", "error", err)
			continue
		}
		logger.Info("the logs' keys were read again", "keys", len(logs))
	}
}

// readLogs reads the values of --log-key, or of a flag like it.
func readLogs(c *cli.Context, flag string) (logs []witness.Log, err error) {
	for _, value := range c.StringSlice(flag) {
		more, err := readLogKeys(value)
		if err != nil {
			return nil, fmt.Errorf("--%s %.300s: %w", flag, value, err)
		}
		logs = append(logs, more...)
	}
	return logs, nil
}

// readLogKeys reads a verifier key, or a file that holds one, or lines of a policy
// with the logs in them and nothing else.
func readLogKeys(value string) ([]witness.Log, error) {
	if isLogKey(value) {
		return []witness.Log{{Key: value}}, nil
	}
	text, err := readSmallFile(value, witness.MaxListSize)
	if err != nil {
		return nil, fmt.Errorf("it is no verifier key (log.example.org+8b4f8a1c+AY…), and no file with one can be read: %w", err)
	}
	if key := strings.TrimSpace(string(text)); isLogKey(key) {
		return []witness.Log{{Key: key}}, nil
	}
	logs, err := witness.ParseLogs(text)
	if err == nil && len(logs) == 0 {
		err = fmt.Errorf("it names no log: want a verifier key, or lines such as log log.example.org+8b4f8a1c+AY…")
	}
	return logs, err
}

func isLogKey(text string) bool {
	_, err := policy.None(text)
	return err == nil
}
