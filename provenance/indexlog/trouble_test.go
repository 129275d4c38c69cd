package indexlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// While witnesses are away the index stays where it is, also through a start: then the
// map, which is beyond that, is taken back.
func TestWitnessesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	away := w.witnessed()
	l := w.open()
	for range 5 {
		w.reaches(l, w.add(50, 20).Size)
	}
	away.Store(true)
	w.add(50, 20)
	l.LogPublished()
	w.until(l, "a leaf waits", func(st Status) bool { return st.Publishing != nil && st.Stats.Leaves == 6 })
	for range 3 {
		w.add(50, 20)
		l.LogPublished()
	}
	for range 2 {
		if st := l.Status(); w.check(l) != 250 || st.Published != 5 || st.Behind != 200 || st.Stats.Leaves != 6 {
			t.Errorf("%+v", st)
		}
		w.close(l)
		l = w.open()
		w.until(l, "something is shown", func(st Status) bool { return st.Covered > 0 })
	}
	away.Store(false)
	w.reaches(l, 400)
	if st := l.Status(); st.Published != 7 || st.Err != nil {
		t.Errorf("afterwards %+v", st)
	}
}

// A last checkpoint that may not be read is there: whoever is told that it is lost would
// recover one that is perhaps older.
func TestLastCheckpointMayNotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.open()
	w.reaches(l, w.add(5, 1).Size)
	w.close(l)
	l = w.open(func(o *Options) { o.Last = forbidden{o.Last} })
	if why := w.stops(l); why != LastCheckpointLost {
		t.Errorf("stopped because of %s", why)
	}
	if err := l.Status().Err; err == nil || !strings.Contains(err.Error(), "permission denied") || strings.Contains(err.Error(), "tallyroot recover") {
		t.Error(err)
	}
}

// forbidden is a last checkpoint in a file of somebody else's.
type forbidden struct{ trillianlog.LastCheckpoint }

func (forbidden) Load(context.Context) ([]byte, error) {
	return nil, fmt.Errorf("read the last checkpoint: %w", &fs.PathError{Op: "open", Path: "last-index-checkpoint", Err: fs.ErrPermission})
}

// What witnesses are said to have given is checked with the reader's own code before
// anything leaves.
func TestPolicyIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.witnessed()
	l := w.open(func(o *Options) {
		o.Witness = func(_ context.Context, signed []byte, _ func(uint64) ([][]byte, error)) ([]byte, error) {
			return signed, nil
		}
	})
	w.add(5, 1)
	l.LogPublished()
	w.until(l, "publishing does not get on", func(st Status) bool { return st.Publishing != nil })
	if st := l.Status(); !errors.Is(st.Publishing, policy.ErrQuorum) || st.Published != 0 || l.Tiles().Published() != nil {
		t.Errorf("%+v, published\n%s", st, l.Tiles().Published())
	}
}

// A policy that asks for more than the published checkpoint has: it is cosigned before
// it is shown again.
func TestStricterPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.open()
	w.reaches(l, w.add(5, 1).Size)
	w.close(l)
	away := w.witnessed()
	away.Store(true)
	l = w.open()
	w.until(l, "publishing does not get on", func(st Status) bool { return st.Publishing != nil })
	if _, err := l.Snapshot(); !errors.Is(err, ErrNotServed) || !errors.Is(err, policy.ErrQuorum) {
		t.Errorf("a snapshot that no reader believes: %v", err)
	}
	away.Store(false)
	w.reaches(l, 5)
}

// A service that was put back to an older copy, last checkpoint and all, is noticed by
// the witness alone.
func TestWitnessAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.witnessed()
	l := w.open()
	w.reaches(l, w.add(5, 1).Size)
	w.close(l)
	old := t.TempDir()
	files := []string{"index", "index-store", "last-index-checkpoint"}
	for _, name := range files {
		copyDir(t, w.path(name), filepath.Join(old, name))
	}
	l = w.open()
	w.reaches(l, w.add(5, 1).Size)
	w.reaches(l, w.add(5, 1).Size)
	w.close(l)
	for _, name := range files {
		w.remove(name)
		copyDir(t, filepath.Join(old, name), w.path(name))
	}
	clear(w.signed) // what comes now is signed by one who does not know
	l = w.open()
	if why := w.stops(l); why != trillianlog.WitnessAhead {
		t.Errorf("stopped because of %s", why)
	}
	if w.check(l) != 5 {
		t.Error("the last good index is not shown")
	}
}

