package audit

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const (
	origin = "example.org/log"
	gtin   = "https://id.gs1.org/01/09506000134352"
	now    = 1_800_000_000 // when its checkpoints are cosigned, and read
)

// A world is a log and its index log, and who serves them.
type world struct {
	*verifytest.World
	farm, dairy *entry.Key // managed, own
	served      struct{ log, index string }
	mu          sync.Mutex   // held while something is read
	reads       atomic.Int64 // of files
	// get, if there is one, answers in the place of the trees.
	get func(log string, path string) (data []byte, err error, answered bool)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: verifytest.New(t, origin)}
	w.farm, w.dairy = w.Managed("farm", ""), w.Own("dairy", "")
	w.Register("farm", []string{"9506000"}, w.farm)
	w.Register("dairy", nil, w.dairy)
	return w
}

// event gives an event about a lot.
func (w *world) event(id string, lot int) jcs.Value {
	return verifytest.JSON(w.T, fmt.Sprintf(`{"type":"ObjectEvent","eventID":%q,"action":"OBSERVE","quantityList":[{"epcClass":"%s/10/LOT-%d","quantity":1}]}`, id, gtin, lot))
}

// grow adds so many events.
func (w *world) grow(n int) {
	for range n {
		i := w.Log.Size()
		key := w.farm
		if i%3 == 0 {
			key = w.dairy
		}
		w.Sign(w.event(fmt.Sprint("urn:event:", i), int(i%7)), key)
	}
}

// publish signs and serves both logs as they stand.
func (w *world) publish() *verifytest.Snapshot { return w.serve(w.Publish(now)) }

func (w *world) serve(s *verifytest.Snapshot) *verifytest.Snapshot {
	w.served.log, w.served.index = s.LogCheckpoint(), string(s.Index.Append(nil))
	return s
}

// A files is where one of the two logs is served.
type files struct {
	w    *world
	name string // "log" or "index"
}

func (f files) Address(path string) string { return "https://trace.example.org/" + f.name + "/" + path }

func (f files) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	f.w.reads.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	if f.w.get != nil {
		if data, err, answered := f.w.get(f.name, path); answered {
			return data, err
		}
	}
	tree, signed := &f.w.Log, f.w.served.log
	if f.name == "index" {
		tree, signed = &f.w.Index, f.w.served.index
	}
	if path == "checkpoint" {
		return []byte(signed), nil
	}
	data, ok := tree.File(path)
	if !ok {
		return nil, fs.ErrNotExist
	}
	if int64(len(data)) > limit {
		return nil, fetch.ErrTooLarge
	}
	return data, nil
}

// options are those of an auditor who was told nothing.
func (w *world) options() Options {
	return Options{
		Log: files{w, "log"}, Index: files{w, "index"}, Dir: filepath.Join(w.T.TempDir(), "audit"), Logger: quiet{},
		Now: func() time.Time { return time.Unix(now+60, 0) }, IndexWait: time.Nanosecond,
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// once audits once, in a folder of its own or again in that of the options.
func once(t testing.TB, o Options) *Report {
	t.Helper()
	r, err := try(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func try(t testing.TB, o Options) (*Report, error) {
	t.Helper()
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := a.Round(t.Context())
	if err == nil {
		if err := a.Reported(r); err != nil {
			t.Fatal(err)
		}
	}
	return r, err
}

// want compares what was found with kinds and positions, such as "duplicate 7".
func want(t testing.TB, r *Report, findings ...string) {
	t.Helper()
	var got []string
	for _, f := range r.Findings {
		s := string(f.Kind)
		if f.Index != nil {
			s += fmt.Sprint(" ", *f.Index)
		}
		got = append(got, s)
		if f.Log == "" || f.Problem == "" {
			t.Errorf("%+v", f)
		}
	}
	slices.Sort(got)
	slices.Sort(findings)
	if !slices.Equal(got, findings) {
		t.Errorf("found %q, want %q\n%s", got, findings, r)
	}
}

func parsePolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// statement is the dairy's next one.
func (w *world) statement(n uint64, change func(*participant.Statement)) jcs.Value {
	s := participant.Statement{ID: "dairy", Number: n, Name: "Dairy", OwnKeys: []string{w.dairy.Verifier().String()}, State: participant.Active}
	if change != nil {
		change(&s)
	}
	return s.JSON()
}

func product(n uint64, identifier string) jcs.Value {
	return participant.Product{Identifier: identifier, Number: n, Name: "Apples"}.JSON()
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func keyOf(kind historyindex.Kind, identifier string) historyindex.Key {
	return historyindex.Key{Kind: kind, Identifier: identifier}
}
