package witness

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// Limits on what a witness follows.
const (
	MaxLogs     = 10_000
	MaxLogKeys  = 4 // keys of one log, at once
	MaxListSize = 8 << 20
)

// A Log is a log that a witness follows: one of its keys, whose name is its origin.
// While a log changes its key, it stands there twice.
type Log struct {
	Key string // vkey (Ed25519)
	URL string // where its files are; may be empty, the witness does not read it
}

// Origin is the log's name.
func (l Log) Origin() string {
	origin, _, _ := strings.Cut(l.Key, "+")
	return origin
}

// ParseLogs reads a list of logs: the log lines of a https://c2sp.org/tlog-policy,
//
//	log <vkey> [<url>]
//
// with its comments (#) and blank lines, and nothing else. An error names the line.
func ParseLogs(text []byte) ([]Log, error) {
	if len(text) > MaxListSize {
		return nil, fmt.Errorf("list of logs: %d bytes; the limit is %d", len(text), MaxListSize)
	}
	var logs []Log
	n := 0
	for line := range bytes.Lines(text) {
		n++
		l, found, err := parseLog(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			return nil, fmt.Errorf("list of logs: line %d: %w", n, err)
		}
		if found {
			logs = append(logs, l)
		}
	}
	if _, err := verifiers(logs); err != nil {
		return nil, fmt.Errorf("list of logs: %w", err)
	}
	return logs, nil
}

func parseLog(line string) (l Log, found bool, err error) {
	for i := range len(line) {
		if c := line[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return Log{}, false, fmt.Errorf("control character %#02x", c)
		}
	}
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	switch {
	case len(words) == 0 || words[0][0] == '#':
		return Log{}, false, nil
	case words[0] != "log" || len(words) < 2 || len(words) > 3:
		return Log{}, false, errors.New("want: log <vkey> [<url>]")
	}
	l = Log{Key: words[1]}
	if len(words) == 3 {
		l.URL = words[2]
	}
	_, err = l.verifier()
	return l, true, err
}

// verifier reads the key, as strictly as a policy does.
func (l Log) verifier() (note.Verifier, error) {
	if _, err := policy.None(l.Key); err != nil {
		return nil, fmt.Errorf("%.100q: %w", l.Origin(), err)
	}
	return note.NewVerifier(l.Key)
}

// verifiers gives the keys of each log by its origin. A key that stands there twice
// counts once.
func verifiers(logs []Log) (map[string][]note.Verifier, error) {
	byOrigin := make(map[string][]note.Verifier)
	seen := make(map[string]bool)
	for _, l := range logs {
		if seen[l.Key] {
			continue
		}
		seen[l.Key] = true
		v, err := l.verifier()
		if err != nil {
			return nil, err
		}
		byOrigin[v.Name()] = append(byOrigin[v.Name()], v)
		switch {
		case len(byOrigin[v.Name()]) > MaxLogKeys:
			return nil, fmt.Errorf("the log %s has more than %d keys", v.Name(), MaxLogKeys)
		case len(byOrigin) > MaxLogs:
			return nil, fmt.Errorf("more than %d logs", MaxLogs)
		}
	}
	return byOrigin, nil
}

// signedBy gives a log's signatures on a note, one by each of its keys that signed:
// at least one, and every one of them must hold.
func signedBy(n *checkpoint.Note, keys []note.Verifier) ([]checkpoint.Signature, error) {
	held, err := n.Verified(keys...)
	if err != nil {
		return nil, err
	}
	if len(held) == 0 {
		return nil, checkpoint.ErrUnsigned
	}
	var sigs []checkpoint.Signature
	seen := make(map[uint32]bool)
	for _, s := range held {
		if !seen[s.KeyID] {
			seen[s.KeyID] = true
			sigs = append(sigs, s)
		}
	}
	return sigs, nil
}
