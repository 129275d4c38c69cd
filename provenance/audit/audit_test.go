package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

func TestClean(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Sign(product(1, gtin), w.farm)
	for range 4 {
		w.grow(300)
		w.publish()
	}
	o := w.options()
	r := once(t, o)
	want(t, r)
	if !r.Complete || r.Next != 1204 || r.Totals != (Counts{Entries: 1204, Events: 1200, Statements: 4, Signatures: 1204}) || r.New != r.Totals {
		t.Errorf("%+v", r)
	}
	if r.Index.Leaves != 4 || r.Index.Entries != 1204 || r.Index.Keys == 0 || r.Participants.Active != 2 {
		t.Errorf("%+v %+v", r.Index, r.Participants)
	}
	contains(t, r.String(), "1,204 entries", "4 leaves, every one is what the entries give", "the log's, the index log's and the operator's from the log's own first entry", "no witness asked for", "nothing is wrong")

	// A second one reads only what is new.
	w.reads.Store(0)
	r = once(t, o)
	want(t, r)
	if n := w.reads.Load(); n > 20 || r.New.Entries != 0 || r.Log.Seen != 1204 || r.Index.Seen != 4 {
		t.Errorf("%d reads, %+v", n, r)
	}
	w.grow(1)
	w.Sign(product(2, gtin), w.farm)
	w.Sign(w.statement(2, nil), w.Operator)
	w.publish()
	w.reads.Store(0)
	r = once(t, o)
	want(t, r)
	if n := w.reads.Load(); n > 40 || r.New.Entries != 3 || r.Totals.Entries != 1207 || r.From != 1204 {
		t.Errorf("%d reads, %+v", n, r)
	}
	contains(t, r.String(), "3 of them since the last audit", "continues size 1,204")
	var again Report
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil || again.Totals != r.Totals || again.Log.Checkpoint != w.served.log {
		t.Errorf("%v %s", err, text)
	}
}

