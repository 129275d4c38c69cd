package indexverifier

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/indexverifier/indexverifiertest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

const origin = "verified.example/log"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// A world is a log with an index log, and verifiers of it.
type world struct {
	*testing.T
	*indexverifiertest.World
}

func newWorld(t *testing.T) *world { return &world{t, indexverifiertest.New(t, origin)} }

// options are those of a verifier of the world, which does nothing unasked.
func (w *world) options() Options {
	return Options{
		Dir: filepath.Join(w.TempDir(), "rebuilt"), LogKeys: []string{w.Log.Key}, IndexKeys: []string{w.Index.Key},
		Log: fetch.Folder(w.Log.Dir), Index: fetch.Folder(w.Index.Dir),
		Poll: -1, Cache: 1 << 20, Logger: quiet, Pebble: pebblelog.Logger{To: quiet},
	}
}

func (w *world) open(o Options) *Verifier {
	w.Helper()
	v, err := Open(o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.close(v) })
	return v
}

func (w *world) close(v *Verifier) {
	w.Helper()
	if err := v.Close(); err != nil {
		w.Error(err)
	}
}

// so demands that the verifier has nothing against the checkpoint.
func (w *world) so(v *Verifier, c checkpoint.Checkpoint, signed []byte) {
	w.Helper()
	if err := v.Verify(w.Context(), c, signed); err != nil {
		w.Fatalf("at size %d: %v", c.Size, err)
	}
	if s := v.Status(); s.Leaves < c.Size || s.Err != nil || s.Refuted {
		w.Errorf("%+v", s)
	}
}

// until waits for a condition; the deadline only ends a test that has failed.
func (w *world) until(what string, condition func() bool) {
	w.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("it does not come to this: %s", what)
		}
	}
}

// A gated source gives nothing before its gate is open, and can fail.
type gated struct {
	fetch.Source
	gate chan struct{} // closed: open
	fail func(path string) error
}

func (g *gated) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if g.fail != nil {
		if err := g.fail(path); err != nil {
			return nil, err
		}
	}
	return g.Source.Get(ctx, path, limit)
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