// What a crash cannot leave behind stops the index log, which goes on showing what is
// published as far as that is there.
func TestStops(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		damage func(t *testing.T, w *world)
		want   trillianlog.Reason
		serves bool
	}{
		"last checkpoint lost": {func(t *testing.T, w *world) { w.remove("last-index-checkpoint") }, LastCheckpointLost, true},
		"last checkpoint damaged": {func(t *testing.T, w *world) {
			if err := os.WriteFile(w.path("last-index-checkpoint"), make([]byte, 8192), 0o600); err != nil {
				t.Fatal(err)
			}
		}, LastCheckpointLost, true},
		"last checkpoint older": {func(t *testing.T, w *world) {
			w.remove("last-index-checkpoint")
			w.swap(checkpoint.Checkpoint{Origin: indexOrigin, Size: 1})
		}, trillianlog.LastCheckpointBehind, true},
		"another root was signed": {func(t *testing.T, w *world) {
			w.remove("last-index-checkpoint")
			w.swap(checkpoint.Checkpoint{Origin: indexOrigin, Size: 3})
		}, trillianlog.Forked, true},
		"a later checkpoint was signed": {func(t *testing.T, w *world) {
			w.remove("last-index-checkpoint")
			w.swap(checkpoint.Checkpoint{Origin: indexOrigin, Size: 4})
		}, trillianlog.RolledBack, true},
		"the leaves and the last one of them were lost": {func(t *testing.T, w *world) {
			w.remove("index-store")
			w.remove("last-index-checkpoint")
			w.swap(checkpoint.Checkpoint{Origin: indexOrigin, Size: 4})
		}, trillianlog.RolledBack, false},
		"the published leaves are others": {func(t *testing.T, w *world) {
			w.remove("index")
			s, err := tiles.Open(w.path("index"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Extend([][]byte{[]byte("1"), []byte("2"), []byte("3")}, nil); err != nil {
				t.Fatal(err)
			}
			c := checkpoint.Checkpoint{Origin: indexOrigin, Size: 3, Root: s.RootWith(nil)}
			signed, err := checkpoint.Sign(c, w.index)
			if err == nil {
				err = s.Publish(signed)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.remove("last-index-checkpoint")
			w.swap(c)
		}, trillianlog.Forked, false},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l := w.open()
			for range 3 {
				w.reaches(l, w.add(5, 1).Size)
			}
			w.close(l)
			tt.damage(t, w)
			w.add(5, 1)
			l = w.open()
			if why := w.stops(l); why != tt.want {
				t.Errorf("stopped because of %s, not %s", why, tt.want)
			}
			if !tt.serves {
				if s, err := l.Snapshot(); err == nil {
					s.Close()
					t.Error("it shows something")
				}
				return
			}
			w.until(l, "the last good index is shown", func(st Status) bool { return st.Covered == 15 })
			w.check(l)
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.signed[4] != "" {
				t.Error("it has signed another checkpoint")
			}
		})
	}
}

// swap puts a checkpoint in the place of the last one.
func (w *world) swap(c checkpoint.Checkpoint) {
	w.t.Helper()
	if err := trillianlog.FileLastCheckpoint(w.path("last-index-checkpoint")).Swap(w.t.Context(), nil, []byte(c.Body())); err != nil {
		w.t.Fatal(err)
	}
}

// Somebody else who signs for the index log is noticed when the next leaf is made.
func TestLastCheckpointTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.open()
	w.reaches(l, w.add(5, 1).Size)
	last := trillianlog.FileLastCheckpoint(w.path("last-index-checkpoint"))
	now, err := last.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := last.Swap(t.Context(), now, []byte(checkpoint.Checkpoint{Origin: indexOrigin, Size: 9}.Body())); err != nil {
		t.Fatal(err)
	}
	w.add(5, 1)
	l.LogPublished()
	if why := w.stops(l); why != trillianlog.LastCheckpointTaken {
		t.Errorf("stopped because of %s", why)
	}
	if w.check(l) != 5 {
		t.Error("the last good index is not shown")
	}
}

// The log was put back to an older copy, and went on with other entries than the index
// was made of. It is noticed when the next leaf is made, or while the map is made again.
func TestAnotherLog(t *testing.T) {
	t.Parallel()
	for what, lost := range map[string]string{"the map is there": "nothing", "the map is lost": "index-store/map"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l := w.open()
			for range 3 {
				w.reaches(l, w.add(5, 1).Size)
			}
			w.close(l)
			w.remove(lost)
			w.remove("log")
			var err error
			if w.log, err = tiles.Open(w.path("log")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.log.Close() })
			w.add(10, 2)
			l = w.still()
			if _, err := l.Snapshot(); !errors.Is(err, ErrNotServed) {
				t.Errorf("a snapshot of what the log does not have: %v", err)
			}
			w.close(l)
			w.add(10, 2)
			l = w.open()
			if why := w.stops(l); why != trillianlog.Forked {
				t.Errorf("stopped because of %s", why)
			}
			if _, err := l.Snapshot(); !errors.Is(err, ErrNotServed) {
				t.Errorf("a snapshot of an index of another log: %v", err)
			}
		})
	}
}

