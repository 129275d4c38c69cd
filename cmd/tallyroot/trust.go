package main

import (
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/urfave/cli/v2"
)

// trustFlags say whom a reader trusts. They stand on every command that checks what
// a log says.
func trustFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "policy", Usage: "trust the log by the policy in `FILE`", TakesFile: true},
		&cli.StringFlag{Name: "log-key", Usage: "trust the log's verifier key in `FILE`; alone, no witness is asked for", TakesFile: true},
		&cli.StringFlag{Name: "index-policy", Usage: "trust the index log by the policy in `FILE`; otherwise the log's first entry names its key, and no witness is asked for", TakesFile: true},
		&cli.StringSliceFlag{Name: "index-verifier", Usage: "`WITNESS` of --index-policy, by its name or key there, rebuilds the index from the log before it cosigns; may stand more than once"},
		&cli.StringFlag{Name: "operator-key", Usage: "trust the operator's verifier key in `FILE`; otherwise the log's first entry says it", TakesFile: true},
	}
}

// readTrust makes the trust that the flags say, without a clock. Its errors say that
// nothing could be checked.
func readTrust(c *cli.Context) (trust verify.Trust, err error) {
	if !c.IsSet("policy") && !c.IsSet("log-key") {
		return trust, usagef("%s needs to know whom you trust: --policy FILE, or --log-key FILE with the log's verifier key "+
			"(the service's data directory has it as log.vkey)", c.Command.HelpName)
	}
	if trust.Policy, err = readPolicy(c.String("policy"), c.String("log-key")); err != nil {
		return trust, uncheckedError{err}
	}
	if file := c.String("index-policy"); file != "" {
		if trust.IndexPolicy, err = readPolicyFile(file); err != nil {
			return trust, uncheckedError{err}
		}
	}
	if trust.IndexVerifiers, err = indexVerifiers(trust.IndexPolicy, c.StringSlice("index-verifier")); err != nil {
		return trust, err
	}
	if file := c.String("operator-key"); file != "" {
		if trust.OperatorKey, err = readOneLine(file); err != nil {
			return trust, uncheckedError{err}
		}
	}
	if err := trust.Check(); err != nil {
		return trust, usageError{err}
	}
	return trust, nil
}

// indexVerifiers gives the keys of witnesses of the index log's policy that are named
// there so, or whose keys are given.
func indexVerifiers(p *policy.Policy, names []string) (keys []string, err error) {
	if p == nil {
		if len(names) > 0 {
			return nil, usagef("--index-verifier names a witness of --index-policy, and there is no --index-policy")
		}
		return nil, nil
	}
	known := make([]string, 0, len(p.Witnesses()))
	byName := map[string]string{}
	for _, w := range p.Witnesses() {
		known = append(known, w.Name)
		byName[w.Name], byName[w.Key] = w.Key, w.Key
	}
	for _, name := range names {
		key, ok := byName[name]
		if !ok {
			return nil, usagef("--index-verifier %q is no witness of --index-policy, which has: %s", name, strings.Join(known, ", "))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// readPolicy makes the policy that a policy's file and a file with a log's key say.
func readPolicy(policyFile, keyFile string) (*policy.Policy, error) {
	var key string
	var err error
	if keyFile != "" {
		if key, err = readOneLine(keyFile); err != nil {
			return nil, err
		}
	}
	if policyFile == "" {
		p, err := policy.None(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyFile, err)
		}
		return p, nil
	}
	p, err := readPolicyFile(policyFile)
	if err != nil {
		return nil, err
	}
	if key != "" && !p.HasLog(key) {
		return nil, fmt.Errorf("%s does not name the log's key in %s", policyFile, keyFile)
	}
	return p, nil
}

func readPolicyFile(file string) (*policy.Policy, error) {
	text, err := readSmallFile(file, policy.MaxSize)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", inputName(file), err)
	}
	return p, nil
}

// readOneLine reads a file that holds one line.
func readOneLine(file string) (string, error) {
	text, err := readSmallFile(file, 1<<12)
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(text))
	if line == "" || strings.Contains(line, "\n") {
		return "", fmt.Errorf("%s holds no verifier key: one line is wanted, such as log.example.org+8b4f8a1c+AY…", inputName(file))
	}
	return line, nil
}
