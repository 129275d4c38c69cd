package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/urfave/cli/v2"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the service",
		Description: "Serves REST, gRPC and pages on one port. The first start makes the data directory with\n" +
			"the log's keys: log.vkey and operator.vkey are what verifiers need, admin.token is the\n" +
			"administrator's token. It prints \"listening on …\" when it is ready, and ends cleanly on\n" +
			"SIGTERM.\n\n" +
			"The log itself lies in the data directory, unless --mysql or --trillian says where else:\n" +
			"--mysql alone runs Trillian in this process on a database, --trillian alone on Trillian's\n" +
			"own log server and signer, and with both, what the service remembers beside the log is in\n" +
			"the database too. `tallyroot schema apply` prepares the database, `tallyroot log copy`\n" +
			"moves a log from one to another.\n\n" +
			"--policy says how a published checkpoint must be witnessed, in the text of C2SP's\n" +
			"tlog-policy; \"none\" says that nobody vouches for this log but its operator. It must be\n" +
			"said: readers trust by it. A policy with witnesses names the log's key, which `tallyroot log key`\n" +
			"makes before the first start. Their cosignatures are asked for, and what no quorum of them has\n" +
			"cosigned is not published: events are then taken (202), and provable when witnesses are back.\n" +
			"--index-policy is the same for the history index, which proves that nothing is missing from a\n" +
			"history: its log has a key and witnesses of its own, and is late without holding up the other.\n\n" +
			"--mirror answers from a copy that `tallyroot mirror` has made, with all proofs and without the\n" +
			"log, its keys or a database, and takes nothing; --mirror-from goes on copying meanwhile.\n\n" +
			"Keep --last-checkpoint and --last-index-checkpoint out of the backup that DIR and the database\n" +
			"are restored from: they are what notices that a log was put back to an older state.\n\n" +
			"Each flag can be said by a variable too, which the flag overrides; one that is set to\n" +
			"nothing is not set. `tallyroot config show` prints what is in force.\n\n" +
			"Examples:\n" +
			"  tallyroot serve --data data --origin log.example.org --public-url http://127.0.0.1:8080 --policy none\n" +
			"  tallyroot serve --data /var/lib/tallyroot --listen :443 --origin log.example.org \\\n" +
			"    --public-url https://trace.example.org --policy policy.txt --tls-cert cert.pem --tls-key key.pem\n" +
			"  tallyroot serve --data /var/lib/tallyroot --origin log.example.org --policy none \\\n" +
			"    --mysql 'tallyroot@tcp(db.example.org:3306)/tallyroot' --mysql-password-file db.password",
		Flags:  slices.Concat(settingFlags(), mirrorFlags(), fromEnvironment(&cli.BoolFlag{Name: "json", Usage: "log in JSON, for programs", Category: categoryOutput})),
		Action: serve,
	}
}

// settingFlags are serve's, but for --json.
func settingFlags() []cli.Flag {
	return slices.Concat(dataFlags(), placeFlags(), timeoutFlags(), witnessingFlags(), fromEnvironment(
		&cli.StringFlag{Name: "listen", Usage: "take connections at `HOST:PORT`; port 0 is a free one", Value: defaultListen},
		&cli.StringFlag{Name: "public-url", Usage: "the `URL` under which shoppers reach this service; it stands in QR codes", DefaultText: "the address that it listens at"},
		&cli.StringSliceFlag{Name: "index-verifier", Usage: "tell readers that `WITNESS` of --index-policy, by its name there, rebuilds the index before it cosigns; may be repeated"},
		&cli.StringFlag{Name: "tls-cert", Usage: "the certificate's `FILE`, PEM; without it connections are plain text", TakesFile: true},
		&cli.StringFlag{Name: "tls-key", Usage: "the certificate's private key's `FILE`, PEM", TakesFile: true},
		&cli.Float64Flag{Name: "rate-limit", Usage: "take so many requests a second, `N`, from one client address; 0 is no limit", Value: 500},
		&cli.Uint64Flag{Name: "min-free", Usage: "take nothing when the disk has fewer free `MIB` than this", DefaultText: "256, or a tenth of a smaller disk"},
		&cli.DurationFlag{Name: "read-timeout", Usage: "end a request whose body takes longer than `DURATION`", DefaultText: "1m"},
		&cli.DurationFlag{Name: "write-timeout", Usage: "end a request whose answer takes longer than `DURATION`", DefaultText: "2m30s"},
		&cli.DurationFlag{Name: "drain-timeout", Usage: "at the end, wait for requests under way at most `DURATION`", DefaultText: "15s"},
		&cli.StringFlag{Name: "debug-listen", Usage: "give profiles, under /debug/pprof/, at `HOST:PORT`, a loopback address", DefaultText: "nowhere"},
		&cli.BoolFlag{Name: "verbose", Usage: "log every request", Category: categoryOutput},
	))
}

