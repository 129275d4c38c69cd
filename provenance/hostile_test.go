package provenance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
)

const (
	crate  = "https://id.gs1.org/00/095060001343520017"
	pallet = "https://id.gs1.org/00/195060001343520014"
)

// packed says that child went into parent, or came out of it, that many minutes
// after the beginning.
func packed(action, parent, child string, minute int, more string) provenance.Submission {
	at := time.Date(2026, 4, 2, 9, 0, 0, 0, time.FixedZone("", 7200)).Add(time.Duration(minute) * time.Minute)
	return provenance.Submission{Body: fmt.Appendf(nil, `{"type":"AggregationEvent","eventTime":%q,"eventTimeZoneOffset":"+02:00","parentID":%q,"childEPCs":[%q],"action":%q%s}`,
		at.Format("2006-01-02T15:04:05.000-07:00"), parent, child, action, more)}
}

func seen(serial, minute int, where string) provenance.Submission {
	return provenance.Submission{Body: fmt.Appendf(nil, `{"type":"ObjectEvent","eventTime":%q,"eventTimeZoneOffset":"+00:00","epcList":[%q],"action":"OBSERVE","example:n":%d}`,
		time.Date(2026, 4, 2, 7, minute, 0, 0, time.UTC).Format("2006-01-02T15:04:05Z"), where, serial)}
}

func logAll(t *testing.T, s *provenance.Service, by provenance.Caller, subs []provenance.Submission) {
	t.Helper()
	for i, r := range s.LogBatch(t.Context(), by, subs) {
		if r.Err != nil || r.Existed {
			t.Fatalf("%s: %+v", subs[i].Body, r)
		}
	}
}

// TestJourneyIsBounded asks for the journey of things that are packed into each
// other again and again. What a reader's question costs must not grow with the
// square of the events, let alone with their cube.
func TestJourneyIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	var subs []provenance.Submission
	for i := range 2000 {
		subs = append(subs, packed("ADD", pallet, crate, i, ""), packed("ADD", crate, pallet, i, ""), packed("DELETE", pallet, pallet, i, ""))
	}
	logAll(t, s, farm, subs)
	indexed(t, s)
	journey, err := s.Journey(t.Context(), crate)
	if err != nil {
		t.Fatal(err)
	}
	if len(journey.Steps) != len(subs) {
		t.Errorf("%d steps of %d", len(journey.Steps), len(subs))
	}
	if missed := slices.Clone(journey.NotFollowed); len(missed) == 0 || len(slices.Compact(missed)) != len(journey.NotFollowed) || len(missed) > 2 {
		t.Errorf("not followed: %d", len(missed))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Journey(gone, crate); !errors.Is(err, context.Canceled) {
		t.Errorf("for nobody: %v", err)
	}
}

// TestJourneyInsideAContainer has the container's steps for as long as the thing
// was in it, and no longer.
func TestJourneyInsideAContainer(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	logAll(t, s, farm, []provenance.Submission{
		seen(0, 0, pallet), // before
		packed("ADD", pallet, crate, 10, ""),
		seen(1, 20, pallet), // in it
		packed("DELETE", pallet, crate, 30, ""),
		seen(2, 40, pallet), // after
		// Taking a document off the pallet unpacks nothing.
		{Body: []byte(`{"type":"TransactionEvent","eventTime":"2026-04-02T07:55:00Z","eventTimeZoneOffset":"+00:00","parentID":"` + pallet + `","bizTransactionList":[{"type":"po","bizTransaction":"urn:x:po-1"}],"action":"DELETE"}`)},
		packed("ADD", pallet, crate, 50, ""),
		seen(3, 58, pallet), // in it again
	})
	indexed(t, s)
	journey, err := s.Journey(t.Context(), crate)
	if err != nil {
		t.Fatal(err)
	}
	var indices []uint64
	for _, step := range journey.Steps {
		indices = append(indices, step.Index-2) // after Genesis and the farm
	}
	if want := []uint64{1, 2, 3, 6, 5, 7}; !slices.Equal(indices, want) {
		t.Errorf("the steps are %v, want %v", indices, want)
	}
}

