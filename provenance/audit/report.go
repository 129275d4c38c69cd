package audit

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Report is what an audit comes to.
type Report struct {
	Origin   string       `json:"origin,omitempty"`
	Complete bool         `json:"complete"` // all that was to be checked was
	Log      HeadReport   `json:"log"`
	Index    *IndexReport `json:"index,omitempty"`
	Trust    TrustReport  `json:"trust"`
	From     uint64       `json:"from,string"` // the first entry that is new since the last report
	Next     uint64       `json:"next,string"` // the first entry that was not read
	New      Counts       `json:"new"`         // from From to Next
	Totals   Counts       `json:"totals"`      // from 0 to Next
	// Waiting are error declarations whose event is not in the log.
	Waiting      int               `json:"waiting"`
	Participants ParticipantReport `json:"participants"`
	// Findings are those that nobody has yet; of very many of one kind the first.
	Findings []Finding `json:"findings"`
}

// A HeadReport is about a log's checkpoint.
type HeadReport struct {
	Checkpoint string     `json:"checkpoint,omitempty"` // signed
	Size       uint64     `json:"size,string"`
	Root       []byte     `json:"root,omitempty"`
	Quorum     string     `json:"quorum,omitempty"` // "none" or "met"
	Witnesses  []string   `json:"witnesses,omitempty"`
	Time       *time.Time `json:"time,omitempty"` // witnessed
	Seen       uint64     `json:"seen,string"`    // the size at which it was seen before; 0: it was not
}

// An IndexReport is about the index log.
type IndexReport struct {
	HeadReport
	Complete bool   `json:"complete"`       // every leaf up to the log's size was compared
	Leaves   uint64 `json:"leaves,string"`  // that are what the log's entries give
	Entries  uint64 `json:"entries,string"` // of the log that they cover
	Keys     uint64 `json:"keys,string"`    // of the map that was made from them
	MapRoot  []byte `json:"mapRoot,omitempty"`
}

// A TrustReport says whose word the keys are.
type TrustReport struct {
	LogKeyFromGenesis      bool `json:"logKeyFromGenesis"`
	IndexKeyFromGenesis    bool `json:"indexKeyFromGenesis"`
	OperatorKeyFromGenesis bool `json:"operatorKeyFromGenesis"`
}

// A ParticipantReport is about who may log.
type ParticipantReport struct {
	Active   int `json:"active"`
	Disabled int `json:"disabled"`
}

func reportHead(h *head) HeadReport {
	r := HeadReport{
		Checkpoint: string(h.signed), Size: h.Checkpoint.Size, Root: h.Checkpoint.Root[:], Quorum: "none", Witnesses: h.Witnesses,
	}
	if h.Witnessed {
		r.Quorum, r.Time = "met", &h.Time
	}
	return r
}

// summarise fills in what the ledger and the index know.
func (a *Auditor) summarise(r *Report) {
	h := &a.ledger.head
	r.Next, r.Totals, r.New = h.Next, h.Totals, h.Totals.Minus(h.ReportedTotals)
	r.Trust = TrustReport{a.options.Policy == nil, a.options.IndexPolicy == nil, a.options.OperatorKey == ""}
	for range a.ledger.rows([]byte{declarationRow}) {
		r.Waiting++
	}
	for _, info := range a.state.Participants() {
		if info.Active {
			r.Participants.Active++
		} else {
			r.Participants.Disabled++
		}
	}
	if r.Index == nil {
		return
	}
	r.Index.Leaves, r.Index.Entries, r.Index.Keys = a.index.Leaves(), a.index.Next(), a.index.Stats().Keys
	if r.Index.Leaves > 0 {
		if leaf, err := a.index.Leaf(r.Index.Leaves - 1); err == nil {
			r.Index.Entries, r.Index.MapRoot = leaf.Checkpoint.Size, leaf.MapRoot[:]
		}
	}
}

// Wrong gives the findings of something wrong.
func (r *Report) Wrong() (list []Finding) {
	for _, f := range r.Findings {
		if f.Wrong() {
			list = append(list, f)
		}
	}
	return list
}

// maxTold is how many findings of one kind a report tells people.
const maxTold = 20