// dataFlags say which log, for the commands that open one themselves.
func dataFlags() []cli.Flag {
	return append(append(directoryFlags(), indexDirectoryFlags()...), fromEnvironment(
		&cli.StringFlag{Name: "origin", Usage: "the log's `NAME`, such as log.example.org; it stands in everything that is signed, for good"},
		&cli.StringFlag{Name: "policy", Usage: "the `FILE` of the policy that published checkpoints meet, or \"none\"", TakesFile: true},
		&cli.StringFlag{Name: "index-policy", Usage: "the `FILE` of the policy that the history index's published checkpoints meet, or \"none\"", DefaultText: "none if --policy is none", TakesFile: true},
	)...)
}

// directoryFlags say where the data of a log is that is there already.
func directoryFlags() []cli.Flag {
	return fromEnvironment(
		&cli.StringFlag{Name: "data", Usage: "the `DIRECTORY` of the log's data", TakesFile: true},
		&cli.StringFlag{Name: "last-checkpoint", Usage: "keep the last signed checkpoint in `FILE`", DefaultText: "last-checkpoint in --data", TakesFile: true},
	)
}

// indexDirectoryFlags say where what the index log keeps is.
func indexDirectoryFlags() []cli.Flag {
	return fromEnvironment(
		&cli.StringFlag{Name: "last-index-checkpoint", Usage: "keep the index log's last signed checkpoint in `FILE`", DefaultText: "last-index-checkpoint beside --last-checkpoint", TakesFile: true},
	)
}

// logConfig reads dataFlags.
func logConfig(c *cli.Context) (config provenance.Config, err error) {
	config = provenance.Config{Dir: c.String("data"), Origin: c.String("origin")}
	config.LastCheckpoint = lastCheckpointFile(c.String("last-checkpoint"), config.Dir)
	config.LastIndexCheckpoint = lastIndexCheckpointFile(c.String("last-index-checkpoint"), config.LastCheckpoint)
	if config.Dir == "" {
		return config, usagef("%s needs --data DIRECTORY: where the log's data lies, or will lie", c.Command.HelpName)
	}
	if config.Origin == "" {
		return config, usagef("%s needs --origin NAME: the log's name, such as a domain that is yours (log.example.org). It stands in everything that is signed and cannot be changed later", c.Command.HelpName)
	}
	if err := entry.CheckOrigin(config.Origin); err != nil {
		return config, usagef("--origin: %w", err)
	}
	file := c.String("policy")
	if file == "" {
		return config, usagef("%s needs --policy FILE, which names the witnesses that must have seen a checkpoint before it is published, "+
			"or --policy none, which says that nobody vouches for this log but its operator. "+
			"Readers trust a log by its policy, so it is never assumed", c.Command.HelpName)
	}
	if config.Policy, err = policyText(file); err != nil {
		return config, err
	}
	indexFile := c.String("index-policy")
	if indexFile == "" && file != "none" {
		return config, usagef("%s needs --index-policy FILE beside --policy FILE: the policy of the history index, whose log has a key of its own (`tallyroot log key --index-log`). "+
			"Its witnesses are other ones where index-verifiers stand in it. --index-policy none says that nobody vouches for the index but the operator", c.Command.HelpName)
	}
	config.IndexPolicy, err = policyText(indexFile)
	return config, err
}

// policyText reads a policy's file; nil stands for "none".
func policyText(file string) ([]byte, error) {
	if file == "" || file == "none" {
		return nil, nil
	}
	return readSmallFile(file, policy.MaxSize)
}