// Everything that can be wrong with an entry is counted and named.
func TestEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var expected []string
	put := func(kind Kind, index uint64) uint64 {
		if kind != "" {
			expected = append(expected, fmt.Sprint(kind, " ", index))
		}
		w.grow(90) // so that it is not all in one chunk
		return index
	}
	sign := w.Sign
	first := put("", sign(w.event("urn:event:a", 1), w.farm))
	put(Duplicate, sign(w.event("urn:event:a", 2), w.farm))
	put("", sign(w.event("urn:event:a", 1), w.dairy)) // another one says it
	put(Unauthenticated, sign(w.event("urn:event:b", 1), w.Managed("farm", "another")))
	put(Unauthenticated, sign(w.event("urn:event:b", 1), w.Managed("stranger", "")))
	put("", sign(w.event("urn:event:b", 1), w.farm)) // the unauthenticated one was none
	put(Unauthenticated, w.Log.Add(verifytest.Entry(t, "example.org/other", w.event("urn:event:c", 1), verifytest.Key(t, "example.org/other/own/farm", ""))))
	put(Malformed, w.Log.Add([]byte("no entry")))
	put(Malformed, w.Log.Add(nil))
	forged := verifytest.Entry(t, origin, w.event("urn:event:d", 1), w.farm)
	put(Unauthenticated, w.Log.Add(bytes.Replace(forged, []byte("LOT-1"), []byte("LOT-2"), 1)))
	put(Keys, sign(verifytest.JSON(t, `{"type":"ObjectEvent","eventID":"urn:event:e","action":"OBSERVE"}`), w.farm))
	many := make([]string, historyindex.MaxKeys)
	for i := range many {
		many[i] = fmt.Sprintf(`"a:%d"`, i)
	}
	put(Keys, sign(verifytest.JSON(t, `{"type":"ObjectEvent","eventID":"urn:event:f","epcList":[`+strings.Join(many, ",")+`]}`), w.farm))
	// Statements.
	put(Duplicate, sign(w.Genesis().JSON(), w.Operator))
	put(Ineffective, sign(w.statement(3, nil), w.Operator))
	put("", sign(w.statement(2, nil), w.Operator))
	put(Duplicate, sign(w.statement(2, nil), w.Operator))
	put("", sign(w.statement(3, nil), w.Operator)) // it was said before, and had no effect then
	put(Ineffective, sign(w.statement(4, nil), w.farm))
	put(Unauthenticated, sign(w.statement(4, nil), verifytest.Key(t, w.Operator.Name(), "another")))
	recovery := sign(w.statement(4, func(s *participant.Statement) {
		s.OwnKeys, s.Recovery = []string{w.Own("dairy", "new").Verifier().String()}, true
		s.Prove(origin, w.Own("dairy", "new"))
	}), w.Operator)
	w.dairy = w.Own("dairy", "new")
	put(Recovery, recovery)
	put(Ineffective, sign(participant.Void{Number: 5}.JSON(), w.Operator))
	put("", sign(participant.Void{Number: w.Log.Size()}.JSON(), w.Operator))
	put(Ineffective, sign(verifytest.JSON(t, `{"type":"tallyroot:Future"}`), w.Operator))
	// Names of things.
	put("", sign(product(1, gtin), w.farm))
	put(Ineffective, sign(product(3, gtin), w.farm))
	put("", sign(product(2, gtin), w.farm))
	put(Ineffective, sign(product(1, gtin), w.dairy)) // no grant
	put(Ineffective, sign(product(1, "https://id.gs1.org/01/04012345000009"), w.farm))
	put(Ineffective, sign(product(1, gtin).Without("identifier"), w.farm))
	// Error declarations.
	declared := w.event("urn:event:a", 1).With("errorDeclaration", verifytest.JSON(t, `{"declarationTime":"2026-01-01T00:00:00Z"}`))
	put("", sign(declared, w.farm))
	other := w.event("urn:event:a", 5).With("errorDeclaration", verifytest.JSON(t, `{"declarationTime":"2026-01-02T00:00:00Z"}`))
	put(Ineffective, sign(other, w.farm))
	early := w.event("urn:event:late", 5).With("errorDeclaration", verifytest.JSON(t, `{"declarationTime":"2026-01-03T00:00:00Z"}`))
	put("", sign(early, w.farm))
	// The operator's next key.
	next := verifytest.Key(t, w.Operator.Name(), "next")
	rollover := participant.Rollover{Number: 1, OperatorKey: next.Verifier().String()}
	rollover.Prove(origin, next)
	put("", sign(rollover.JSON(), w.Operator))
	put(Unauthenticated, sign(w.statement(5, nil), w.Operator))
	put("", sign(participant.Void{Number: w.Log.Size()}.JSON(), next))

	o := w.options()
	o.OperatorKey = next.Verifier().String()
	w.publish()
	r := once(t, o)
	want(t, r, expected...)
	if r.Waiting != 1 || r.Totals.Withdrawn != 1 || r.Totals.Malformed != 2 || !r.Complete {
		t.Errorf("%+v", r)
	}
	for _, f := range r.Findings {
		if f.Kind == Duplicate && *f.Index == first+91 && (*f.DuplicateOf != first || f.EventID != "urn:event:a" || f.Participants[0] != "farm") {
			t.Errorf("%+v", f)
		}
	}
	contains(t, r.String(), "SOMETHING IS WRONG", fmt.Sprintf("entry %d of example.org/log: it says what entry %d said before", first+91, first), "withdrawn    1 event; 1 error declaration of an event that is not in the log")
	sums := r.Totals

	// Whatever the windows are, the outcome is the same; nothing is named twice.
	sign(w.event("urn:event:late", 5), w.farm)
	sign(w.event("urn:event:a", 9), w.farm) // a third one
	w.publish()
	r = once(t, o)
	want(t, r, fmt.Sprint("duplicate ", w.Log.Size()-1))
	if r.Waiting != 0 || r.Totals.Withdrawn != 2 {
		t.Errorf("%+v", r)
	}
	contains(t, r.String(), "named before", "2 malformed", "duplicate")
	sums.Entries, sums.Events, sums.Signatures, sums.Duplicates, sums.Withdrawn = sums.Entries+2, sums.Events+2, sums.Signatures+2, sums.Duplicates+1, 2
	if r.Totals != sums {
		t.Errorf("%+v, want %+v", r.Totals, sums)
	}
	fresh := once(t, func() Options { o := w.options(); o.MaxNamed = 1; return o }())
	if fresh.Totals != sums {
		t.Errorf("%+v, want %+v", fresh.Totals, sums)
	}
	contains(t, fresh.String(), fmt.Sprintf("ineffective: %d", sums.Ineffective), fmt.Sprintf("and %d more", sums.Ineffective-1))
}

