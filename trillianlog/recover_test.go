package trillianlog_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
)

// recoverFrom runs Recover on the closed log.
func (w *world) recoverFrom(seen ...[]byte) (checkpoint.Checkpoint, error) {
	w.tb.Helper()
	o, err := w.options(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	key, err := note.NewVerifier(w.vkey)
	if err != nil {
		w.tb.Fatal(err)
	}
	c, err := trillianlog.Recover(w.tb.Context(), trillianlog.Recovery{
		Backend: o.Backend, Tiles: o.Tiles, Last: o.Last, Origin: origin, LogKeys: []note.Verifier{key}, Seen: seen})
	if err := o.Backend.Close(); err != nil {
		w.tb.Fatal(err)
	}
	return c, err
}

func (w *world) remove(name string) {
	w.tb.Helper()
	if err := os.RemoveAll(w.path(name)); err != nil {
		w.tb.Fatal(err)
	}
}

func TestRecoverFromThePublishedCheckpoint(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.load(l, "before", 400)
	published, _ := l.Published()
	w.close(l)
	if _, err := w.recoverFrom(); !errors.Is(err, trillianlog.ErrNothingToRecover) {
		t.Fatalf("nothing was lost: %v", err)
	}
	w.storeUnpublished("unpublished", 10)
	w.remove("last-checkpoint")
	c, err := w.recoverFrom()
	if err != nil || c != published {
		t.Fatalf("got %v, %v", c, err)
	}
	if _, err := w.recoverFrom(); !errors.Is(err, trillianlog.ErrNothingToRecover) {
		t.Fatalf("a second time: %v", err)
	}
	l = w.open(nil)
	w.load(l, "after", 80)
	w.check(l)
	if c, _ := l.Published(); c.Size != 490 {
		t.Fatalf("size %d", c.Size)
	}
}

// The published files are an older copy, but a witness has seen more.
func TestRecoverFromTheLargest(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 5)
	copyDir(t, w.path("log"), w.path("old-log"))
	w.log(l, "after", 5)
	newest, witnessed := l.Published()
	w.close(l)
	copyDir(t, w.path("old-log"), w.path("log"))
	w.remove("last-checkpoint")
	c, err := w.recoverFrom(witnessed)
	if err != nil || c != newest {
		t.Fatalf("got %v, %v", c, err)
	}
	l = w.open(nil)
	w.log(l, "more", 1)
	w.check(l)
}

func TestRecoverALastCheckpointThatIsBehind(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 5)
	copyDir(t, w.dir, w.dir+"-backup")
	w.log(l, "after", 5)
	w.close(l)
	old, err := os.ReadFile(w.dir + "-backup/last-checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path("last-checkpoint"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	w.stopsWith(trillianlog.LastCheckpointBehind, nil)
	if _, err := w.recoverFrom(); err != nil {
		t.Fatal(err)
	}
	l = w.open(nil)
	w.log(l, "more", 1)
	w.check(l)
}

func TestRecoverRefuses(t *testing.T) {
	tests := []struct {
		name   string
		reason trillianlog.Reason // "": another error
		break_ func(w *world) [][]byte
	}{
		{"a store that was rolled back", trillianlog.RolledBack, func(w *world) [][]byte {
			l := w.open(nil)
			w.log(l, "before", 5)
			w.close(l)
			copyDir(w.tb, w.path("store"), w.path("backup"))
			l = w.open(nil)
			w.log(l, "after", 5)
			w.close(l)
			copyDir(w.tb, w.path("backup"), w.path("store"))
			return nil
		}},
		{"leaves that were changed", trillianlog.Forked, func(w *world) [][]byte {
			l := w.open(nil)
			w.load(l, "before", 400)
			w.close(l)
			embeddedtest.FlipLeaf(w.tb, w.path("store"), 3)
			return nil
		}},
		{"nothing to start from", "", func(w *world) [][]byte {
			l := w.open(nil)
			w.log(l, "before", 5)
			w.close(l)
			w.remove("log")
			return nil
		}},
		{"a checkpoint that another key signed", "", func(w *world) [][]byte {
			l := w.open(nil)
			w.log(l, "before", 5)
			c, _ := l.Published()
			w.close(l)
			skey, _, err := note.GenerateKey(nil, origin)
			if err != nil {
				w.tb.Fatal(err)
			}
			signer, err := note.NewSigner(skey)
			if err != nil {
				w.tb.Fatal(err)
			}
			signed, err := checkpoint.Sign(c, signer)
			if err != nil {
				w.tb.Fatal(err)
			}
			return [][]byte{signed}
		}},
		{"a second history that we signed ourselves", trillianlog.Forked, func(w *world) [][]byte {
			l := w.open(nil)
			w.log(l, "before", 5)
			c, _ := l.Published()
			w.close(l)
			signer, err := note.NewSigner(w.skey)
			if err != nil {
				w.tb.Fatal(err)
			}
			c.Size, c.Root[0] = 4, c.Root[0]^1
			signed, err := checkpoint.Sign(c, signer)
			if err != nil {
				w.tb.Fatal(err)
			}
			return [][]byte{signed}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			seen := tt.break_(w)
			w.remove("last-checkpoint")
			_, err := w.recoverFrom(seen...)
			var stopped *trillianlog.StopError
			switch {
			case err == nil, errors.Is(err, trillianlog.ErrNothingToRecover):
				t.Fatalf("got %v", err)
			case tt.reason != "" && (!errors.As(err, &stopped) || stopped.Reason != tt.reason):
				t.Fatalf("got %v, want %q", err, tt.reason)
			}
			if _, err := os.Stat(w.path("last-checkpoint")); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("a last checkpoint was written all the same: %v", err)
			}
		})
	}
}
