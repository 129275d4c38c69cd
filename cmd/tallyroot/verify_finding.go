package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// maxShown bounds the entries that are listed for people, the newest; --json has all.
const maxShown = 40

// errIncomplete says that a journey leads to histories that are not there.
var errIncomplete = errors.New("the journey is incomplete: histories to which it leads are missing")

// reasonOlder is the Reason of errOlder, which is not one of package verify.
const reasonOlder = "older"

// A finding is what was found out about one file or URL, as --json prints it.
type finding struct {
	File string `json:"file"`
	With string `json:"with,omitempty"` // the receipt that the file's history was held against
	OK   bool   `json:"ok"`
	// Unchecked says that nothing is known to be wrong, and it could not be checked.
	Unchecked bool `json:"unchecked,omitempty"`
	// Reason is the short word of what is wrong, Error says it for people.
	Reason   string    `json:"reason,omitempty"`
	Error    string    `json:"error,omitempty"`
	Evidence *evidence `json:"evidence,omitempty"`

	Type   string       `json:"type,omitempty"` // "receipt", "history", "journey" or "proof"
	Claim  verify.Claim `json:"claim,omitempty"`
	Origin string       `json:"origin,omitempty"`
	Size   uint64       `json:"size,string,omitempty"` // of the checkpoint
	// Quorum is "none" or "met".
	Quorum      string        `json:"quorum,omitempty"`
	Witnesses   []string      `json:"witnesses,omitempty"`
	Time        *time.Time    `json:"time,omitempty"` // witnessed
	Index       *indexFinding `json:"index,omitempty"`
	OperatorKey string        `json:"operatorKey,omitempty"` // "given" or "first entry"

	ID              string         `json:"id,omitempty"` // of a history or journey
	Kind            string         `json:"kind,omitempty"`
	Asked           *bool          `json:"asked,omitempty"` // --id or the URL said what was wanted, and this is it
	Total           int            `json:"total,omitempty"`
	Histories       int            `json:"histories,omitempty"` // of a journey
	Missing         []keyFinding   `json:"missing,omitempty"`
	NotFollowed     []string       `json:"notFollowed,omitempty"`
	Unauthenticated int            `json:"unauthenticated,omitempty"`
	Entries         []entryFinding `json:"entries,omitempty"`
	Notes           []string       `json:"notes,omitempty"`

	text string // for people
}

// An indexFinding is what was found out about the index log.
type indexFinding struct {
	Size       uint64   `json:"size,string"`
	Witnesses  []string `json:"witnesses,omitempty"`
	Rebuilders []string `json:"rebuilders,omitempty"`
	// Key is "given", or "first entry": the log's own word.
	Key string `json:"key"`
}

// Evidence is two signed checkpoints that are not of one log.
type evidence struct {
	Seen string `json:"seen"`
	Now  string `json:"now"`
}

type keyFinding struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// An entryFinding is what was found out about one entry.
type entryFinding struct {
	Index        uint64   `json:"index,string"`
	LeafHash     []byte   `json:"leafHash"`
	Participants []string `json:"participants"`
	EventID      string   `json:"eventId,omitempty"`
	Role         string   `json:"role,omitempty"` // in a journey
	// Of a history: whether the signatures hold, and why not.
	Authenticated *bool   `json:"authenticated,omitempty"`
	Problem       string  `json:"problem,omitempty"`
	DuplicateOf   *uint64 `json:"duplicateOf,string,omitempty"`
	WithdrawnBy   *uint64 `json:"withdrawnBy,string,omitempty"`
	Withdraws     *uint64 `json:"withdraws,string,omitempty"`

	when, what string
}

func (f *finding) verdict(v policy.Verdict) {
	f.Origin, f.Size, f.Quorum, f.Witnesses = v.Checkpoint.Origin, v.Checkpoint.Size, "none", v.Witnesses
	if v.Witnessed {
		f.Quorum, f.Time = "met", &v.Time
	}
}

func (f *finding) anchor(a *verify.Anchor) {
	f.verdict(a.Verdict)
	f.OperatorKey = whose(a.OperatorTrusted)
	f.Index = &indexFinding{Size: a.Index.Checkpoint.Size, Witnesses: a.Index.Witnesses, Rebuilders: a.Rebuilders, Key: whose(!a.IndexFromGenesis)}
}

// history adds what was found out about a history, or about one of several pages.
func (f *finding) history(h *verify.HistoryVerdict) {
	f.Type, f.ID, f.Kind, f.Asked, f.Total, f.Claim = formHistory, h.Key.Identifier, h.Key.Kind.String(), &h.Asked, h.Total, h.Claim()
	f.Unauthenticated += h.Unauthenticated()
	f.anchor(&h.Anchor)
	for i := range h.Entries {
		f.Entries = append(f.Entries, findingOf(&h.Entries[i]))
	}
	if f.text != "" {
		f.text += "\n"
	}
	f.text += h.String()
}

func whose(given bool) string {
	if given {
		return "given"
	}
	return "first entry"
}