// An audit that is interrupted goes on where it was, and what it had found is told.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Log.Add([]byte("no entry"))
	w.Sign(product(1, gtin), w.farm)
	const window = 512
	w.grow(2*window + 100)
	w.Sign(product(2, gtin), w.farm)
	w.Sign(w.event("urn:event:5", 1), w.farm) // a duplicate of one before the interruption
	w.publish()
	w.grow(50)
	w.publish()
	o := w.options()
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a.window = window
	a.progress.tell = func(uint64, uint64) { cancel() }
	if _, err := a.Round(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	for _, broken := range []string{"index checkpoint", "log tile/entries/003", "log tile/0/003"} {
		trouble := errors.New("the network is down")
		w.get = func(log, path string) ([]byte, error, bool) {
			return nil, trouble, log+" "+path == broken
		}
		r, err := try(t, o)
		if !errors.Is(err, trouble) || r.Complete || !strings.Contains(err.Error(), "") {
			t.Fatalf("%s: %v, %+v", broken, err, r)
		}
		contains(t, r.String(), "SOMETHING IS WRONG") // what was found already
	}
	w.get = nil
	if a, err = Open(o); err != nil {
		t.Fatal(err)
	}
	if a.ledger.head.Next == 0 {
		t.Error("it begins anew")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	r := once(t, o)
	want(t, r, "malformed 3", fmt.Sprint("duplicate ", 2*window+106))
	if !r.Complete || r.Totals.Entries != w.Log.Size() || r.Index.Leaves != 2 {
		t.Errorf("%+v", r)
	}
	if fresh := once(t, w.options()); fresh.Totals != r.Totals || !bytes.Equal(fresh.Index.MapRoot, r.Index.MapRoot) {
		t.Errorf("%+v, and in one go %+v", r.Totals, fresh.Totals)
	}
}

// liars change what is served after it was audited once. Each is found.
func TestLogs(t *testing.T) {
	t.Parallel()
	// grown is a world that was audited, and has grown since.
	type grown struct {
		*world
		o     Options
		small *verifytest.Snapshot // from before
	}
	for name, test := range map[string]struct {
		lie  func(g *grown)
		want []string
		says string
	}{
		"honest": {func(g *grown) {}, nil, "nothing is wrong"},
		"an entry is damaged": {func(g *grown) {
			g.get = func(log, path string) ([]byte, error, bool) {
				data, ok := g.Log.File(path)
				if log != "log" || path != "tile/entries/002.p/90" || !ok {
					return nil, nil, false
				}
				data[len(data)-1] ^= 1
				return data, nil, true
			}
		}, []string{"damaged 601"}, "https://trace.example.org/log/tile/entries/002.p/90"},
		"a file is missing": {func(g *grown) {
			g.get = func(log, path string) ([]byte, error, bool) {
				return nil, fs.ErrNotExist, log == "log" && path == "tile/entries/001"
			}
		}, []string{"missing 256"}, "read its checkpoint again"},
		"a leaf is missing": {func(g *grown) {
			g.get = func(log, path string) ([]byte, error, bool) {
				return nil, fs.ErrNotExist, log == "index" && strings.HasPrefix(path, "tile/entries/000")
			}
		}, []string{"missing 0"}, "example.org/log/index"},
		"no log key's signature": {func(g *grown) {
			g.LogKey = verifytest.Key(t, origin, "another")
			g.publish()
		}, []string{"checkpoint"}, "not to be believed"},
		"no index key's signature": {func(g *grown) {
			g.IndexKey = verifytest.Key(t, origin+"/index", "another")
			g.grow(1)
			g.publish()
		}, []string{"checkpoint"}, "index log's published checkpoint"},
		"no checkpoint": {func(g *grown) { g.served.log = "nothing\n" }, []string{"checkpoint"}, "malformed"},
		"a fork": {func(g *grown) {
			g.Log = verifytest.Tree{}
			g.Sign(g.Genesis().JSON(), g.Operator)
			g.Register("farm", []string{"9506000"}, g.farm)
			g.Register("dairy", nil, g.dairy)
			for i := range 700 {
				g.Sign(g.event(fmt.Sprint("urn:other:", i), 1), g.farm)
			}
			g.publish()
		}, []string{"fork"}, "keep both checkpoints"},
		"a fork of the same size": {func(g *grown) {
			leaves := g.Log.Leaves[:301]
			g.Log = verifytest.Tree{}
			for _, leaf := range leaves[:300] {
				g.Log.Add(leaf)
			}
			g.Log.Add(verifytest.Entry(t, origin, g.event("urn:other", 1), g.farm))
			g.publish()
		}, []string{"fork"}, "keep both checkpoints"},
		"a fork of the index log": {func(g *grown) {
			g.Index.Leaves[0] = []byte(strings.ToUpper(string(g.Index.Leaves[0])))
			leaves := g.Index.Leaves
			g.Index = verifytest.Tree{}
			for _, leaf := range leaves {
				g.Index.Add(leaf)
			}
			g.grow(1)
			g.publish()
		}, []string{"fork"}, "example.org/log/index"},
		"an old checkpoint": {func(g *grown) { g.serve(g.small) }, []string{"rolled-back"}, "was seen at size 301"},
		"an old index":      {func(g *grown) { g.served.index = string(g.small.Index.Append(nil)) }, []string{"rolled-back"}, "old copy"},
		"a frozen index": {func(g *grown) {
			index := g.served.index
			g.grow(5)
			g.publish()
			g.served.index = index
		}, []string{"index-behind"}, "covers 602 entries of 607"},
		"a hidden entry": {func(g *grown) {
			g.grow(5)
			g.hide(604)
		}, []string{"index-leaf 3"}, "they give"},
		"an entry hidden for a while": {func(g *grown) {
			g.grow(5)
			g.hide(604)
			g.grow(5)
			g.publish()
		}, []string{"index-leaf 3"}, "they give"},
		"an index of another log": {func(g *grown) {
			other := newWorld(t)
			other.Sign(other.event("urn:other", 1), other.farm)
			other.grow(699)
			s := other.Publish(now)
			g.Index.Add([]byte(s.Leaf))
			s.SignIndex(now)
			c := checkpoint.Checkpoint{Origin: origin + "/index", Size: g.Index.Size(), Root: g.Index.Root(g.Index.Size())}
			note := verifytest.Signed(c.Body(), g.IndexKey, now)
			g.served.index = string(note.Append(nil))
			g.grow(101)
			c = checkpoint.Checkpoint{Origin: origin, Size: g.Log.Size(), Root: g.Log.Root(g.Log.Size())}
			note = verifytest.Signed(c.Body(), g.LogKey, now)
			g.served.log = string(note.Append(nil))
		}, []string{"index-leaf 3"}, "whose first 703 entries have the root"},
		"a leaf about more than the log has": {func(g *grown) {
			g.ahead(g.Log.Size()+1, [32]byte{1})
		}, []string{"index-leaf 3"}, "603 entries"},
		"leaves about more than the log has, and one that it comes to": {func(g *grown) {
			g.ahead(1<<63, [32]byte{1})
			g.grow(1)
			g.ahead(g.Log.Size(), g.Log.Root(g.Log.Size()))
			c := checkpoint.Checkpoint{Origin: origin, Size: g.Log.Size(), Root: g.Log.Root(g.Log.Size())}
			note := verifytest.Signed(c.Body(), g.LogKey, now)
			g.change("log", 1, string(note.Append(nil)))
		}, []string{"index-leaf 3"}, "9223372036854775808 entries"},
		"a leaf about a fork that is not shown": {func(g *grown) {
			g.ahead(g.Log.Size()+1, [32]byte{1})
			g.grow(5)
			c := checkpoint.Checkpoint{Origin: origin, Size: g.Log.Size(), Root: g.Log.Root(g.Log.Size())}
			note := verifytest.Signed(c.Body(), g.LogKey, now)
			g.change("log", 1, string(note.Append(nil)))
		}, []string{"index-leaf 3"}, "the log's have the root"},
		"a leaf that lies and is ahead of the log": {func(g *grown) {
			g.grow(5)
			before := g.served.log
			g.hide(604)
			after := g.served.log
			g.served.log = before
			g.change("log", 1, after)
		}, []string{"index-leaf 3"}, "they give"},
		"an index that lies when it is read again": {func(g *grown) {
			g.o.IndexWait = time.Minute
			good := g.served.index
			g.grow(5)
			g.hide(604)
			bad := g.served.index
			g.served.index = good
			g.change("index", 1, bad)
		}, []string{"index-leaf 3"}, "they give"},
		"a leaf that is none": {func(g *grown) {
			g.grow(1)
			g.Index.Add([]byte("no leaf"))
			g.publish()
		}, []string{"index-leaf"}, "malformed leaf"},
		"a leaf twice": {func(g *grown) {
			g.Index.Add(g.Index.Leaves[2])
			g.grow(1)
			g.publish()
		}, []string{"index-leaf"}, "does not follow"},
		"too old":   {func(g *grown) { g.o.Now = func() time.Time { return time.Unix(now, 0).Add(25 * time.Hour) } }, nil, "nothing is wrong"},
		"other log": {func(g *grown) { g.o.Policy = parsePolicy(t, "log "+g.farm.Verifier().String()+"\nquorum none\n") }, []string{"checkpoint"}, "not to be believed"},
		"other index": {func(g *grown) {
			g.o.IndexPolicy = parsePolicy(t, "log "+verifytest.Key(t, origin+"/index", "another").Verifier().String()+"\nquorum none\n")
		}, []string{"genesis 0"}, "the Genesis names the index log's key"},
		"other operator": {func(g *grown) { g.o.OperatorKey = g.farm.Verifier().String() }, []string{"operator"}, "never was the operator's key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &grown{world: newWorld(t)}
			g.grow(296)
			g.small = g.publish()
			g.grow(2)
			g.publish()
			g.o = g.options()
			want(t, once(t, g.o))
			g.grow(301)
			g.publish()
			test.lie(g)
			r := once(t, g.o)
			want(t, r, test.want...)
			contains(t, r.String(), test.says)
			if again := once(t, g.o); len(again.Findings) != len(r.Findings) {
				t.Errorf("the next audit says\n%s", again)
			}
		})
	}
}

