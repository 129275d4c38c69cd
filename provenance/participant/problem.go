package participant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// ErrStatement says that a JSON object is not the statement that it should be.
// The error that wraps it is Problems.
var ErrStatement = errors.New("malformed statement")

// A Problem is one thing that is wrong with a statement: where, what, and what
// would be right.
type Problem struct{ Path, Wrong, Want string }

func (p Problem) String() string {
	if p.Path == "" {
		return p.Wrong + "; want " + p.Want
	}
	return p.Path + ": " + p.Wrong + "; want " + p.Want
}

// Problems are all the things that are wrong with a statement. They are an
// ErrStatement.
type Problems []Problem

func (p Problems) Error() string {
	all := make([]string, len(p))
	for i := range p {
		all[i] = p[i].String()
	}
	return ErrStatement.Error() + ": " + strings.Join(all, "; ")
}

// Is makes Problems an ErrStatement.
func (p Problems) Is(target error) bool { return target == ErrStatement }

// The limits of what a statement says, in bytes where they are of a text.
const (
	MaxText        = 256  // a name or brand
	MaxDescription = 8192 // a description or address
	MaxLink        = 2048 // a link, an identifier or a grant
	MaxKeys        = 16   // own keys, and managed keys, that hold at one time
	MaxGrants      = 1000

	// MaxNumber is the largest number that JSON carries unharmed everywhere: 2^53 - 1.
	MaxNumber = 1<<53 - 1
)

// A form reads the members of one object and gathers what is wrong with them.
type form struct {
	v        jcs.Value
	path     string
	known    []string
	problems *Problems
}

func newForm(v jcs.Value, statementType string) *form {
	f := &form{v: v, problems: new(Problems)}
	if v.Kind() != jcs.Object {
		f.wrong("", "it is not an object", "an object")
	}
	if t := f.text("type", MaxText); t != statementType && t != "" {
		f.wrong("type", fmt.Sprintf("is %q", t), statementType)
	}
	return f
}

func (f *form) wrong(name, wrong, want string) {
	*f.problems = append(*f.problems, Problem{f.path + name, wrong, want})
}

// done reports members that nobody asked for, and gives all problems.
func (f *form) done() error {
	f.strangers()
	if len(*f.problems) > 0 {
		return *f.problems
	}
	return nil
}

func (f *form) strangers() {
	for _, m := range f.v.Members() {
		if !slices.Contains(f.known, m.Name) {
			f.wrong(m.Name, "is not a member of this statement", "one of "+strings.Join(f.known, ", "))
		}
	}
}

func (f *form) member(name string, kind jcs.Kind, optional bool) (jcs.Value, bool) {
	f.known = append(f.known, name)
	v, ok := f.v.Get(name)
	switch {
	case !ok && !optional:
		f.wrong(name, "is missing", "a JSON "+kind.String())
	case ok && v.Kind() != kind:
		f.wrong(name, "is of JSON kind "+v.Kind().String(), "a JSON "+kind.String())
		ok = false
	}
	return v, ok
}

func (f *form) checkText(name, s string, limit int) string {
	if s == "" || len(s) > limit {
		f.wrong(name, fmt.Sprintf("has %d bytes", len(s)), fmt.Sprintf("1 to %d", limit))
	}
	if strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) >= 0 {
		f.wrong(name, "has a control character", "text")
	}
	return s
}

func (f *form) text(name string, limit int) string {
	v, ok := f.member(name, jcs.String, false)
	if !ok {
		return ""
	}
	return f.checkText(name, v.Text(), limit)
}

func (f *form) optionalText(name string, limit int) string {
	v, ok := f.member(name, jcs.String, true)
	if !ok {
		return ""
	}
	return f.checkText(name, v.Text(), limit)
}

func (f *form) texts(name string, most, limit int, optional bool) []string {
	list, ok := f.member(name, jcs.Array, optional)
	if !ok {
		return nil
	}
	items := list.Items()
	if len(items) > most {
		f.wrong(name, fmt.Sprintf("has %d items", len(items)), fmt.Sprintf("at most %d", most))
		return nil
	}
	var texts []string
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", name, i)
		if item.Kind() != jcs.String {
			f.wrong(at, "is of JSON kind "+item.Kind().String(), "a JSON string")
			continue
		}
		if slices.Contains(texts, item.Text()) {
			f.wrong(at, "stands there twice", "each once")
		}
		texts = append(texts, f.checkText(at, item.Text(), limit))
	}
	return texts
}

// count reads a whole number from least to MaxNumber.
func (f *form) count(name string, least uint64) uint64 {
	v, ok := f.member(name, jcs.Number, false)
	if !ok {
		return 0
	}
	n := v.Float()
	if n < float64(least) || n > MaxNumber || n != float64(uint64(n)) {
		f.wrong(name, "is "+v.Number(), fmt.Sprintf("a whole number from %d to %d", least, uint64(MaxNumber)))
		return 0
	}
	return uint64(n)
}

func (f *form) keys(name string, most int) []string {
	keys := f.texts(name, most, MaxLink, false)
	for i, key := range keys {
		if _, err := entry.ParseVerifier(key); err != nil {
			f.wrong(fmt.Sprintf("%s[%d]", name, i), err.Error(), "a verifier key <name>+<key id>+<base64>")
		}
	}
	return keys
}

func (f *form) key(name string) string {
	key := f.text(name, MaxLink)
	if _, err := entry.ParseVerifier(key); err != nil && key != "" {
		f.wrong(name, err.Error(), "a verifier key <name>+<key id>+<base64>")
	}
	return key
}

// identifier reads an identifier in its canonical form that names one thing.
func (f *form) identifier(name string) string {
	id := f.text(name, MaxLink)
	if id == "" {
		return ""
	}
	canonical, err := gs1.Canonical(id)
	switch {
	case err != nil:
		f.wrong(name, err.Error(), "a canonical identifier")
	case canonical != id:
		f.wrong(name, "is not in its canonical form", canonical)
	default:
		if named := gs1.Identifiers(id); len(named) != 1 || named[0] != id {
			f.wrong(name, "names more than one thing", strings.Join(named, " or "))
		}
	}
	return id
}

// Members of objects that are built.
func str(name, s string) jcs.Member { return jcs.Member{Name: name, Value: jcs.NewString(s)} }

func num(name string, n uint64) jcs.Member {
	return jcs.Member{Name: name, Value: jcs.NewNumber(float64(n))}
}

func strs(name string, list []string) jcs.Member {
	items := make([]jcs.Value, len(list))
	for i, s := range list {
		items[i] = jcs.NewString(s)
	}
	return jcs.Member{Name: name, Value: jcs.NewArray(items...)}
}

// optional appends the member unless its text is empty.
func optional(members []jcs.Member, name, s string) []jcs.Member {
	if s == "" {
		return members
	}
	return append(members, str(name, s))
}