// witnessingFlags say how the policy's witnesses are asked.
func witnessingFlags() []cli.Flag {
	return fromEnvironment(
		&cli.BoolFlag{Name: "witness-http", Usage: "ask witnesses of other machines without TLS too, in a network of one's own", Category: categoryWitnesses},
		&cli.DurationFlag{Name: "witness-timeout", Usage: "end a request to a witness that takes longer than `DURATION`", Value: quorum.DefaultTimeout, Category: categoryWitnesses},
		&cli.DurationFlag{Name: "witness-patience", Usage: "say that witnesses are missing when they have not cosigned within `DURATION`; they are asked on", Value: quorum.DefaultPatience, Category: categoryWitnesses},
		&cli.DurationFlag{Name: "cosign-every", Usage: "have the witnesses cosign again after `DURATION` in which nothing was logged", Value: trillianlog.DefaultCosignEvery, Category: categoryWitnesses},
	)
}

// readWitnessing reads witnessingFlags.
func readWitnessing(c *cli.Context) (provenance.Witnessing, error) {
	w := provenance.Witnessing{
		AllowHTTP: c.Bool("witness-http"), Timeout: c.Duration("witness-timeout"), Patience: c.Duration("witness-patience"), Every: c.Duration("cosign-every"),
	}
	for name, d := range map[string]time.Duration{"witness-timeout": w.Timeout, "witness-patience": w.Patience, "cosign-every": w.Every} {
		if d <= 0 {
			return w, usagef("--%s %v: it has to be longer than nothing", name, d)
		}
	}
	if w.Every >= policy.DefaultMaxAge {
		return w, usagef("--cosign-every %v: readers refuse what was witnessed more than %v ago", w.Every, policy.DefaultMaxAge)
	}
	return w, nil
}

func serve(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.IsSet("mirror") || c.IsSet("mirror-from") {
		return serveMirror(c)
	}
	config, err := logConfig(c)
	if err != nil {
		return err
	}
	if config.Witnessing, err = readWitnessing(c); err != nil {
		return err
	}
	if err := readTimeouts(c, &config); err != nil {
		return err
	}
	if c.IsSet("min-free") {
		config.MinFree = max(c.Uint64("min-free")<<20, 1)
	}
	config.Logger = newLogger(c)
	front, err := readFront(c)
	if err != nil {
		return err
	}
	front.Log = config
	if err := checkIndexVerifiers(config.IndexPolicy, front.IndexVerifiers); err != nil {
		return err
	}
	if front.Place, err = readPlace(c, config.Logger); err != nil {
		return err
	}
	if err := beginServing(c, config.Logger); err != nil {
		return err
	}
	s, err := openServer(c.Context, front)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", s.URL())
	return s.Run(c.Context)
}

// checkIndexVerifiers finds a name that is not in the policy before anything is opened
// or made.
func checkIndexVerifiers(indexPolicy []byte, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var p *policy.Policy
	if indexPolicy != nil {
		var err error
		if p, err = policy.Parse(indexPolicy); err != nil {
			return fmt.Errorf("--index-policy: %w", err)
		}
	}
	_, err := indexVerifiers(p, names)
	return err
}

// readFront reads what a server shows to others.
func readFront(c *cli.Context) (s serverConfig, err error) {
	if s.PublicURL, err = checkPublicURL(c.String("public-url")); err != nil {
		return s, err
	}
	if s.TLS, err = serveTLS(c.String("tls-cert"), c.String("tls-key")); err != nil {
		return s, err
	}
	rate := c.Float64("rate-limit")
	if rate == 0 {
		rate = -1 // the gateway's word for no limit
	}
	s.Listen, s.IndexVerifiers = c.String("listen"), c.StringSlice("index-verifier")
	s.Limits = gateway.Limits{
		ClientRate: rate, ReadTimeout: c.Duration("read-timeout"), WriteTimeout: c.Duration("write-timeout"), DrainTimeout: c.Duration("drain-timeout"),
	}
	return s, nil
}

// beginServing does what every server does before it opens anything.
func beginServing(c *cli.Context, logger *slog.Logger) error {
	warnOfVariables(c.App, logger)
	address := c.String("debug-listen")
	if address == "" {
		return nil
	}
	listener, err := listenDebug(c.Context, address)
	if err != nil {
		return err
	}
	go serveDebug(c.Context, listener, logger)
	return nil
}

// warnOfVariables tells of settings that were probably mistyped.
func warnOfVariables(app *cli.App, logger *slog.Logger) {
	unknown := unknownVariables(app)
	for _, name := range sorted(unknown) {
		logger.Warn("a variable is set that nothing reads", "variable", name, "meant", unknown[name])
	}
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