// ahead publishes an index whose newest leaf is about so many entries.
func (w *world) ahead(size uint64, root [32]byte) {
	leaf := historyindex.Leaf{MapRoot: [32]byte{2}, Checkpoint: checkpoint.Checkpoint{Origin: origin, Size: size, Root: root}}
	w.Index.Add([]byte(leaf.String()))
	c := checkpoint.Checkpoint{Origin: origin + "/index", Size: w.Index.Size(), Root: w.Index.Root(w.Index.Size())}
	note := verifytest.Signed(c.Body(), w.IndexKey, now)
	w.served.index = string(note.Append(nil))
}

// change serves another checkpoint of a log to who has read it so often.
func (w *world) change(log string, after int, signed string) {
	reads := 0
	w.get = func(of, path string) ([]byte, error, bool) {
		if of != log || path != "checkpoint" {
			return nil, nil, false
		}
		reads++
		return []byte(signed), nil, reads > after
	}
}

// hide publishes an index without one entry.
func (w *world) hide(index uint64) {
	postings := w.Postings(w.Log.Size())
	for key, positions := range postings {
		if key.Kind == historyindex.Object && len(positions) > 0 && positions[len(positions)-1] == index {
			postings[key] = positions[:len(positions)-1]
		}
	}
	w.serve(w.PublishIndex(now, postings))
}

