package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/indexverifier"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
	"github.com/urfave/cli/v2"
)

// defaultIndexVerifierListen is neither serve's address nor a witness's.
const defaultIndexVerifierListen = "127.0.0.1:8082"

// How patiently the logs' files are asked for. The log asks again by itself.
const (
	verifierAttempts = 3
	verifierTimeout  = 20 * time.Second
)

// indexVerifierPrefix begins the names of the variables of `tallyroot index-verifier`.
const indexVerifierPrefix = variablePrefix + "INDEX_VERIFIER_"

func indexVerifierCommand() *cli.Command {
	return &cli.Command{
		Name:  "index-verifier",
		Usage: "rebuild a log's history index, and cosign what is so",
		Description: "Runs a cosigner of an index log (C2SP tlog-witness) that rebuilds the history index itself:\n" +
			"it reads the log's entries and every leaf of the index log from URL/log/ and URL/index/, and\n" +
			"cosigns an index checkpoint only after each leaf of it was found to be what the entries give.\n" +
			"Whoever trusts it need not believe the log's operator that nothing is missing from a history.\n\n" +
			"The first start makes DIRECTORY and the key, in the name that --name says: a URL without its\n" +
			"scheme, which is yours. It prints \"index-verifier NAME listening on URL, key VKEY\" when it is\n" +
			"ready, and begins to rebuild. Give the key and the address to the log's operator, for the index\n" +
			"policy (`witness NAME VKEY URL`), and the key to readers: `tallyroot verify --index-verifier VKEY`.\n\n" +
			"What was rebuilt lies in DIRECTORY/rebuilt and may be deleted while it does not run. The rest of\n" +
			"DIRECTORY is what it has cosigned: never restore that from a backup, and never run a copy of it.\n" +
			"What a claim that is not so was refused for stands in DIRECTORY/rebuilt/refuted.\n\n" +
			"Each flag can be said by a variable too: --url by TALLYROOT_INDEX_VERIFIER_URL.\n\n" +
			"Examples:\n" +
			"  tallyroot index-verifier --data verifier --name verifier.example.org/i1 \\\n" +
			"    --log-key log.vkey --index-key index.vkey --url https://trace.example.com",
		Flags: withVariables(indexVerifierPrefix, append(cosignerFlags(defaultIndexVerifierListen),
			&cli.StringFlag{Name: "url", Usage: "read the log and the index log below `URL`, that of the service or of a mirror"},
			&cli.StringSliceFlag{Name: "log-key", Usage: "the log's verifier key, `VKEY|FILE`; twice while it is being changed", TakesFile: true},
			&cli.StringSliceFlag{Name: "index-key", Usage: "the index log's verifier key, `VKEY|FILE`", TakesFile: true},
		)...),
		Action: runIndexVerifier,
	}
}

func runIndexVerifier(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	ctx, end := witnessContext(c)
	defer end()
	dir := c.String("data")
	if dir == "" {
		return usagef("tallyroot index-verifier needs --data DIRECTORY: where its key and what it has rebuilt lie, or will lie")
	}
	options := indexverifier.Options{Dir: filepath.Join(dir, "rebuilt")}
	if len(c.StringSlice("log-key")) == 0 || len(c.StringSlice("index-key")) == 0 {
		return usagef("tallyroot index-verifier needs --log-key VKEY|FILE and --index-key VKEY|FILE: the verifier keys of the log and of its index log (its operator has them as log.vkey and index.vkey)")
	}
	logs, err := readLogs(c, "log-key")
	if err != nil {
		return err
	}
	indexLogs, err := readLogs(c, "index-key")
	if err != nil {
		return err
	}
	options.LogKeys, options.IndexKeys = keysOf(logs), keysOf(indexLogs)
	if options.Log, options.Index, err = logSources(c.String("url"), fetch.HTTPOptions{Attempts: verifierAttempts, Timeout: verifierTimeout}); err != nil {
		return err
	}
	tlsConfig, err := serveTLS(c.String("tls-cert"), c.String("tls-key"))
	if err != nil {
		return err
	}
	options.Logger = newLogger(c)
	options.Pebble = pebblelog.Logger{To: options.Logger}
	warnOfVariables(c.App, options.Logger)
	if err := debugWitness(ctx, c, options.Logger); err != nil {
		return err
	}
	return serveIndexVerifier(ctx, options, witnessConfig{
		Witness: witness.Options{Dir: dir, Name: c.String("name"), Role: indexverifier.Role, Logs: indexLogs, Logger: options.Logger},
		Listen:  c.String("listen"), TLS: tlsConfig,
	})
}

func keysOf(logs []witness.Log) (keys []string) {
	for _, l := range logs {
		keys = append(keys, l.Key)
	}
	return keys
}

// serveIndexVerifier runs the cosigner until ctx ends. Its folder is taken before what
// was rebuilt is opened.
func serveIndexVerifier(ctx context.Context, o indexverifier.Options, c witnessConfig) (err error) {
	var v *indexverifier.Verifier // there before anybody is answered
	c.Witness.Verify = func(ctx context.Context, c checkpoint.Checkpoint, signed []byte) error {
		return v.Verify(ctx, c, signed)
	}
	c.Metrics = indexVerifierMetrics(func() indexverifier.Status { return v.Status() })
	s, err := openWitness(ctx, c)
	if err != nil {
		return err
	}
	if v, err = indexverifier.Open(o); err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	fmt.Printf("index-verifier %s listening on %s, key %s\n", s.Name(), s.URL(), s.Witness.Verifier())
	return s.Run(ctx)
}

// indexVerifierMetrics are beside those of every witness.
func indexVerifierMetrics(status func() indexverifier.Status) []prometheus.Collector {
	gauge := func(name, help string, value func(indexverifier.Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tallyroot_index_verifier_" + name, Help: help},
			func() float64 { return value(status()) })
	}
	return []prometheus.Collector{
		gauge("entries", "Entries of the log that the rebuilt map has.", func(s indexverifier.Status) float64 { return float64(s.Entries) }),
		gauge("leaves", "Leaves of the index log that were found to be so.", func(s indexverifier.Status) float64 { return float64(s.Leaves) }),
		gauge("blocked", "1 while the newest index checkpoint cannot be verified, because the log cannot be read or the claim is not so.", func(s indexverifier.Status) float64 {
			if s.Err != nil {
				return 1
			}
			return 0
		}),
		gauge("refuted", "1 once an index checkpoint claimed what is not so: the proof is kept.", func(s indexverifier.Status) float64 {
			if s.Refuted {
				return 1
			}
			return 0
		}),
	}
}

// logSources are where the files of a log and of its index log are read, below the URL
// of a service or of a mirror.
func logSources(base string, o fetch.HTTPOptions) (log, index fetch.Source, err error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, nil, usagef("%q is not where a service is: write it like https://trace.example.org", base)
	}
	base = strings.TrimSuffix(base, "/")
	if log, err = fetch.HTTP(base+"/log/", o); err != nil {
		return nil, nil, err
	}
	index, err = fetch.HTTP(base+"/index/", o)
	return log, index, err
}
