package verify

import (
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// maxNamed bounds how many missing histories String names.
const maxNamed = 20

// String says it for people: first how complete it is, then what that rests on.
func (v *JourneyVerdict) String() string {
	var b strings.Builder
	if len(v.Missing) == 0 {
		b.WriteString(v.Anchor.sentence() + "\n")
	} else {
		v.describeMissing(&b)
	}
	if n := len(v.Journey.Steps); n == 0 {
		fmt.Fprintf(&b, "Of %s the log %s shows nothing, in %s.\n", v.ID, v.Checkpoint.Origin, count(len(v.Journey.Keys), "history", "histories"))
	} else {
		fmt.Fprintf(&b, "%s of %s, in %s, each proved to stand in the log %s.\n",
			count(n, "entry tells", "entries tell"), v.ID, count(len(v.Journey.Keys), "history", "histories"), v.Checkpoint.Origin)
	}
	unauthenticated := 0
	for _, step := range v.Journey.Steps {
		if v.Entry(step).Signature != nil {
			unauthenticated++
		}
	}
	describeSignatures(&b, len(v.Journey.Steps), unauthenticated)
	if n := len(v.NotFollowed); n > 0 {
		fmt.Fprintf(&b, "The service says that it did not follow %s.\n", count(n, "identifier", "identifiers"))
	}
	v.Anchor.describe(&b, v.Asked)
	return strings.TrimSuffix(b.String(), "\n")
}

func (v *JourneyVerdict) describeMissing(b *strings.Builder) {
	b.WriteString("JOURNEY INCOMPLETE. Not here, or not to their end, are the histories of:\n")
	for i, key := range v.Missing {
		if i == maxNamed {
			fmt.Fprintf(b, "  and %d more\n", len(v.Missing)-i)
			break
		}
		b.WriteString("  " + key.String() + "\n")
	}
}

// String says it for people: first how complete it is, then what that rests on.
func (v *HistoryVerdict) String() string {
	var b strings.Builder
	if v.Claim() == Page {
		fmt.Fprintf(&b, "A page: %d of %d entries are not in it. Of their list: %s\n", v.Total-len(v.Entries), v.Total, v.Anchor.sentence())
	} else {
		b.WriteString(v.Anchor.sentence() + "\n")
	}
	fmt.Fprintf(&b, "%d of %d entries about %s are here, each proved to stand in the log %s.\n", len(v.Entries), v.Total, v.Key, v.Checkpoint.Origin)
	describeSignatures(&b, len(v.Entries), v.Unauthenticated())
	v.Anchor.describe(&b, v.Asked)
	return strings.TrimSuffix(b.String(), "\n")
}

// String says it for people.
func (v *ReceiptVerdict) String() string {
	return fmt.Sprintf("The entry is in the log %s, at position %d of %d.\n%s\nWhether its signature by %s holds is not judged: a receipt does not carry the keys.",
		v.Checkpoint.Origin, v.Index, v.Checkpoint.Size, witnessed(v.Verdict), strings.Join(v.Entry.Participants, " and "))
}

func describeSignatures(b *strings.Builder, entries, unauthenticated int) {
	switch {
	case unauthenticated > 0:
		fmt.Fprintf(b, "%s unauthenticated and count for nothing: their signatures do not hold.\n", count(unauthenticated, "entry is", "entries are"))
	case entries > 0:
		b.WriteString("Every signature holds, by the keys that held at its place in the log.\n")
	}
}

// describe says who vouches for the logs and the operator, and who said what all is
// about.
func (a *Anchor) describe(b *strings.Builder, asked bool) {
	b.WriteString(witnessed(a.Verdict) + "\n")
	if a.Independent {
		fmt.Fprintf(b, "The index was rebuilt from the log by %s.\n", strings.Join(a.Rebuilders, ", "))
	}
	if a.IndexFromGenesis {
		b.WriteString("The index log's key was taken from the log's first entry.\n")
	}
	if !a.OperatorTrusted {
		b.WriteString("The operator's key was taken from the log's first entry.\n")
	}
	if !asked {
		b.WriteString("The file itself says what it is about: compare that with what you asked for.\n")
	}
}

// sentence says how complete what is proved at the anchor is.
func (a *Anchor) sentence() string {
	switch {
	case !a.Independent:
		return fmt.Sprintf("Complete up to entry %d according to the operator's index; not independently rebuilt.", a.Checkpoint.Size)
	case !a.Witnessed:
		return fmt.Sprintf("Complete up to entry %d, rebuilt by %s; no witness says when.", a.Checkpoint.Size, strings.Join(a.Rebuilders, ", "))
	}
	return fmt.Sprintf("Complete up to entry %d, witnessed at %s.", a.Checkpoint.Size, policy.FormatTime(a.Time))
}

// witnessed says who vouches for a checkpoint.
func witnessed(v policy.Verdict) string {
	if !v.Witnessed {
		return "The log's own key vouches for that, and no witness (quorum none): it could show other readers another log."
	}
	return fmt.Sprintf("Witnesses vouch for that log (%s), the quorum at %s.", strings.Join(v.Witnesses, ", "), policy.FormatTime(v.Time))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