// The witnesses' word is asked for as the policies say.
func TestWitnesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.LogCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("w1.example.org"), verifytest.NewCosigner("w2.example.org")}
	w.IndexCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("verifier.example.org")}
	w.grow(10)
	w.publish()
	o := w.options()
	o.Policy, o.IndexPolicy = parsePolicy(t, w.LogPolicy()), parsePolicy(t, w.IndexPolicy())
	r := once(t, o)
	want(t, r)
	if r.Log.Quorum != "met" || len(r.Log.Witnesses) != 2 || r.Index.Time.Unix() != now || r.Trust != (TrustReport{OperatorKeyFromGenesis: true}) {
		t.Errorf("%+v", r)
	}
	late := o
	late.Now = func() time.Time { return time.Unix(now, 0).Add(25 * time.Hour) }
	want(t, once(t, late), "stale", "stale")
	late.MaxAge = 26 * time.Hour
	want(t, once(t, late))
	late.MaxAge, late.Now = verify.AnyAge, func() time.Time { return time.Unix(now, 0).Add(-time.Hour) }
	want(t, once(t, late), "stale", "stale") // in the future
	w.LogCosigners = w.LogCosigners[:1]
	w.grow(1)
	w.publish()
	want(t, once(t, o), "checkpoint")
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(20)
	w.publish()
	o := w.options()
	o.MaxNamed = 1
	o.Watch = map[historyindex.Key]string{
		keyOf(historyindex.Object, gtin+"/10/LOT-3"):        "lot",
		keyOf(historyindex.By, "dairy"):                     "dairy",
		keyOf(historyindex.Participant, "dairy"):            "dairy",
		keyOf(historyindex.Transformation, gtin+"/10/NONE"): "none",
	}
	want(t, once(t, o)) // what was there before is not new
	w.Sign(w.event("urn:event:x", 3), w.farm)
	w.Sign(w.event("urn:event:y", 4), w.farm)
	w.Sign(w.event("urn:event:z", 3), w.dairy)
	w.Sign(w.statement(2, nil), w.Operator)
	w.Sign(w.event("urn:event:v", 3), w.Managed("farm", "another"))
	w.publish()
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r, err := a.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, r, "entry 23", "entry 25", "entry 26", "entry 27", "unauthenticated 27")
	if len(r.Wrong()) != 1 || fmt.Sprint(r.Findings[1].Watched) != "[dairy lot]" && fmt.Sprint(r.Findings[1].Watched) != "[lot dairy]" {
		t.Errorf("%+v", r.Findings)
	}
	// Each is told until somebody has it.
	if err := a.Acknowledge(&r.Findings[0]); err != nil {
		t.Fatal(err)
	}
	again, err := a.Round(t.Context())
	if err != nil || len(again.Findings) != 4 {
		t.Errorf("%v %+v", err, again.Findings)
	}
}