func findingOf(j *verify.Judged) entryFinding {
	authenticated := j.Signature == nil
	e := entryFinding{
		Index: j.Index, LeafHash: j.LeafHash[:], Participants: j.Entry.Participants, EventID: idOf(j.Entry.JSON),
		Authenticated: &authenticated, DuplicateOf: j.DuplicateOf, WithdrawnBy: j.WithdrawnBy, Withdraws: j.Withdraws,
		when: member(j.Entry.JSON, "eventTime"), what: j.Entry.Type(),
	}
	for _, name := range []string{"action", "bizStep", "name"} {
		if word := member(j.Entry.JSON, name); word != "-" {
			e.what += " " + word
		}
	}
	switch {
	case j.Signature != nil:
		e.Problem = j.Signature.Error()
	case j.Effect != nil && j.Effect.Err != nil:
		e.Problem = j.Effect.Err.Error()
	}
	return e
}

// flaw says why an entry does not count as it stands, or what other one it withdraws.
func (e *entryFinding) flaw() string {
	switch {
	case e.Authenticated != nil && !*e.Authenticated:
		return "UNAUTHENTICATED: " + e.Problem
	case e.Problem != "":
		return "without effect: " + e.Problem
	case e.DuplicateOf != nil:
		return fmt.Sprintf("a duplicate of entry %d", *e.DuplicateOf)
	case e.WithdrawnBy != nil:
		return fmt.Sprintf("withdrawn by entry %d", *e.WithdrawnBy)
	case e.Withdraws != nil:
		return fmt.Sprintf("withdraws entry %d", *e.Withdraws)
	}
	return ""
}

// end says how the check ended.
func (f *finding) end(err error) {
	f.OK = err == nil
	if err == nil {
		return
	}
	f.Error = err.Error()
	var unchecked uncheckedError
	var wrong *verify.Error
	switch {
	case errors.As(err, &unchecked):
		f.Unchecked = true
	case errors.Is(err, errIncomplete):
		f.Reason = string(verify.Incomplete)
	case errors.Is(err, errOlder):
		f.Reason = reasonOlder
	case errors.As(err, &wrong):
		f.Reason = string(wrong.Reason)
	case errors.Is(err, verify.ErrAsked):
		f.Reason = string(verify.ErrAsked)
	}
	var fork *verify.ForkError
	if errors.As(err, &fork) {
		f.Evidence = &evidence{Seen: fork.Seen, Now: fork.Now}
	}
}

// String says it for people: what is wrong comes first.
func (f *finding) String() string {
	var b strings.Builder
	b.WriteString(inputName(f.File))
	if f.With != "" {
		b.WriteString(" with " + inputName(f.With))
	}
	switch {
	case f.OK:
		b.WriteString(": verified\n")
	case f.Unchecked && f.text != "":
		b.WriteString(": verified by itself, but NOT COMPARED with what was seen before: " + f.Error + "\n")
	case f.Unchecked:
		b.WriteString(": NOT CHECKED: " + f.Error + "\n")
	default:
		b.WriteString(": NOT VERIFIED: " + f.Error + "\n")
	}
	if f.Evidence != nil {
		what := "they are evidence"
		if f.Reason != string(verify.ErrFork) {
			what = "unless somebody can prove them to be of one log, they are evidence"
		}
		b.WriteString("  Both checkpoints are signed. Keep them: " + what + " against those who signed.\n")
		indented(&b, "    ", "Seen before:\n"+f.Evidence.Seen+"Shown now:\n"+f.Evidence.Now)
	} else if f.OK || f.Unchecked || f.Reason == string(verify.Incomplete) || f.Reason == reasonOlder {
		indented(&b, "  ", f.text)
		indented(&b, "  ", strings.Join(f.Notes, "\n"))
		f.list(&b)
	}
	return b.String()
}

// indented writes each line of a text behind the indent.
func indented(b *strings.Builder, indent, text string) {
	for line := range strings.Lines(text) {
		b.WriteString(indent + strings.TrimSuffix(line, "\n") + "\n")
	}
}

// list writes the entries of a history or journey, one to a line.
func (f *finding) list(b *strings.Builder) {
	if f.Type == formReceipt || len(f.Entries) == 0 {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	shown := f.Entries[max(0, len(f.Entries)-maxShown):]
	if earlier := len(f.Entries) - len(shown); earlier > 0 {
		fmt.Fprintf(b, "  %d earlier ones, which --json lists, and\n", earlier)
	}
	for i := range shown {
		e := &shown[i]
		words := []string{fmt.Sprintf("  entry %d", e.Index), e.when, e.what, "by " + strings.Join(e.Participants, " and ")}
		if e.Role != "" && e.Role != "self" {
			words = append(words, e.Role)
		}
		if flaw := e.flaw(); flaw != "" {
			words = append(words, flaw)
		}
		// A line feed or tab of an event's own would make lines and columns of its own.
		for i := range words {
			words[i] = strings.Map(oneLine, words[i])
		}
		fmt.Fprintln(w, strings.Join(words, "\t"))
	}
	_ = w.Flush() // a Builder takes all
}

func oneLine(c rune) rune {
	if c == '\n' || c == '\t' || c == '\v' || c == '\f' {
		return ' '
	}
	return c
}
