package liar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const thing = "urn:x:thing"

func grow(w *verifytest.World, ids ...string) {
	for _, id := range ids {
		text := fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:e:%d","eventTime":"2026-11-01T00:00:00Z","action":"OBSERVE","epcList":[%q]}`, w.Log.Size(), id)
		w.Sign(verifytest.JSON(w.T, text), w.Managed("mill", ""))
	}
}

func mustPolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFaces holds that each lie is what it says, and nothing else: without witnesses it
// passes, unless it contradicts itself.
func TestFaces(t *testing.T) {
	w := verifytest.New(t, "liar.example/log")
	rebuilds := verifytest.NewCosigner("iv.example")
	w.LogCosigners, w.IndexCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("w.example")}, []*verifytest.Cosigner{rebuilds}
	w.Register("mill", nil, w.Managed("mill", ""))
	grow(w, thing, "urn:x:other", thing)
	before := Of(w, w.Publish(1000))
	before = &Operator{World: before.copied(w.Log.Leaves, w.Index.Leaves), Log: before.Log, Index: before.Index, cover: before.cover}
	grow(w, thing)
	now := Of(w, w.Publish(2000))
	foreign := verifytest.New(t, "other.example/log")

	witnessed := verify.Trust{Policy: mustPolicy(t, w.LogPolicy()), IndexPolicy: mustPolicy(t, w.IndexPolicy()), IndexVerifiers: []string{rebuilds.Verifier()}}
	lonely, err := verify.LogKey(w.LogKey.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	hidden := now.Find(thing)[1]
	moved := now.ForkedLog(hidden, 1)
	now.Moved(moved)
	for _, c := range []struct {
		face            *Face
		steps           int
		witnessed, none error
	}{
		{now.Truth(), 3, nil, nil},
		{before.Replayed(), 2, nil, nil},
		{now.Grown(), 3, verify.ErrIndexQuorum, nil},
		{now.ForkedLog(hidden, 1), 2, verify.ErrIndexQuorum, nil},
		{now.ForkedLog(hidden, 5), 2, verify.ErrIndexQuorum, nil},
		{moved, 2, verify.ErrIndexSignature, nil},
		{now.HiddenEntry(hidden), 2, verify.ErrIndexQuorum, nil},
		{now.FrozenIndex(before.World.Log.Size()), 2, verify.ErrIndexQuorum, nil},
		{now.OtherIndex(foreign), 0, verify.ErrIndexQuorum, nil},
		{now.OtherLogsLeaf(foreign), 0, verify.ErrIndexQuorum, verify.ErrLeafLog},
		{now.OldLogCheckpoint(before), 0, verify.ErrLogLeaf, verify.ErrInclusion},
		{now.LeafAhead(), 0, verify.ErrIndexQuorum, verify.ErrInclusion},
		{now.HistoryForJourney(), 0, verify.ErrMalformed, verify.ErrMalformed},
	} {
		t.Run(c.face.Name, func(t *testing.T) {
			server := httptest.NewServer(c.face.Handler(nil))
			defer server.Close()
			saved := fetched(t, server.URL+"/v1/journey?id="+thing)
			for _, r := range []struct {
				trust verify.Trust
				want  error
			}{{witnessed, c.witnessed}, {lonely, c.none}} {
				v, err := verify.Journey(saved, thing, r.trust)
				if !errors.Is(err, r.want) || (err == nil) != (r.want == nil) {
					t.Errorf("got %v, want %v", err, r.want)
				}
				if err == nil && (len(v.Journey.Steps) != c.steps || len(v.Missing) > 0) {
					t.Errorf("%d steps, want %d; missing %v", len(v.Journey.Steps), c.steps, v.Missing)
				}
			}
			if c.none != nil {
				return
			}
			if _, err := verify.History(fetched(t, server.URL+"/v1/history?id="+thing), historyindex.Key{Identifier: thing}, lonely); err != nil {
				t.Errorf("its history: %v", err)
			}
			for _, log := range []string{"log", "index"} {
				readWhole(t, server.URL+"/"+log)
			}
		})
	}
}

// readWhole reads a log's files, which fit its checkpoint.
func readWhole(t *testing.T, address string) {
	t.Helper()
	source, err := fetch.HTTP(address, fetch.HTTPOptions{Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := fetch.Checkpoint(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := checkpoint.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for _, err := range fetch.Open(source, c, fetch.Options{}).Stream(context.Background(), 0, c.Size) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != c.Size {
		t.Errorf("%s has %d entries of %d", address, n, c.Size)
	}
}

func fetched(t *testing.T, address string) []byte {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v: %s", address, answer.StatusCode, err, b)
	}
	return b
}