// Any part of the folder may be lost: it is read again.
func TestFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Log.Add([]byte("no entry"))
	w.grow(300)
	w.publish()
	w.grow(300)
	w.publish()
	o := w.options()
	first := once(t, o)
	for _, lost := range []string{"replay", "index/map", "index", "."} {
		if err := os.RemoveAll(filepath.Join(o.Dir, lost)); err != nil {
			t.Fatal(err)
		}
		w.grow(10)
		w.publish()
		r := once(t, o)
		if r.Index.Complete = r.Index.Complete && r.Complete; !r.Index.Complete || r.Totals.Entries != w.Log.Size() || r.Totals.Malformed != 1 || r.Index.Leaves <= first.Index.Leaves {
			t.Errorf("%s: %+v %+v", lost, r, r.Index)
		}
	}
	if _, err := Open(func() Options { o := o; o.Dir += "/replay/MANIFEST-000001"; return o }()); err == nil {
		t.Error("a file as a folder")
	}
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "one audit or monitor at a time") {
		t.Errorf("in use: %v", err)
	}
}

// What could not be written down is judged again, as it was.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Sign(product(1, gtin), w.farm)
	w.Sign(w.statement(2, nil), w.Operator)
	w.publish()
	a, err := Open(w.options())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	full := errors.New("the disk is full")
	a.fault = full
	if r, err := a.Round(t.Context()); !errors.Is(err, full) || r.Complete || r.Totals.Entries != 0 {
		t.Fatal(err)
	}
	a.fault = nil
	r, err := a.Round(t.Context())
	if err != nil || !r.Complete || r.Totals.Entries != 5 {
		t.Fatal(err, r)
	}
	want(t, r)
}

