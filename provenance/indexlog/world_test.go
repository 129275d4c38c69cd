package indexlog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

const (
	origin      = "log.example"
	indexOrigin = origin + "/index"
)

// deadline is generous: what is waited for comes long before it.
const deadline = 30 * time.Second

// world is a log, without a back end, and what the index log in front of it needs.
type world struct {
	t        *testing.T
	dir      string
	log      *tiles.Store
	signer   note.Signer // the log's
	logKey   string
	index    note.Signer
	indexKey string
	policy   *policy.Policy // of the index log
	hidden   atomic.Bool    // the log's checkpoint does not meet its policy

	mu     sync.Mutex
	signed map[uint64]string // every text that the index log's key signed, by size
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), signed: map[uint64]string{}}
	w.signer, w.logKey = newSigner(t, origin)
	w.index, w.indexKey = newSigner(t, indexOrigin)
	var err error
	if w.policy, err = policy.None(w.indexKey); err != nil {
		t.Fatal(err)
	}
	if w.log, err = tiles.Open(w.path("log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.log.Close() })
	return w
}

func newSigner(t *testing.T, name string) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, vkey
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// source is the log as the index log reads it.
type source struct {
	*tiles.Store
	hidden *atomic.Bool
}

func (s source) Published() (checkpoint.Checkpoint, []byte) {
	if s.hidden.Load() {
		return checkpoint.Checkpoint{}, nil
	}
	return s.Checkpoint()
}

// signing notes what the index log's key signs: never two texts of one size.
type signing struct {
	note.Signer
	world *world
}

func (s signing) Sign(text []byte) ([]byte, error) {
	c, err := checkpoint.ParseBody(string(text))
	if err != nil {
		return nil, err
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if before, ok := s.world.signed[c.Size]; ok && before != string(text) {
		s.world.t.Errorf("signed at size %d:\n%sand\n%s", c.Size, before, text)
	}
	s.world.signed[c.Size] = string(text)
	return s.Signer.Sign(text)
}

// options are for one process; the files of the index log are opened for it.
func (w *world) options() Options {
	w.t.Helper()
	files, err := tiles.Open(w.path("index"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { files.Close() })
	o := Options{
		Dir: w.path("index-store"), Tiles: files, Last: trillianlog.FileLastCheckpoint(w.path("last-index-checkpoint")),
		Origin: indexOrigin, Signer: signing{w.index, w}, Policy: w.policy, Log: source{w.log, &w.hidden},
		Every:  time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
	if w.policy.NeedsWitnesses() {
		witnesses, err := quorum.New(quorum.Options{
			Origin: indexOrigin, Policy: w.policy, Patience: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(witnesses.Close)
		o.Witness = witnesses.Cosign
	}
	return o
}

func (w *world) open(change ...func(*Options)) *Log {
	w.t.Helper()
	o := w.options()
	for _, c := range change {
		c(&o)
	}
	l, err := Open(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	return l
}

// close ends a process.
func (w *world) close(l *Log) {
	w.t.Helper()
	if err := errors.Join(l.Close(), l.options.Tiles.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// still has a Log that does nothing by itself: a test calls its steps.
func (w *world) still(change ...func(*Options)) *Log {
	w.t.Helper()
	l := w.open(change...)
	l.cancel()
	l.done.Wait()
	return l
}

// add logs events about a thing each, of things in all, and publishes a checkpoint.
func (w *world) add(n, things int) checkpoint.Checkpoint {
	w.t.Helper()
	key := verifytest.Key(w.t, origin+"/own/farm", "")
	var entries [][]byte
	for range n {
		at := w.log.Size() + uint64(len(entries))
		entries = append(entries, verifytest.Entry(w.t, origin, verifytest.JSON(w.t,
			fmt.Sprintf(`{"epcList":[%q],"eventID":"urn:uuid:%d","type":"ObjectEvent"}`, thing(int(at)%things), at)), key))
	}
	if err := w.log.Extend(entries, nil); err != nil {
		w.t.Fatal(err)
	}
	return w.sign()
}

func thing(i int) string { return fmt.Sprintf("https://id.gs1.org/01/09506000134352/21/%d", i) }

// sign publishes the log's checkpoint, signed by others too.
func (w *world) sign(others ...note.Signer) checkpoint.Checkpoint {
	w.t.Helper()
	c := checkpoint.Checkpoint{Origin: origin, Size: w.log.Size(), Root: w.log.RootWith(nil)}
	signed, err := checkpoint.Sign(c, w.signer, others...)
	if err == nil {
		err = w.log.Publish(signed)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// reaches waits until readers are shown so many entries of the log.
func (w *world) reaches(l *Log, size uint64) {
	w.t.Helper()
	l.LogPublished()
	w.until(l, fmt.Sprintf("%d entries are shown", size), func(st Status) bool { return st.Covered >= size })
	w.check(l)
}

func (w *world) until(l *Log, what string, is func(Status) bool) {
	w.t.Helper()
	for end := time.Now().Add(deadline); !is(l.Status()); {
		if time.Now().After(end) {
			w.t.Fatalf("it never came to be that %s: %+v", what, l.Status())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// check verifies a snapshot as a reader does.
func (w *world) check(l *Log) (size uint64) {
	w.t.Helper()
	s, err := l.Snapshot()
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	verdict, err := w.policy.Check(s.IndexCheckpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	c := verdict.Checkpoint
	if again, err := l.Verdict(s.IndexCheckpoint); err != nil || again.Checkpoint != c {
		w.t.Errorf("verdict %+v, %v", again, err)
	}
	var path [][]byte
	for i := range s.IndexProof {
		path = append(path, s.IndexProof[i][:])
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, c.Size-1, c.Size, rfc6962.DefaultHasher.HashLeaf(s.IndexLeaf), path, c.Root[:]); err != nil {
		w.t.Errorf("the newest leaf: %v", err)
	}
	leaf, err := historyindex.ParseLeaf(s.IndexLeaf)
	if err != nil {
		w.t.Fatal(err)
	}
	of, _, err := checkpoint.Parse(s.LogCheckpoint)
	if err != nil || of != leaf.Checkpoint || of.Size != s.Size {
		w.t.Errorf("the leaf is about %v; the log's checkpoint with it is\n%s(%v); the snapshot has size %d", leaf.Checkpoint, s.LogCheckpoint, err, s.Size)
	}
	for i := range 3 {
		key := historyindex.Key{Kind: historyindex.Object, Identifier: thing(i)}.Hash()
		a, err := s.View.Prove(key)
		if err == nil {
			err = a.Proof.Verify(leaf.MapRoot, key)
		}
		if err != nil {
			w.t.Errorf("%s: %v", thing(i), err)
		}
	}
	return of.Size
}

// tile is one of the index log's, as others read it.
func (w *world) leafTexts(l *Log, n uint64) (texts []string) {
	w.t.Helper()
	for i := range n {
		leaf, err := l.index.Leaf(i)
		if err != nil {
			w.t.Fatal(err)
		}
		texts = append(texts, string(leaf.Text))
	}
	return texts
}

// witnessed has a witness of ours cosign the index log, as long as it is not away.
func (w *world) witnessed() (away *atomic.Bool) {
	w.t.Helper()
	s, err := witness.Open(witness.Options{
		Dir: w.path("witness"), Name: "witness.example", Logs: []witness.Log{{Key: w.indexKey}},
		MaxRate: 10_000, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	away = new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(rw, "away", http.StatusServiceUnavailable)
			return
		}
		s.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(func() { server.Close(); s.Close() })
	text := fmt.Sprintf("log %s\nwitness w %s %s\nquorum w\n", w.indexKey, s.Verifier(), server.URL)
	if w.policy, err = policy.Parse([]byte(text)); err != nil {
		w.t.Fatal(err)
	}
	return away
}

func (w *world) remove(name string) {
	w.t.Helper()
	if err := os.RemoveAll(w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}
