package policy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrMalformed is what every error about the form of a policy wraps.
var ErrMalformed = errors.New("malformed policy")

// Parse reads a policy file. An error names the line. The last line may lack its
// newline.
func Parse(text []byte) (*Policy, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes; the limit is %d", ErrMalformed, len(text), MaxSize)
	}
	r := reader{defined: map[string]bool{}, member: map[string]bool{}}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if err := r.line(strings.TrimSuffix(string(line), "\n")); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrMalformed, n, err)
		}
	}
	if r.policy.quorum == "" {
		return nil, fmt.Errorf("%w: no quorum line; a policy that asks for no witness says \"quorum none\"", ErrMalformed)
	}
	return &r.policy, nil
}

// A reader takes the lines of a policy one by one.
type reader struct {
	policy  Policy
	defined map[string]bool // names of witnesses and groups so far
	member  map[string]bool // those that stand in a group
}

func (r *reader) line(line string) error {
	for i := range len(line) {
		if c := line[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return fmt.Errorf("control character %#02x", c)
		}
	}
	// Only space and tab separate; other Unicode spaces are part of a word.
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(words) == 0 || words[0][0] == '#' {
		return nil
	}
	switch keyword, words := words[0], words[1:]; keyword {
	case "log":
		return r.policy.addLog(words)
	case "witness":
		return r.witness(words)
	case "group":
		return r.group(words)
	case "quorum":
		return r.quorum(words)
	default:
		return fmt.Errorf("%.80q is not log, witness, group or quorum", keyword)
	}
}

func (p *Policy) addLog(words []string) error {
	if len(words) != 1 && len(words) != 2 {
		return errors.New("want: log <vkey> [<url>]")
	}
	if len(p.logs) == MaxLogs {
		return fmt.Errorf("more than %d logs", MaxLogs)
	}
	key, err := parseKey(words[0], typeEd25519)
	if err != nil {
		return fmt.Errorf("the log's key %w", err)
	}
	for _, l := range p.logs {
		if samePublicKey(l.verifier, key) {
			return fmt.Errorf("the log's public key stands on an earlier line (%s)", l.Key)
		}
	}
	p.logs = append(p.logs, Log{Key: words[0], URL: optional(words, 1), verifier: key})
	return nil
}

func (r *reader) witness(words []string) error {
	if len(words) != 2 && len(words) != 3 {
		return errors.New("want: witness <name> <vkey> [<url>]")
	}
	if len(r.policy.witnesses) == MaxWitnesses {
		return fmt.Errorf("more than %d witnesses", MaxWitnesses)
	}
	name := words[0]
	key, err := parseKey(words[1], typeCosignature)
	if err != nil {
		return fmt.Errorf("the key of witness %q %w", name, err)
	}
	for _, w := range r.policy.witnesses {
		if samePublicKey(w.verifier, key) {
			return fmt.Errorf("the public key of witness %q is that of witness %q; one witness may not count twice", name, w.Name)
		}
	}
	if err := r.define(name); err != nil {
		return err
	}
	r.policy.witnesses = append(r.policy.witnesses, Witness{Name: name, Key: words[1], URL: optional(words, 2), verifier: key})
	return nil
}

func (r *reader) group(words []string) error {
	if len(words) < 3 {
		return errors.New("want: group <name> all|any|<k> and at least one member")
	}
	if len(r.policy.groups) == MaxGroups {
		return fmt.Errorf("more than %d groups", MaxGroups)
	}
	g := group{name: words[0], members: slices.Clone(words[2:])}
	switch words[1] {
	case "any":
		g.k = 1
	case "all":
		g.k = len(g.members)
	default:
		k, err := strconv.ParseUint(words[1], 10, 16)
		if err != nil || strconv.FormatUint(k, 10) != words[1] || k < 1 || k > uint64(len(g.members)) {
			return fmt.Errorf("the threshold %.20q of group %q is not all, any or a number from 1 to %d, its members", words[1], g.name, len(g.members))
		}
		g.k = int(k)
	}
	for _, name := range g.members {
		switch {
		case !r.defined[name]:
			return fmt.Errorf("the member %q of group %q is no witness or group of an earlier line", name, g.name)
		case r.member[name]:
			return fmt.Errorf("%q is a member twice; each witness and group may count once", name)
		}
		r.member[name] = true
	}
	if err := r.define(g.name); err != nil {
		return err
	}
	r.policy.groups = append(r.policy.groups, g)
	return nil
}

func (r *reader) quorum(words []string) error {
	switch {
	case len(words) != 1:
		return errors.New("want: quorum <witness or group>, or: quorum none")
	case r.policy.quorum != "":
		return errors.New("a second quorum line; a policy has one")
	case words[0] != noWitness && !r.defined[words[0]]:
		return fmt.Errorf("the quorum %q is no witness or group of an earlier line", words[0])
	}
	r.policy.quorum = words[0]
	return nil
}

func (r *reader) define(name string) error {
	switch {
	case name == noWitness:
		return errors.New("the name \"none\" is reserved for the quorum")
	case r.defined[name]:
		return fmt.Errorf("the name %q is taken by an earlier line", name)
	}
	r.defined[name] = true
	return nil
}

// optional gives the i-th word, empty if there are fewer.
func optional(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}