// TestJourneyHistoriesAreBounded asks for the histories of a journey through many
// things that all stand in the same large entries.
func TestJourneyHistoriesAreBounded(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	const parents = 30
	list := make([]string, parents)
	var subs []provenance.Submission
	for i := range list {
		list[i] = fmt.Sprintf(`"urn:x:parent-%d"`, i)
		subs = append(subs, packed("ADD", strings.Trim(list[i], `"`), crate, i, ""))
	}
	for i := range 150 {
		subs = append(subs, provenance.Submission{Body: fmt.Appendf(nil,
			`{"type":"ObjectEvent","eventTime":"2026-04-03T07:00:00Z","eventTimeZoneOffset":"+00:00","epcList":[%s],"action":"OBSERVE","example:n":%d,"example:note":%q}`,
			strings.Join(list, ","), i, strings.Repeat("x", 60_000))})
	}
	logAll(t, s, farm, subs)
	indexed(t, s)
	answer, err := s.JourneyHistories(t.Context(), crate)
	if err != nil {
		t.Fatal(err)
	}
	histories, missed := answer.Histories, answer.NotFollowed
	size := 0
	for _, h := range histories {
		for _, e := range h.Entries {
			size += len(e.Entry)
		}
	}
	if size > 3*provenance.MaxJourneyBytes {
		t.Errorf("%d MiB of entries in one answer", size>>20)
	}
	if len(missed) == 0 || len(histories) == 0 || histories[len(histories)-1].ID != "farm" {
		t.Errorf("%d histories, not followed %v", len(histories), missed)
	}
	incomplete(t, s, crate, answer, missed)
}

// incomplete checks that a reader takes all that is in an answer, and misses what the
// service says that it left out.
func incomplete(t *testing.T, s *provenance.Service, id string, answer *history.Journey, left []string) {
	t.Helper()
	v, err := verify.Journey(answer.Append(nil), id, trusting(t, s))
	if err != nil || v.Claim() != verify.Incomplete {
		t.Fatalf("%v, %v", v, err)
	}
	var missing []string
	for _, key := range v.Missing {
		missing = append(missing, key.Identifier)
	}
	slices.Sort(missing)
	if left = slices.Sorted(slices.Values(left)); !slices.Equal(slices.Compact(missing), left) {
		t.Errorf("a reader misses %q, and the service says %q", missing, left)
	}
}

// TestJourneyThroughALongHistory: of a history of a page's length nothing is missing;
// of a longer one there is a page, which leads on, and the journey is incomplete.
func TestJourneyThroughALongHistory(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	subs := []provenance.Submission{packed("ADD", pallet, crate, 0, "")}
	for i := range history.PageLimit - 1 {
		subs = append(subs, seen(i, i%50, crate))
	}
	logAll(t, s, farm, subs)
	indexed(t, s)
	answer, err := s.JourneyHistories(t.Context(), crate)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.Journey(answer.Append(nil), crate, trusting(t, s))
	if err != nil || v.Claim() != verify.CompleteByOperator || len(answer.NotFollowed) != 0 {
		t.Errorf("%d entries: %v, %v", len(subs), v, err)
	}
	logAll(t, s, farm, []provenance.Submission{seen(2000, 1, crate)})
	indexed(t, s)
	if answer, err = s.JourneyHistories(t.Context(), crate); err != nil {
		t.Fatal(err)
	}
	if first := answer.Histories[0]; len(first.Positions) != history.PageLimit+1 || len(first.Entries) != history.PageLimit || answer.Histories[1].ID != pallet {
		t.Errorf("%d of %d entries, then %s", len(first.Entries), len(first.Positions), answer.Histories[1].ID)
	}
	incomplete(t, s, crate, answer, []string{crate})
	for offset, want := range map[uint64]int{0: 7, 500: 7, history.PageLimit: 1} {
		h, err := s.History(t.Context(), historyindex.Object, crate, offset, 7)
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify.History(h.Append(nil), historyindex.Key{Identifier: crate}, trusting(t, s))
		if err != nil || v.Claim() != verify.Page || v.First != int(offset) || len(v.Entries) != want {
			t.Errorf("from %d on: %v, %v", offset, v, err)
		}
	}
	var refused *provenance.Refused
	if _, err := s.History(t.Context(), historyindex.Object, crate, history.PageLimit+1, 7); !errors.As(err, &refused) {
		t.Errorf("beyond the end: %v", err)
	}
	// The page has room for all of it.
	if page, err := s.Journey(t.Context(), crate); err != nil || len(page.Steps) != history.PageLimit+1 || len(page.NotFollowed) != 0 {
		t.Errorf("the page has %d steps, not followed %q, %v", len(page.Steps), page.NotFollowed, err)
	}
}

