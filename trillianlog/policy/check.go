package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"golang.org/x/mod/sumdb/note"
)

const (
	// DefaultMaxAge is how old a witnessed checkpoint may be unless a reader says
	// otherwise.
	DefaultMaxAge = 24 * time.Hour
	// MaxAhead is how far a witness's clock may be ahead of the reader's.
	MaxAhead = 5 * time.Minute
)

var (
	// ErrQuorum says that too few witnesses have cosigned.
	ErrQuorum = errors.New("the checkpoint's cosignatures do not meet the policy's quorum")
	// ErrStale says that a witnessed checkpoint is too old, or from the future.
	ErrStale = errors.New("the checkpoint was not witnessed recently")
)

// A Verdict is what a policy says of a checkpoint.
type Verdict struct {
	Checkpoint checkpoint.Checkpoint
	// Witnesses are those that cosigned, by their names in the policy and in its
	// order.
	Witnesses []string
	// Witnessed says that a quorum was asked for and met. It is false for a policy
	// with "quorum none", under which nothing can be said of time.
	Witnessed bool
	// Time is the latest time such that the cosignatures of that time or later alone
	// meet the quorum. It is zero if not Witnessed.
	Time time.Time
}

// Fresh tells whether the quorum's time is at most maxAge old and at most MaxAhead
// ahead, compared with now; otherwise the error is ErrStale. Without a quorum
// there is no time, and so no claim of freshness: that is ErrStale too. The largest
// maxAge is any age.
func (v Verdict) Fresh(now time.Time, maxAge time.Duration) error {
	if !v.Witnessed {
		return fmt.Errorf("%w: no witness vouches for its time", ErrStale)
	}
	// Witnesses count whole seconds, up to 2^63 - 1: no Duration reaches that far.
	at, seconds := v.Time.Unix(), now.Unix()
	switch {
	case at > seconds+int64(MaxAhead/time.Second):
		return fmt.Errorf("%w: a quorum vouches for it at %s, more than %s ahead of this clock", ErrStale, FormatTime(v.Time), MaxAhead)
	case maxAge < 1<<63-1 && seconds-at > int64(maxAge/time.Second):
		return fmt.Errorf("%w: a quorum vouches for it at %s, more than %s ago", ErrStale, FormatTime(v.Time), maxAge)
	}
	return nil
}

// FormatTime writes a time at which a witness cosigned: by RFC 3339 or, beyond the
// year 9999, as its number of seconds.
func FormatTime(t time.Time) string {
	const lastSecond = 253402300799
	if seconds := t.Unix(); seconds > lastSecond {
		return fmt.Sprintf("second %d since 1970", seconds)
	}
	return t.UTC().Format(time.RFC3339)
}

// Check verifies a signed checkpoint: a log of the policy signed it, its origin is
// exactly that log's name, every signature by a known key holds, and the quorum is
// met. Errors: checkpoint.ErrMalformed, *checkpoint.OriginError,
// *checkpoint.SignatureError, checkpoint.ErrUnsigned, and ErrQuorum, with which the
// verdict says who did cosign.
func (p *Policy) Check(signed []byte) (Verdict, error) {
	c, n, err := checkpoint.Parse(signed)
	if err != nil {
		return Verdict{}, err
	}
	if err := n.SignedBy(c.Origin, p.logVerifiers()...); err != nil {
		return Verdict{}, err
	}
	v := Verdict{Checkpoint: c}
	latest, err := p.cosigned(n)
	if err != nil {
		return Verdict{}, err
	}
	for _, w := range p.witnesses {
		if _, ok := latest[w.Name]; ok {
			v.Witnesses = append(v.Witnesses, w.Name)
		}
	}
	if !p.NeedsWitnesses() {
		return v, nil
	}
	seconds, ok := p.quorumTime(latest)
	if !ok {
		by := "none"
		if len(v.Witnesses) > 0 {
			by = strings.Join(v.Witnesses, ", ")
		}
		return v, fmt.Errorf("%w %q: size %d of %s, cosigned by: %s", ErrQuorum, p.quorum, c.Size, c.Origin, by)
	}
	v.Witnessed, v.Time = true, time.Unix(seconds, 0).UTC()
	return v, nil
}

// Open is Check without the details: what receipt.Verify asks for.
func (p *Policy) Open(signed []byte) (checkpoint.Checkpoint, error) {
	v, err := p.Check(signed)
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	return v.Checkpoint, nil
}

func (p *Policy) logVerifiers() []note.Verifier {
	verifiers := make([]note.Verifier, len(p.logs))
	for i, l := range p.logs {
		verifiers[i] = l.verifier
	}
	return verifiers
}

// cosigned gives the witnesses whose cosignatures hold, with the latest time of
// each, in seconds of the Unix epoch.
func (p *Policy) cosigned(n *checkpoint.Note) (map[string]int64, error) {
	latest := map[string]int64{}
	for _, w := range p.witnesses {
		sigs, err := n.Verified(w.verifier)
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", w.Name, err)
		}
		for _, s := range sigs {
			seconds, _, _ := splitCosignature(s.Sig) // it was verified
			if before, ok := latest[w.Name]; !ok || seconds > before {
				latest[w.Name] = seconds
			}
		}
	}
	return latest, nil
}

// quorumTime gives the latest time such that the witnesses that cosigned then or
// later meet the quorum; false: all of them together do not.
func (p *Policy) quorumTime(latest map[string]int64) (seconds int64, ok bool) {
	var times []int64
	for _, t := range latest {
		times = append(times, t)
	}
	slices.Sort(times)
	for _, t := range slices.Backward(slices.Compact(times)) {
		if p.Met(func(witness string) bool { at, ok := latest[witness]; return ok && at >= t }) {
			return t, true
		}
	}
	return 0, false
}

// Met tells whether the witnesses that cosigned, by their names in the policy, meet
// the quorum. "quorum none" is met by itself.
func (p *Policy) Met(cosigned func(witness string) bool) bool {
	met := map[string]bool{noWitness: true}
	for _, w := range p.witnesses {
		met[w.Name] = cosigned(w.Name)
	}
	for _, g := range p.groups { // members stand before their group
		n := 0
		for _, name := range g.members {
			if met[name] {
				n++
			}
		}
		met[g.name] = n >= g.k
	}
	return met[p.quorum]
}
