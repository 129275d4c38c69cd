package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	secrets "github.com/tallyroot/tallyroot/provenance/credentials/embedded"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
	"github.com/urfave/cli/v2"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the service",
		Description: "Serves REST, gRPC and pages on one port, on a log that lies in one directory. The first\n" +
			"start makes the directory with the log's keys: log.vkey and operator.vkey are what\n" +
			"verifiers need, admin.token is the administrator's token. It prints \"listening on …\"\n" +
			"when it is ready, and ends cleanly on SIGTERM.\n\n" +
			"--policy says how a published checkpoint must be witnessed, in the text of C2SP's\n" +
			"tlog-policy; \"none\" says that nobody vouches for this log but its operator. It must be\n" +
			"said: readers trust by it.\n\n" +
			"Keep --last-checkpoint out of the backup that DIR is restored from: it is what notices\n" +
			"that the log was put back to an older state.\n\n" +
			"Examples:\n" +
			"  tallyroot serve --data data --origin log.example.org --public-url http://127.0.0.1:8080 --policy none\n" +
			"  tallyroot serve --data /var/lib/tallyroot --listen :443 --origin log.example.org \\\n" +
			"    --public-url https://trace.example.org --policy policy.txt --tls-cert cert.pem --tls-key key.pem",
		Flags: append(dataFlags(),
			&cli.StringFlag{Name: "listen", Usage: "take connections at `HOST:PORT`; port 0 is a free one", Value: defaultListen},
			&cli.StringFlag{Name: "public-url", Usage: "the `URL` under which shoppers reach this service; it stands in QR codes. By default the address that it listens at"},
			&cli.StringFlag{Name: "tls-cert", Usage: "the certificate's `FILE`, PEM; without it connections are plain text", TakesFile: true},
			&cli.StringFlag{Name: "tls-key", Usage: "the certificate's private key's `FILE`, PEM", TakesFile: true},
			&cli.Float64Flag{Name: "rate-limit", Usage: "take so many requests a second, `N`, from one client address; 0 is no limit", Value: 500},
			&cli.Uint64Flag{Name: "min-free", Usage: "take nothing when the disk has fewer free `MIB` than this; by default 256, or a tenth of a smaller disk"},
			&cli.DurationFlag{Name: "read-timeout", Usage: "end a request whose body takes longer than `DURATION`", Value: 0, DefaultText: "1m"},
			&cli.DurationFlag{Name: "write-timeout", Usage: "end a request whose answer takes longer than `DURATION`", Value: 0, DefaultText: "2m30s"},
			&cli.DurationFlag{Name: "drain-timeout", Usage: "at the end, wait for requests under way at most `DURATION`", Value: 0, DefaultText: "15s"},
			&cli.BoolFlag{Name: "verbose", Usage: "log every request", Category: categoryOutput},
			&cli.BoolFlag{Name: "json", Usage: "log in JSON, for programs", Category: categoryOutput},
		),
		Action: serve,
	}
}

// dataFlags say which log, for the commands that open one themselves.
func dataFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Usage: "the `DIRECTORY` of the log's data", TakesFile: true},
		&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`, such as log.example.org; it stands in everything that is signed, for good"},
		&cli.StringFlag{Name: "policy", Usage: "the `FILE` of the policy that published checkpoints meet, or \"none\"", TakesFile: true},
		&cli.StringFlag{Name: "last-checkpoint", Usage: "keep the last signed checkpoint in `FILE`; by default last-checkpoint in --data", TakesFile: true},
	}
}

// logConfig reads dataFlags.
func logConfig(c *cli.Context) (provenance.Config, error) {
	config := provenance.Config{
		Dir: c.String("data"), Origin: c.String("origin"), LastCheckpoint: c.String("last-checkpoint"),
		Backend: openEmbedded, Credentials: openSecrets,
	}
	if config.Dir == "" {
		return config, usagef("%s needs --data DIRECTORY: where the log's data lies, or will lie", c.Command.HelpName)
	}
	if config.Origin == "" {
		return config, usagef("%s needs --origin NAME: the log's name, such as a domain that is yours (log.example.org). It stands in everything that is signed and cannot be changed later", c.Command.HelpName)
	}
	if err := entry.CheckOrigin(config.Origin); err != nil {
		return config, usagef("--origin: %w", err)
	}
	policy := c.String("policy")
	if policy == "" {
		return config, usagef("%s needs --policy FILE, which names the witnesses that must have seen a checkpoint before it is published, "+
			"or --policy none, which says that nobody vouches for this log but its operator. "+
			"Readers trust a log by its policy, so it is never assumed", c.Command.HelpName)
	}
	if policy != "none" {
		text, err := readSmallFile(policy, 1<<20)
		if err != nil {
			return config, err
		}
		config.Policy = text
	}
	return config, nil
}

// openEmbedded is the Trillian that runs in this process. When its files are
// damaged, what is published is served all the same.
func openEmbedded(ctx context.Context, dir string) (trillianlog.Backend, error) {
	backend, err := embedded.Open(ctx, dir, embedded.Options{})
	if errors.Is(err, embedded.ErrUnreadable) {
		return trillianlog.Unusable(err), nil
	}
	if err != nil {
		return nil, err
	}
	return backend, nil
}

// openSecrets is the store of tokens and managed keys in the data directory.
func openSecrets(dir string) (credentials.Store, error) { return secrets.Open(dir, slog.Default()) }

func serve(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	config, err := logConfig(c)
	if err != nil {
		return err
	}
	publicURL, err := checkPublicURL(c.String("public-url"))
	if err != nil {
		return err
	}
	tlsConfig, err := serveTLS(c.String("tls-cert"), c.String("tls-key"))
	if err != nil {
		return err
	}
	if c.IsSet("min-free") {
		config.MinFree = max(c.Uint64("min-free")<<20, 1)
	}
	config.Logger = newLogger(c)
	rate := c.Float64("rate-limit")
	if rate == 0 {
		rate = -1 // the gateway's word for no limit
	}
	s, err := openServer(c.Context, serverConfig{
		Log: config, Listen: c.String("listen"), PublicURL: publicURL, TLS: tlsConfig,
		Limits: gateway.Limits{
			ClientRate: rate, ReadTimeout: c.Duration("read-timeout"), WriteTimeout: c.Duration("write-timeout"), DrainTimeout: c.Duration("drain-timeout"),
		},
	})
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", s.URL())
	return s.Run(c.Context)
}

// newLogger writes to standard error: standard output has the one line that
// scripts wait for.
func newLogger(c *cli.Context) *slog.Logger {
	level := slog.LevelInfo
	if c.Bool("verbose") {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Bool("json") {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func checkPublicURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", usagef("--public-url %q: write it like https://trace.example.org", text)
	}
	return strings.TrimSuffix(text, "/"), nil
}

func serveTLS(cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, usagef("--tls-cert and --tls-key go together: the certificate and its private key")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", cert, key, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