// TestJourneyLeavesOutWhatHasNoRoom: a history that no reader would take a part of is
// left out, its thing's own too.
func TestJourneyLeavesOutWhatHasNoRoom(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	note := strings.Repeat("x", 60_000)
	var subs []provenance.Submission
	for i := range provenance.MaxJourneyBytes/len(note) + 1 {
		subs = append(subs, event(1, fmt.Sprintf(`,"example:n":%d,"example:note":%q`, i, note)))
	}
	logAll(t, s, farm, subs)
	indexed(t, s)
	const id = "https://id.gs1.org/01/09506000134352/21/1"
	answer, err := s.JourneyHistories(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range answer.Histories {
		if h.ID == id && h.Kind == "object" || len(h.Entries) != len(h.Positions) {
			t.Errorf("%s %s has %d of %d entries", h.Kind, h.ID, len(h.Entries), len(h.Positions))
		}
	}
	incomplete(t, s, id, answer, []string{id})
	// The page shows the beginning, and says that it is one.
	page, err := s.Journey(t.Context(), id)
	if err != nil || len(page.Steps) == 0 || len(page.Steps) >= len(subs) || !slices.Equal(page.NotFollowed, []string{id}) {
		t.Errorf("the page has %d steps, not followed %q, %v", len(page.Steps), page.NotFollowed, err)
	}
}

// TestJourneyWithRoomForNothingMore: of a long history, not even whose first entry has
// room, there is no page without entries.
func TestJourneyWithRoomForNothingMore(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	large := func(n int, thing string) provenance.Submission {
		return provenance.Submission{Body: fmt.Appendf(nil,
			`{"type":"ObjectEvent","eventTime":"2026-04-03T07:00:00Z","eventTimeZoneOffset":"+00:00","epcList":[%q],"action":"OBSERVE","example:n":%d,"example:note":%q}`,
			thing, n, strings.Repeat("x", 60_000))}
	}
	subs := []provenance.Submission{large(0, pallet), packed("ADD", pallet, crate, 0, "")}
	for i := range provenance.MaxJourneyBytes / 60_500 {
		subs = append(subs, large(i, crate))
	}
	for i := range history.PageLimit {
		subs = append(subs, seen(i, i%50, pallet))
	}
	logAll(t, s, farm, subs)
	indexed(t, s)
	answer, err := s.JourneyHistories(t.Context(), crate)
	if err != nil {
		t.Fatal(err)
	}
	incomplete(t, s, crate, answer, []string{pallet})
}

// TestManyUseOneEventID finds an event by its participant among any number of
// others that took the same id.
func TestManyUseOneEventID(t *testing.T) {
	s := open(t, t.TempDir())
	farm, other := add(t, s, "Farm"), add(t, s, "Other")
	own := mustLog(t, s, farm, event(1, `,"eventID":"urn:x:1"`))
	var subs []provenance.Submission
	for i := range 700 {
		subs = append(subs, event(1, fmt.Sprintf(`,"eventID":"urn:x:1","errorDeclaration":{"declarationTime":"2026-04-05T00:00:00.%03dZ"}`, i)))
	}
	logAll(t, s, other, subs)
	found, err := s.Event(t.Context(), "urn:x:1", "farm")
	if err != nil || found.Index != own.Index {
		t.Errorf("%+v, %v", found.Index, err)
	}
	if found, err = s.Event(t.Context(), "urn:x:1", ""); err != nil || found.Participant != "other" || len(found.Others) != 100 {
		t.Errorf("the newest: %+v, %v", found.Index, err)
	}
	if _, err = s.Event(t.Context(), "urn:x:1", "third"); !errors.Is(err, provenance.ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
	// It is still known what a declaration of the farm must repeat.
	if _, err := s.Log(t.Context(), farm, event(2, `,"eventID":"urn:x:1","errorDeclaration":{"declarationTime":"2026-04-05T00:00:00Z"}`)); err == nil {
		t.Error("a declaration for another event was taken")
	}
}

// TestManagedKeysAreForTheOwnerAlone holds for a data directory that was there
// before, as a container's volume is, with the modes that such have.
func TestManagedKeysAreForTheOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	add(t, s, "Farm")
	if info, err := os.Stat(filepath.Join(dir, "private")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of managed keys: %v, %v", info.Mode(), err)
	}
}

// TestSendingAgainCostsNothing sends one event again and again while nothing can
// be published.
func TestSendingAgainCostsNothing(t *testing.T) {
	on := new(atomic.Bool)
	c := config(t, t.TempDir())
	c.Backend = func(ctx context.Context, dir string) (trillianlog.Backend, error) {
		b, err := embedded.Open(ctx, dir, embedded.Options{})
		return mute{b, on}, err
	}
	s, err := provenance.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	farm := add(t, s, "Farm")
	on.Store(true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	send := func() {
		if logged, err := s.Log(gone, farm, event(1, "")); err != nil || !logged.Pending {
			t.Fatalf("%+v, %v", logged, err)
		}
	}
	send()
	before := runtime.NumGoroutine()
	for range 1000 {
		send()
	}
	if more := runtime.NumGoroutine() - before; more > 100 {
		t.Errorf("%d goroutines wait for one event", more)
	}
	on.Store(false)
}

// TestRecentIsBounded asks for more large entries than one answer holds.
func TestRecentIsBounded(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	var subs []provenance.Submission
	for i := range 150 {
		subs = append(subs, event(i, `,"example:note":"`+strings.Repeat("x", 60_000)+`"`))
	}
	logAll(t, s, farm, subs)
	for _, by := range []string{"", "farm"} {
		events, err := s.Recent(t.Context(), by, 1000)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, e := range events {
			size += len(e.Entry)
		}
		if size > 8<<20 || len(events) < 100 || events[0].Index != 151 {
			t.Errorf("by %q: %d events of %d bytes", by, len(events), size)
		}
	}
}
