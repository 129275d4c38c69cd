package provenance_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/internal/testdata"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// copied is what somebody has who has copied a service's two logs and made the map
// again from them.
type copied struct {
	*store.Index
	indexCheckpoint, logCheckpoint []byte
	proof                          [][32]byte
}

func copyOf(t *testing.T, s *provenance.Service) *copied {
	t.Helper()
	x, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	c := &copied{Index: x}
	index, signed := s.IndexTiles().Checkpoint()
	size := index.Size
	c.indexCheckpoint = signed
	_, c.logCheckpoint = s.Published()
	if err := x.Follow(t.Context(), s.IndexTiles().Stream(t.Context(), 0, size), s.Tiles()); err != nil {
		t.Fatal(err)
	}
	if err := x.Publish(size); err != nil {
		t.Fatal(err)
	}
	if c.proof, err = s.IndexTiles().InclusionProof(size-1, size); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *copied) Snapshot() (*indexlog.Snapshot, error) {
	view, err := c.View()
	if err != nil {
		return nil, err
	}
	leaf := view.Leaf()
	return &indexlog.Snapshot{
		IndexCheckpoint: c.indexCheckpoint, IndexLeaf: leaf.Text, IndexProof: c.proof,
		LogCheckpoint: c.logCheckpoint, Size: leaf.Checkpoint.Size, View: view,
	}, nil
}

// stateOf folds the statements in the log.
func stateOf(t *testing.T, s *provenance.Service) *participant.State {
	t.Helper()
	state := participant.NewState()
	published, _ := s.Published()
	index := uint64(0)
	for b, err := range s.Tiles().Stream(t.Context(), 0, published.Size) {
		e, parseErr := entry.Parse(b)
		if err = errors.Join(err, parseErr); err != nil {
			t.Fatal(err)
		}
		state.Apply(index, e)
		index++
	}
	return state
}

