package indexlog

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.open()
	if _, err := l.Snapshot(); !errors.Is(err, ErrNotServed) {
		t.Fatalf("a snapshot of nothing: %v", err)
	}
	for n := 1; n < 600; n *= 2 {
		w.reaches(l, w.add(n, 10).Size)
	}
	st := l.Status()
	if st.Err != nil || st.Publishing != nil || st.Readable != nil || st.Behind != 0 || st.Stats.Leaves != st.Published {
		t.Errorf("%+v", st)
	}
	texts := w.leafTexts(l, st.Published)
	w.close(l)
	l = w.open()
	w.check(l)
	if again := l.Status(); again.Published != st.Published || again.Covered != st.Covered {
		t.Errorf("after a start: %+v; before: %+v", again, st)
	}
	if !slices.Equal(texts, w.leafTexts(l, st.Published)) {
		t.Error("the leaves have changed")
	}
	w.reaches(l, w.add(1, 10).Size)
}

// An older log is indexed when it is first opened with an index.
func TestOlderLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	size := w.add(3000, 100).Size
	l := w.open()
	w.reaches(l, size)
	if st := l.Status(); st.Published != 1 {
		t.Errorf("%d leaves for one checkpoint", st.Published)
	}
}

// There is at most one leaf in Options.Every.
func TestEvery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(3, 1)
	l := w.still(func(o *Options) { o.Every = time.Hour })
	step := func() time.Duration {
		t.Helper()
		wait, _, err := l.step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	for l.index.Leaves() == 0 {
		step()
	}
	w.add(3, 1)
	if wait := step(); wait <= 0 || l.index.Leaves() != 1 {
		t.Errorf("waits %v, leaves %d", wait, l.index.Leaves())
	}
	l.leafAt = l.leafAt.Add(-time.Hour)
	if step(); l.index.Leaves() != 2 || w.check(l) != 6 {
		t.Errorf("%d leaves an hour later", l.index.Leaves())
	}
	if step(); l.index.Leaves() != 2 {
		t.Error("a leaf although the log has not grown")
	}
}

// What does not meet the log's policy is no checkpoint to make an index of.
func TestLogNotPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(3, 1)
	w.hidden.Store(true)
	l := w.still()
	if _, _, err := l.step(t.Context()); err != nil || l.index.Leaves() != 0 {
		t.Fatalf("%d leaves, %v", l.index.Leaves(), err)
	}
}

// A snapshot stays as it is while the log goes on.
func TestSnapshotStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.open()
	w.reaches(l, w.add(5, 1).Size)
	s, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old := bytes.Clone(s.IndexCheckpoint)
	for range 5 {
		w.reaches(l, w.add(200, 1).Size)
	}
	if s.Size != 5 || s.View.Leaf().Checkpoint.Size != 5 || !bytes.Equal(s.IndexCheckpoint, old) {
		t.Errorf("it is of size %d, its view of %d", s.Size, s.View.Leaf().Checkpoint.Size)
	}
}

// A map that comes to the published leaf before the rest of it is shown gives no
// snapshot of two states.
func TestSnapshotOfOneState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(5, 1)
	l := w.still()
	if _, _, err := l.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := w.add(5, 1)
	if _, err := l.index.Update(t.Context(), now, l.options.Log); err != nil {
		t.Fatal(err)
	}
	if err := l.index.Publish(2); err != nil {
		t.Fatal(err)
	}
	if s, err := l.Snapshot(); err == nil {
		t.Errorf("the index checkpoint is about %d entries, the map about %d", s.Size, s.View.Leaf().Checkpoint.Size)
		s.Close()
	} else if !errors.Is(err, ErrNotServed) {
		t.Error(err)
	}
}