// What was lost of what can be made again comes back, and gives the same leaves.
func TestMadeAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]func(w *world){
		"the map": func(w *world) { w.remove("index-store/map") },
		"the map's files": func(w *world) {
			files, err := filepath.Glob(w.path("index-store/map/*"))
			if err != nil {
				w.t.Fatal(err)
			}
			for _, f := range files {
				if info, err := os.Stat(f); err == nil && info.Size() > 0 && !strings.Contains(f, "OPTIONS") {
					if err := os.WriteFile(f, []byte("not what it was"), 0o600); err != nil {
						w.t.Fatal(err)
					}
				}
			}
		},
		"the map and the leaves":               func(w *world) { w.remove("index-store") },
		"the published files":                  func(w *world) { w.remove("index") },
		"the published files and the map":      func(w *world) { w.remove("index"); w.remove("index-store/map") },
		"the last two leaves of the published": func(w *world) { w.remove("index"); copyDir(w.t, w.path("index.old"), w.path("index")) },
		"the map and the last two leaves": func(w *world) {
			w.remove("index-store")
			copyDir(w.t, w.path("index-store.old"), w.path("index-store"))
			w.remove("index-store/map")
		},
		"the map, and the log goes on meanwhile": func(w *world) { w.remove("index-store/map"); w.add(300, 40) },
	}
	for what, damage := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			l := w.open()
			for i := range 9 {
				if i == 7 {
					w.close(l)
					copyDir(t, w.path("index"), w.path("index.old"))
					copyDir(t, w.path("index-store"), w.path("index-store.old"))
					l = w.open()
				}
				w.reaches(l, w.add(30, 40).Size)
			}
			texts := w.leafTexts(l, 9)
			w.close(l)
			damage(w)
			l = w.open()
			w.reaches(l, w.add(1, 40).Size)
			if !slices.Equal(texts, w.leafTexts(l, 9)) {
				t.Error("other leaves")
			}
			if st := l.Status(); st.Err != nil || st.Stats.Entries != w.log.Size() {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A map that is made again is not in the way of the log, which goes on meanwhile; it
// comes to each leaf that was recorded.
func TestMadeAgainUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.open()
	for range 10 {
		w.reaches(l, w.add(200, 500).Size)
	}
	texts := w.leafTexts(l, 10)
	w.close(l)
	w.remove("index-store/map")
	l = w.open()
	for range 20 {
		w.add(50, 500)
		l.LogPublished()
		_ = l.Status()
		if s, err := l.Snapshot(); err == nil {
			s.Close()
		} else if !errors.Is(err, ErrNotServed) {
			t.Fatal(err)
		}
	}
	w.reaches(l, 3000)
	if !slices.Equal(texts, w.leafTexts(l, 10)) {
		t.Error("other leaves")
	}
}

// Recover mends an index log whose last checkpoint was lost.
func TestRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	away := w.witnessed()
	l := w.open()
	for range 3 {
		w.reaches(l, w.add(5, 1).Size)
	}
	away.Store(true)
	w.add(5, 1)
	l.LogPublished()
	w.until(l, "a leaf waits", func(st Status) bool { return st.Publishing != nil && st.Stats.Leaves == 4 })
	w.close(l)
	away.Store(false)
	if _, err := w.recover(); !errors.Is(err, trillianlog.ErrNothingToRecover) {
		t.Fatalf("nothing was lost: %v", err)
	}
	w.remove("last-index-checkpoint")
	seen, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: indexOrigin, Size: 4}, w.index)
	if err != nil {
		t.Fatal(err)
	}
	var why *trillianlog.StopError
	if _, err := w.recover(seen); !errors.As(err, &why) || why.Reason != trillianlog.Forked {
		t.Errorf("from a checkpoint that the leaves do not give: %v", err)
	}
	if c, err := w.recover(); err != nil || c.Size != 3 {
		t.Fatalf("recovered %+v, %v", c, err)
	}
	w.reaches(w.open(), 20)
}

func (w *world) recover(seen ...[]byte) (checkpoint.Checkpoint, error) {
	w.t.Helper()
	o := w.options()
	defer o.Tiles.Close()
	key, err := note.NewVerifier(w.indexKey)
	if err != nil {
		w.t.Fatal(err)
	}
	return Recover(w.t.Context(), o.Dir, trillianlog.Recovery{
		Tiles: o.Tiles, Last: o.Last, Origin: indexOrigin, LogKeys: []note.Verifier{key}, Seen: seen})
}

// Close does not wait for a witness that does not answer.
func TestCloseWhileAWitnessIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := make(chan struct{})
	l := w.open(func(o *Options) {
		o.Witness = func(ctx context.Context, _ []byte, _ func(uint64) ([][]byte, error)) ([]byte, error) {
			close(asked)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	w.add(1, 1)
	l.LogPublished()
	<-asked
	w.close(l)
}

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else if err == nil {
		var b []byte
		if b, err = os.ReadFile(from); err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
	}
	if err != nil {
		t.Fatal(fmt.Errorf("copy %s: %w", from, err))
	}
}