// String tells people.
func (r *Report) String() string {
	var b strings.Builder
	if r.Origin == "" {
		b.WriteString("nothing was audited\n")
		if len(r.Findings) > 0 {
			r.tell(&b)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "%s: %s read", r.Origin, counted(r.Next, "entry", "entries"))
	if r.From > 0 {
		fmt.Fprintf(&b, ", %s of them since the last audit", thousands(r.Next-min(r.From, r.Next)))
	}
	b.WriteByte('\n')
	fmt.Fprintf(&b, "  log          %s\n", r.Log.String())
	switch {
	case r.Index == nil:
		b.WriteString("  index        not checked\n")
	default:
		fmt.Fprintf(&b, "  index log    %s\n", r.Index.HeadReport.String())
		whole := "every one"
		if !r.Index.Complete {
			whole = "every one that was compared"
		}
		fmt.Fprintf(&b, "  index        %s, %s is what the entries give; %s in %s\n", counted(r.Index.Leaves, "leaf", "leaves"), whole,
			counted(r.Index.Keys, "key", "keys"), counted(r.Index.Entries, "entry", "entries"))
	}
	fmt.Fprintf(&b, "  entries      %s, %s; %s verified\n", counted(r.Totals.Events, "event", "events"),
		counted(r.Totals.Statements, "statement", "statements"), counted(r.Totals.Signatures, "signature", "signatures"))
	fmt.Fprintf(&b, "  participants %d active, %d disabled\n", r.Participants.Active, r.Participants.Disabled)
	if n := r.Totals.Withdrawn; n > 0 || r.Waiting > 0 {
		fmt.Fprintf(&b, "  withdrawn    %s", counted(n, "event", "events"))
		if r.Waiting > 0 {
			fmt.Fprintf(&b, "; %s of an event that is not in the log", counted(uint64(r.Waiting), "error declaration", "error declarations"))
		}
		b.WriteByte('\n')
	}
	if keys := r.Trust.own(); keys != "" {
		fmt.Fprintf(&b, "  keys         %s from the log's own first entry, since none was given\n", keys)
	}
	b.WriteString(r.totals())
	r.tell(&b)
	return b.String()
}

func (h HeadReport) String() string {
	s := fmt.Sprintf("size %s, root %s", thousands(h.Size), base64.StdEncoding.EncodeToString(h.Root))
	if h.Time != nil {
		s += fmt.Sprintf(", witnessed at %s by %s", h.Time.UTC().Format(time.RFC3339), strings.Join(h.Witnesses, ", "))
	} else {
		s += ", no witness asked for"
	}
	if h.Seen > 0 {
		s += fmt.Sprintf("; continues size %s, seen before", thousands(h.Seen))
	}
	return s
}

// own names the keys that the log itself says.
func (t TrustReport) own() string {
	var keys []string
	for _, k := range []struct {
		own  bool
		name string
	}{{t.LogKeyFromGenesis, "the log's"}, {t.IndexKeyFromGenesis, "the index log's"}, {t.OperatorKeyFromGenesis, "the operator's"}} {
		if k.own {
			keys = append(keys, k.name)
		}
	}
	if len(keys) > 1 {
		return strings.Join(keys[:len(keys)-1], ", ") + " and " + keys[len(keys)-1]
	}
	return strings.Join(keys, "")
}

// totals tells of entries without effect that earlier reports named.
func (r *Report) totals() string {
	var parts []string
	for _, c := range []struct {
		before uint64
		name   string
	}{
		{r.Totals.Malformed - r.New.Malformed, "malformed"}, {r.Totals.Unauthenticated - r.New.Unauthenticated, "unauthenticated"},
		{r.Totals.Duplicates - r.New.Duplicates, "duplicate"}, {r.Totals.Ineffective - r.New.Ineffective, "ineffective"}, {r.Totals.Keys - r.New.Keys, "with no key or too many"},
	} {
		if c.before > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(c.before), c.name))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "  named before " + strings.Join(parts, ", ") + "\n"
}

// tell tells the findings, by kind.
func (r *Report) tell(b *strings.Builder) {
	wrong := r.Wrong()
	counts := map[Kind]uint64{
		Malformed: r.New.Malformed, Unauthenticated: r.New.Unauthenticated, Duplicate: r.New.Duplicates, Ineffective: r.New.Ineffective, Keys: r.New.Keys, Recovery: r.New.Recoveries,
	}
	var kinds []Kind
	byKind := map[Kind][]Finding{}
	for _, f := range r.Findings {
		if !slices.Contains(kinds, f.Kind) {
			kinds = append(kinds, f.Kind)
		}
		byKind[f.Kind] = append(byKind[f.Kind], f)
	}
	switch {
	case len(wrong) > 0:
		b.WriteString("SOMETHING IS WRONG\n")
	case r.Complete && r.Trust.LogKeyFromGenesis:
		b.WriteString("nothing is wrong; whose log it is was not checked, since its own word was taken for its key\n")
	case r.Complete:
		b.WriteString("nothing is wrong\n")
	default:
		b.WriteString("nothing that was read is wrong, and not everything was read\n")
	}
	for _, kind := range kinds {
		list := byKind[kind]
		n := max(counts[kind], uint64(len(list)))
		fmt.Fprintf(b, "  %s: %s\n", kind, thousands(n))
		told := list[:min(len(list), maxTold)]
		for _, f := range told {
			fmt.Fprintf(b, "    %s\n", f.Error())
		}
		if more := n - uint64(len(told)); more > 0 {
			fmt.Fprintf(b, "    and %s more\n", thousands(more))
		}
	}
}

// counted is "1 leaf", "1,200 leaves".
func counted(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes a number with commas.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
