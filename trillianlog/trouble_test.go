package trillianlog_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded/embeddedtest"
)

// errorLog passes on what is logged as an error.
type errorLog struct {
	slog.Handler
	lines chan slog.Record
}

func newErrorLog() *errorLog { return &errorLog{quiet.Handler(), make(chan slog.Record, 1000)} }

func (e *errorLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		e.lines <- r
	}
	return nil
}

// What cannot be written now is written when it can be, and meanwhile the log
// says what is wrong.
func TestPublishingGoesOnWhenTheDiskDoes(t *testing.T) {
	for _, obstacle := range []string{"log/tile/entries/000", "log/checkpoint.spare", "last-checkpoint.lock"} {
		t.Run(obstacle, func(t *testing.T) {
			w := newWorld(t)
			said := newErrorLog()
			l := w.open(func(o *trillianlog.Options) { o.Logger = slog.New(said) })
			path := w.path(obstacle)
			if filepath.Base(path) == "000" { // where a folder belongs, a file
				path = filepath.Dir(path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if err := errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Join(path, "in the way"), 0o700)); err != nil {
				t.Fatal(err)
			}
			ticket := add(t, l, leaf("a", "text"))
			<-said.lines
			if st := l.Status(); st.Publishing == nil || st.Published != 0 || st.Err != nil || st.Writable != nil {
				t.Fatalf("status %+v", st)
			}
			// Appends are taken meanwhile.
			second := add(t, l, leaf("b", "text"))
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if a, b := wait(t, ticket), wait(t, second); a.Index != 0 || b.Index != 1 {
				t.Fatalf("got %+v, %+v", a, b)
			}
			w.log(l, "more", 3)
			if st := l.Status(); st.Publishing != nil {
				t.Fatalf("status %+v", st)
			}
			w.check(l)
			w.close(l)
			w.check(w.open(nil))
		})
	}
}

func TestAStopIsLoud(t *testing.T) {
	w := newWorld(t)
	l := w.open(nil)
	w.log(l, "before", 1)
	w.close(l)
	w.storeUnpublished("lost", 300)
	embeddedtest.FlipLeaf(t, w.path("store"), 7)
	said := newErrorLog()
	w.open(func(o *trillianlog.Options) { o.Logger = slog.New(said) })
	reason := ""
	r := <-said.lines
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			reason = a.Value.String()
		}
		return true
	})
	if reason != string(trillianlog.Corrupt) {
		t.Fatalf("it says %q, %q", r.Message, reason)
	}
}
