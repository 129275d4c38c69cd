package provenance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/outagetest"
)

// openFailing opens a service whose back end fails as it is told.
func openFailing(t *testing.T) (s *provenance.Service, b *outagetest.Backend) {
	t.Helper()
	c := config(t, t.TempDir())
	inner := c.Backend
	c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
		real, err := inner(ctx, dir)
		b = outagetest.Wrap(real)
		return b, err
	}
	s, err := provenance.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, b
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// TestReadsNeedNoBackEnd reads everything there is while every call to the back end
// fails. None of them makes one.
func TestReadsNeedNoBackEnd(t *testing.T) {
	s, b := openFailing(t)
	farm, shop := add(t, s, "Farm"), add(t, s, "Shop")
	const id = `,"eventID":"urn:event:shared"`
	mine := mustLog(t, s, farm, event(1, id))
	for i := range 501 { // more than are read to find one's own
		mustLog(t, s, shop, event(1, id+fmt.Sprintf(`,"errorDeclaration":{"declarationTime":"2026-04-03T00:00:00.%03dZ"}`, i)))
	}
	thing := "https://id.gs1.org/01/09506000134352/21/1"
	indexed(t, s)
	b.Set(outagetest.Fails)
	eventually(t, "nothing is taken", func() bool { return s.Takes() != nil })
	before := b.Count()
	reads := map[string]func() error{
		"the newest event": func() error { _, err := s.Event(t.Context(), mine.EventID, ""); return err },
		"one's own event": func() error {
			e, err := s.Event(t.Context(), mine.EventID, farm.Participant)
			if err == nil && e.Index != mine.Index {
				err = fmt.Errorf("it stands at %d", e.Index)
			}
			return err
		},
		"an entry":      func() error { _, err := s.EventAt(t.Context(), mine.Index); return err },
		"the list":      func() error { _, err := s.Recent(t.Context(), "", 10); return err },
		"one's list":    func() error { _, err := s.Recent(t.Context(), farm.Participant, 10); return err },
		"the history":   func() error { _, err := s.History(t.Context(), historyindex.Object, thing, 0, 0); return err },
		"the journey":   func() error { _, err := s.Journey(t.Context(), thing); return err },
		"its histories": func() error { _, err := s.JourneyHistories(t.Context(), thing); return err },
		"inclusion":     func() error { _, _, _, _, err := s.InclusionProof(mine.Index, 0); return err },
		"consistency":   func() error { _, _, err := s.ConsistencyProof(1, 0); return err },
		"a participant": func() error { _, err := s.Participant(farm.Participant); return err },
		"tokens":        func() error { _, err := s.Tokens(admin, farm.Participant); return err },
		"a new token":   func() error { _, err := s.AddToken(t.Context(), admin, farm.Participant, time.Time{}); return err },
	}
	for name, read := range reads {
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Also what is checked before it would be taken.
	declared := event(1, id+`,"errorDeclaration":{"declarationTime":"2026-04-05T00:00:00Z"},"disposition":"expired"`)
	var refused *provenance.Refused
	if _, err := s.Validate(t.Context(), farm, declared); !errors.As(err, &refused) || !strings.Contains(err.Error(), "differs from the one that it withdraws") {
		t.Errorf("an error declaration that differs: %v", err)
	}
	for call, n := range b.Count() {
		if call != "root" && n != before[call] { // the log asks for the root, to see whether it is back
			t.Errorf("%s was called", call)
		}
	}
}

// TestOutagesAreAnswered: what senders are told, and that nobody waits.
func TestOutagesAreAnswered(t *testing.T) {
	s, b := openFailing(t)
	farm := add(t, s, "Farm", "0950600")
	b.Set(outagetest.Fails)
	eventually(t, "nothing is taken", func() bool { return s.Takes() != nil })
	for what, err := range map[string]error{
		"an event":    second(s.Log(t.Context(), farm, event(1, ""))),
		"a batch":     s.LogBatch(t.Context(), farm, []provenance.Submission{event(2, "")})[0].Err,
		"a statement": second(s.Log(t.Context(), farm, provenance.Submission{Body: []byte(`{"type":"tallyroot:Product","identifier":"https://id.gs1.org/01/09506000134352","name":"Pears"}`)})),
		"validation":  second(s.Validate(t.Context(), farm, event(3, ""))),
		"a participant": func() error {
			_, _, err := s.AddParticipant(t.Context(), admin, provenance.NewParticipant{Name: "New"})
			return err
		}(),
	} {
		var u *provenance.Unavailable
		if !errors.As(err, &u) || !errors.Is(err, provenance.ErrUnavailable) || !errors.Is(err, trillianlog.ErrUnavailable) ||
			u.After != 2*time.Second || !strings.Contains(u.Why, "nothing of this was logged") || strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Log(t.Context(), provenance.Caller{}, event(1, "")); !errors.Is(err, provenance.ErrUnauthenticated) {
		t.Errorf("without a token: %v", err)
	}
	b.Set(outagetest.Works)
	eventually(t, "entries are taken again", func() bool { return s.Takes() == nil })
	if logged := mustLog(t, s, farm, event(1, "")); logged.Index != 2 {
		t.Errorf("afterwards: %+v", logged)
	}
}

// TestAStoppedLogIsAnswered: what senders are told when nothing is taken for good.
func TestAStoppedLogIsAnswered(t *testing.T) {
	c := config(t, t.TempDir())
	c.Backend = func(context.Context, string) (trillianlog.Backend, error) {
		return trillianlog.Unusable(errors.New("the disk is gone")), nil
	}
	s, err := provenance.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var u *provenance.Unavailable
	if err := s.Takes(); !errors.As(err, &u) || !errors.Is(err, trillianlog.ErrStopped) || u.After != time.Minute || !strings.Contains(u.Why, "nothing of this was logged") {
		t.Errorf("%v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestAnUnknownStatementIsReadFirst: a participant is disabled, and nobody knows
// whether that was logged. When it is known, nothing is judged by the state before
// it.
func TestAnUnknownStatementIsReadFirst(t *testing.T) {
	s, b := openFailing(t)
	farm := add(t, s, "Farm")
	b.Set(outagetest.Loses, "add")
	b.Set(outagetest.Fails, "next", "leaves")
	if _, err := s.DisableParticipant(t.Context(), admin, farm.Participant); !errors.Is(err, trillianlog.ErrUnknown) || !strings.Contains(err.Error(), "it is not known whether it was logged") {
		t.Fatalf("disabled: %v", err)
	}
	b.Set(outagetest.Works, "add", "next") // it is stored, and cannot be read
	var err error
	eventually(t, "the back end is back", func() bool { err = s.Takes(); return !errors.Is(err, trillianlog.ErrUnavailable) })
	if err == nil || !strings.Contains(err.Error(), "before an interruption") {
		t.Fatalf("before the statement is read: %v", err)
	}
	if _, err := s.Log(t.Context(), farm, event(1, "")); !errors.Is(err, provenance.ErrUnavailable) {
		t.Errorf("an event: %v", err)
	}
	b.Set(outagetest.Works)
	eventually(t, "entries are taken again", func() bool { return s.Takes() == nil })
	if _, err := s.Log(t.Context(), farm, event(1, "")); !errors.Is(err, provenance.ErrForbidden) {
		t.Errorf("when it is read: %v", err)
	}
}