// trusting is the trust in both of a service's keys, and no witness.
func trusting(t *testing.T, s *provenance.Service) verify.Trust {
	t.Helper()
	log, err := policy.None(s.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	index, err := policy.None(s.IndexKey())
	if err != nil {
		t.Fatal(err)
	}
	return verify.Trust{Policy: log, IndexPolicy: index}
}

// realEvents are the events of the published EPCIS documents.
func realEvents(t *testing.T) (subs []provenance.Submission) {
	t.Helper()
	dir := filepath.Join(testdata.Dir(t), "epcis")
	err := filepath.WalkDir(dir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() || !strings.Contains(filepath.Ext(path), "json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		v, err := jcs.Parse(b)
		if err != nil {
			return nil // one of those that are wrong on purpose
		}
		events, err := epcis.Events(v)
		if err != nil {
			return nil
		}
		for _, e := range events {
			subs = append(subs, provenance.Submission{Body: e.Canonical()})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return subs
}

// keysOf are those of all entries that are published.
func keysOf(t *testing.T, s *provenance.Service) (keys []historyindex.Key) {
	t.Helper()
	published, _ := s.Published()
	have := map[historyindex.Key]bool{}
	for b, err := range s.Tiles().Stream(t.Context(), 0, published.Size) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := entry.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range historyindex.Keys(e) {
			if !have[key] {
				have[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// TestEverythingVerifies logs real events and asks for every history and journey that
// they make. The reader's own code takes each of them and misses nothing; and who has
// copies of the two logs, and no service, gives the same answers.
func TestEverythingVerifies(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	taken := 0
	for _, r := range s.LogBatch(t.Context(), farm, realEvents(t)) {
		if r.Err == nil {
			taken++
		}
	}
	if taken < 90 {
		t.Fatalf("only %d events were taken", taken)
	}
	// What was put in and what came out, logged apart; packed, with a lot in an item's
	// link; and a withdrawal.
	const made = `"eventTimeZoneOffset":"+00:00","transformationID":"urn:x:batch-1"`
	const jar = "https://id.gs1.org/01/09506000100340/10/PUR-1/21/1"
	logAll(t, s, farm, []provenance.Submission{
		{Body: []byte(`{"type":"TransformationEvent","eventTime":"2026-04-01T09:00:00Z",` + made + `,"inputEPCList":["urn:x:apples"]}`)},
		{Body: []byte(`{"type":"TransformationEvent","eventTime":"2026-04-01T10:00:00Z",` + made + `,"outputEPCList":["` + jar + `"]}`)},
		seen(1, 0, "urn:x:apples"), packed("ADD", crate, jar, 0, ""), packed("ADD", pallet, crate, 1, ""), seen(2, 30, pallet),
		event(1, `,"eventID":"urn:x:mistake"`), event(1, `,"eventID":"urn:x:mistake","errorDeclaration":{"declarationTime":"2026-04-05T00:00:00Z"}`),
	})
	taken += 8
	indexed(t, s)
	trust := trusting(t, s)
	mirror := provenance.NewReader(provenance.ReaderOptions{Index: copyOf(t, s), Tiles: s.Tiles(), State: stateOf(t, s)})
	keys := keysOf(t, s)
	things := []string{jar, "urn:x:never-logged", "https://id.gs1.org/01/09506000134352/10/ABSENT/21/ABSENT"}
	for _, key := range append(keys, historyindex.Key{Kind: historyindex.Input, Identifier: "urn:x:never-logged"}) {
		if key.Kind != historyindex.By && key.Kind != historyindex.Participant && key.Kind != historyindex.Operator {
			things = append(things, key.Identifier)
		}
		h, err := s.History(t.Context(), key.Kind, key.Identifier, 0, 0)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		saved := h.Append(nil)
		v, err := verify.History(saved, key, trust)
		if err != nil || v.Claim() != verify.CompleteByOperator || v.Unauthenticated() > 0 {
			t.Errorf("%s: %v, %v", key, v, err)
		}
		copied, err := mirror.History(t.Context(), key.Kind, key.Identifier, 0, 0)
		if err != nil || !bytes.Equal(copied.Append(nil), saved) {
			t.Errorf("%s: the copy's answer is another one, %v", key, err)
		}
	}
	slices.Sort(things)
	steps := 0
	for _, id := range slices.Compact(things) {
		answer, err := s.JourneyHistories(t.Context(), id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		saved := answer.Append(nil)
		v, err := verify.Journey(saved, id, trust)
		if err != nil || v.Claim() != verify.CompleteByOperator || len(v.NotFollowed) > 0 {
			t.Errorf("%s: %v, %v", id, v, err)
			continue
		}
		copied, err := mirror.JourneyHistories(t.Context(), id)
		if err != nil || !bytes.Equal(copied.Append(nil), saved) {
			t.Errorf("%s: the copy's answer is another one, %v", id, err)
		}
		// The page tells the same journey.
		page, err := mirror.Journey(t.Context(), id)
		if err != nil || len(page.Steps) != len(v.Journey.Steps) || page.ID != v.ID || page.Size != v.Checkpoint.Size {
			t.Errorf("%s: the page has %d steps, and the answer %d: %v", id, len(page.Steps), len(v.Journey.Steps), err)
			continue
		}
		for i, step := range page.Steps {
			if want := v.Journey.Steps[i]; step.Index != want.Index || step.Role != want.Role || step.HasEffect() != v.Entry(want).LeadsOn() {
				t.Errorf("%s: step %d of the page is entry %d, %v", id, i, step.Index, step.Role)
			}
		}
		steps += len(page.Steps)
		if id == jar && len(v.Journey.Keys) < 8 {
			t.Errorf("the jar's journey was followed through %v", v.Journey.Keys)
		}
	}
	if steps < len(things) {
		t.Errorf("%d steps in %d journeys", steps, len(things))
	}
	t.Logf("%d events, %d histories, %d journeys of %d steps", taken, len(keys), len(things), steps)
}

// notYet is an index that is being made.
type notYet struct{}

func (notYet) Snapshot() (*indexlog.Snapshot, error) { return nil, indexlog.ErrNotServed }

func TestNotIndexed(t *testing.T) {
	s := open(t, t.TempDir())
	r := provenance.NewReader(provenance.ReaderOptions{Index: notYet{}, Tiles: s.Tiles()})
	const id = "urn:x:1"
	for what, err := range map[string]error{
		"a history":     second(r.History(t.Context(), historyindex.Object, id, 0, 0)),
		"a journey":     second(r.Journey(t.Context(), id)),
		"its histories": second(r.JourneyHistories(t.Context(), id)),
	} {
		if !errors.Is(err, provenance.ErrNotIndexed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What nobody can ever be told is said at once.
	for range 10 {
		if _, err := r.JourneyHistories(t.Context(), "no identifier"); err == nil || errors.Is(err, provenance.ErrNotIndexed) || !strings.Contains(err.Error(), "id") {
			t.Fatal(err)
		}
		if _, err := r.Journey(t.Context(), id); !errors.Is(err, provenance.ErrNotIndexed) { // and gives its turn back
			t.Fatal(err)
		}
	}
}