// A plain web server over a log that grows has the partial files of the newest
// checkpoints alone: that one is gone is no fault.
func TestMoves(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"log tile/entries/001.p/47", "log tile/0/001.p/47", "index tile/entries/000.p/1"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.grow(300)
			w.publish()
			moves := 0
			w.get = func(log, path string) ([]byte, error, bool) {
				if log+" "+path != file {
					return nil, nil, false
				}
				if moves == 0 {
					w.grow(10)
					w.publish()
				}
				moves++
				return nil, fs.ErrNotExist, true
			}
			r := once(t, w.options())
			want(t, r)
			if !r.Complete || moves == 0 || r.Totals.Entries != 313 || r.Index.Leaves != 2 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A log that grows all the time, and whose index never stops where the log was just
// read, comes to an end too: as far as was read, all was compared.
func TestGrowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(300)
	w.publish()
	w.get = func(log, path string) ([]byte, error, bool) {
		if path == "checkpoint" {
			w.grow(1)
			if log == "index" {
				w.publish()
				w.grow(1)
			}
			c := checkpoint.Checkpoint{Origin: origin, Size: w.Log.Size(), Root: w.Log.Root(w.Log.Size())}
			note := verifytest.Signed(c.Body(), w.LogKey, now)
			w.served.log = string(note.Append(nil))
		}
		return nil, nil, false
	}
	r := once(t, w.options())
	want(t, r)
	if !r.Complete || r.Index.Leaves != 2 || r.Index.Entries <= 304 || r.Next != r.Log.Size || r.Next < r.Index.Entries {
		t.Errorf("%+v", r)
	}
}

func TestStateFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(5)
	w.publish()
	o := w.options()
	o.StateFile = filepath.Join(t.TempDir(), "state.json")
	want(t, once(t, o))
	text, err := os.ReadFile(o.StateFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := verify.ParseState(text)
	if err != nil {
		t.Fatal(err)
	}
	if c, _, ok := s.Last(origin); !ok || c.Size != 8 {
		t.Error(c, ok)
	}
	if c, _, ok := s.Last(origin + "/index"); !ok || c.Size != 1 {
		t.Error(c, ok)
	}
	// The folder may go; the checkpoints are known all the same.
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	other := newWorld(t)
	other.Sign(other.event("urn:other", 1), other.dairy)
	other.grow(7)
	other.publish()
	lies := other.options()
	lies.StateFile = o.StateFile
	want(t, once(t, lies), "fork")
	// And so is a folder without the file.
	if err := os.WriteFile(o.StateFile, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), o.StateFile) {
		t.Error(err)
	}
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grow(5)
	w.publish()
	w.get = func(log, path string) ([]byte, error, bool) { return nil, fs.ErrNotExist, log == "index" }
	r, err := try(t, w.options())
	if err == nil || !strings.Contains(err.Error(), "there is no index log at https://trace.example.org/index/") || len(r.Findings) > 0 || r.Complete {
		t.Errorf("%v, %+v", err, r)
	}
	o := w.options()
	o.Index = nil
	r = once(t, o)
	want(t, r)
	contains(t, r.String(), "not checked")
	w.get = func(log, path string) ([]byte, error, bool) { return nil, fs.ErrNotExist, true }
	if r, err = try(t, w.options()); err == nil || r.Complete {
		t.Error(err)
	}
	contains(t, r.String(), "nothing was audited")
}

func TestNotALog(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"another's Genesis": func(w *world) {
			w.Log = verifytest.Tree{}
			g := w.Genesis()
			g.LogKey = verifytest.Key(t, origin, "another").Verifier().String()
			w.Sign(g.JSON(), w.Operator)
		},
		"no Genesis": func(w *world) {
			w.Log = verifytest.Tree{}
			w.Sign(w.event("urn:event:a", 1), w.farm)
		},
		"no entry": func(w *world) {
			w.Log = verifytest.Tree{}
			w.Log.Add([]byte("nothing"))
		},
		"a Genesis by somebody else": func(w *world) {
			w.Log = verifytest.Tree{}
			w.Log.Add(verifytest.Entry(t, origin, w.Genesis().JSON(), verifytest.Key(t, w.Operator.Name(), "another")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			change(w)
			w.grow(3)
			w.publish()
			o := w.options()
			o.Policy = parsePolicy(t, "log "+w.LogKey.Verifier().String()+"\nquorum none\n")
			want(t, once(t, o), "genesis 0")
		})
	}
}
