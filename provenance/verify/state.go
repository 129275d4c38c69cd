package verify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// MaxState bounds a State's JSON, in bytes, and so what ParseState reads.
const MaxState = 16 << 20

// A State remembers the newest checkpoint of each log that a reader has seen, so
// that nobody can show it another log later. All that it ever saw is consistent
// with what it remembers. The zero State has seen nothing; one goroutine may use it.
type State struct{ logs map[string]remembered }

type remembered struct {
	checkpoint.Checkpoint
	signed string
}

// Last gives the newest checkpoint of the log of that origin, and as it was signed;
// false if none was seen.
func (s *State) Last(origin string) (c checkpoint.Checkpoint, signed string, ok bool) {
	r, ok := s.logs[origin]
	return r.Checkpoint, r.signed, ok
}

// Origins gives the origins of all logs of which a checkpoint was seen, sorted.
func (s *State) Origins() []string { return slices.Sorted(maps.Keys(s.logs)) }

// See takes a signed checkpoint that was verified, of the log or of the index log.
// proof shows, between it and the last one, that the larger continues the smaller
// (RFC 6962, section 2.1.2); there is nothing to prove for the first one and for
// one of the same size. What is larger than the last is remembered. A smaller one is
// no lie by itself: whether it is too old, its witnesses say.
//
// Errors, after which the State is as before: ErrFork, ErrInconsistent, both with a
// *ForkError that holds both checkpoints; ErrLogForm.
func (s *State) See(signed string, proof [][32]byte) error {
	c, _, err := checkpoint.Parse([]byte(signed))
	if err != nil {
		return fail(ErrLogForm, err)
	}
	last, ok := s.logs[c.Origin]
	if ok {
		older, newer := last.Checkpoint, c
		if older.Size > newer.Size {
			older, newer = newer, older
		}
		if err := newer.Follows(older, proof); err != nil {
			reason := ErrInconsistent
			if older.Size == newer.Size && older.Root != newer.Root {
				reason = ErrFork
			}
			return fail(reason, &ForkError{Seen: last.signed, Now: signed, Err: err})
		}
		if c.Size <= last.Size {
			return nil
		}
	}
	if s.logs == nil {
		s.logs = make(map[string]remembered)
	}
	s.logs[c.Origin] = remembered{c, signed}
	return nil
}

// A ForkError holds two signed checkpoints that were not shown to be of one log.
// If no proof can show it, they are evidence against the one who signed them.
type ForkError struct {
	Seen, Now string
	Err       error
}

func (e *ForkError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *ForkError) Unwrap() error { return e.Err }

// Append appends the State's JSON to dst: {"checkpoints":[…]}, the signed
// checkpoints by their origins.
func (s *State) Append(dst []byte) []byte {
	dst = append(dst, `{"checkpoints":[`...)
	for i, origin := range s.Origins() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jcs.NewString(s.logs[origin].signed).AppendCanonical(dst)
	}
	return append(dst, "]}"...)
}

// ParseState reads what Append gives. It verifies no signature: the file is the
// reader's own.
func ParseState(b []byte) (*State, error) {
	bad := func(format string, args ...any) (*State, error) {
		return nil, fail(ErrMalformed, fmt.Errorf("the remembered checkpoints: "+format, args...))
	}
	if len(b) > MaxState {
		return bad("%d bytes; the limit is %d", len(b), MaxState)
	}
	v, err := jcs.Parse(b)
	if err != nil {
		return bad("%w", err)
	}
	list, _ := v.Get("checkpoints")
	if list.Kind() != jcs.Array || len(v.Members()) != 1 {
		return bad("want an object of the one member checkpoints, a list")
	}
	s := new(State)
	for i, item := range list.Items() {
		c, _, err := checkpoint.Parse([]byte(item.Text()))
		if err != nil {
			return bad("number %d: %w", i, err)
		}
		if _, _, ok := s.Last(c.Origin); ok {
			return bad("two of the log %q", c.Origin)
		}
		if err := s.See(item.Text(), nil); err != nil {
			return nil, err
		}
	}
	return s, nil
}