// The newest leaf can be read before it is published, and only the checkpoint tells
// that it is not.
func TestPendingLeafIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	away := w.witnessed()
	l := w.open()
	w.reaches(l, w.add(5, 1).Size)
	away.Store(true)
	w.add(5, 1)
	l.LogPublished()
	w.until(l, "publishing does not get on", func(st Status) bool { return st.Publishing != nil })
	if err := l.Status().Publishing; !errors.Is(err, policy.ErrQuorum) {
		t.Errorf("the trouble is %v", err)
	}
	for path, want := range map[string]bool{"tile/0/000.p/2": true, "tile/entries/000.p/2": true, "tile/0/000.p/3": false} {
		if _, _, err := l.Tiles().DurableFile(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
		if _, _, err := l.Tiles().File(path); err == nil {
			t.Errorf("%s is published", path)
		}
	}
	signed, _, err := l.Tiles().DurableFile(tiles.CheckpointPath)
	if c, _, perr := checkpoint.Parse(signed); err != nil || perr != nil || c.Size != 1 {
		t.Errorf("the published checkpoint is %v, %v, %v", c, err, perr)
	}
	if w.check(l) != 5 {
		t.Error("readers see what is not published")
	}
	away.Store(false)
	w.reaches(l, 10)
}

// A log that is quiet has its checkpoint cosigned again: readers are shown that.
func TestLogCosignedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.still()
	w.add(5, 1)
	for range 3 {
		if _, _, err := l.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.check(l)
	w.sign(cosigner(t))
	if _, _, err := l.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, fresh := w.log.Checkpoint()
	shown := func(l *Log) []byte {
		s, err := l.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.LogCheckpoint
	}
	if !bytes.Equal(shown(l), fresh) {
		t.Errorf("shown is\n%s", shown(l))
	}
	// And kept: the log has grown when the service starts again.
	w.close(l)
	w.add(5, 1)
	l = w.open(func(o *Options) { o.Every = time.Hour })
	if !bytes.Equal(shown(l), fresh) {
		t.Errorf("shown after a start is\n%s", shown(l))
	}
}

func cosigner(t *testing.T) note.Signer {
	t.Helper()
	skey, _, err := note.GenerateKey(nil, "w.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// An index log that is quiet has its own cosigned again.
func TestIndexCosignedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.witnessed()
	l := w.open(func(o *Options) { o.CosignEvery = 20 * time.Millisecond })
	w.reaches(l, w.add(5, 1).Size)
	_, first := l.Tiles().Checkpoint()
	w.until(l, "it is published again", func(Status) bool {
		_, now := l.Tiles().Checkpoint()
		return !bytes.Equal(first, now)
	})
	w.check(l)
	if st := l.Status(); st.Published != 1 {
		t.Errorf("%+v", st)
	}
}

// Where the kept log checkpoint was lost, nothing is served until the next leaf.
func TestKeptCheckpointLost(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func(path string) error{
		"deleted": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"text":    func(path string) error { return os.WriteFile(path, []byte("something else\n"), 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			l := w.open()
			w.reaches(l, w.add(5, 1).Size)
			w.close(l)
			if err := damage(l.kept.file(0)); err != nil {
				t.Fatal(err)
			}
			w.add(5, 1)
			l = w.still(func(o *Options) { o.Every = time.Hour })
			if _, err := l.Snapshot(); !errors.Is(err, ErrNotServed) || !strings.Contains(err.Error(), "size 5") {
				t.Errorf("a snapshot: %v", err)
			}
			w.close(l)
			w.reaches(w.open(), 10)
		})
	}
}

func TestKeyMustBeInThePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.Signer, _ = newSigner(t, indexOrigin)
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "policy") {
		t.Fatalf("opened with a key that no reader trusts: %v", err)
	}
}

// stops waits for the index log to have stopped, and gives the reason.
func (w *world) stops(l *Log) trillianlog.Reason {
	w.t.Helper()
	w.until(l, "it has stopped", func(st Status) bool { return st.Err != nil })
	var why *trillianlog.StopError
	if !errors.As(l.Status().Err, &why) {
		w.t.Fatalf("stopped by %v", l.Status().Err)
	}
	return why.Reason
}
