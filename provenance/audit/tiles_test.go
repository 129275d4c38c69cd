package audit

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

const killedEnv = "TALLYROOT_TEST_AUDIT"

// TestKilled kills a real process that audits, again and again. The last one finds what
// one in a single go finds.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killedEnv); dir != "" {
		o := folderOptions(dir, filepath.Join(dir, "audit"))
		o.Progress = func(done, total uint64) { fmt.Println("audited", done, "of", total) }
		a, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		a.window = 256
		if _, err := a.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Parallel()
	dir := t.TempDir()
	writeLogs(t, dir, 3_000, 500)
	rng := rand.New(rand.NewPCG(21, 22))
	for range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.v")
		child.Env = append(os.Environ(), killedEnv+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "audited") {
				if n++; n == 2 {
					time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
					child.Process.Kill()
				}
			} else if strings.Contains(lines.Text(), "_test.go:") {
				t.Error(lines.Text())
			}
		}
		child.Wait()
	}
	again, fresh := once(t, folderOptions(dir, filepath.Join(dir, "audit"))), once(t, folderOptions(dir, filepath.Join(dir, "fresh")))
	want(t, again)
	want(t, fresh)
	if again.Totals != fresh.Totals || again.Totals.Entries != 3_000 || again.Index.Leaves != fresh.Index.Leaves || !again.Complete {
		t.Errorf("%s\nand in a single go\n%s", again, fresh)
	}
}

func folderOptions(dir, work string) Options {
	return Options{
		Log: fetch.Folder(filepath.Join(dir, "log")), Index: fetch.Folder(filepath.Join(dir, "index")),
		Dir: work, Logger: quiet{}, IndexWait: time.Nanosecond,
	}
}

// writeLogs writes both logs as files, with a leaf of the index log for every so many
// entries.
func writeLogs(t testing.TB, dir string, entries, every int) {
	t.Helper()
	w := newWorld(t)
	var keys []*entry.Key
	for i := range 50 {
		id := fmt.Sprint("farm-", i)
		keys = append(keys, w.Managed(id, ""))
		w.Register(id, []string{"9506000"}, keys[i])
	}
	log, index := newTiles(t, filepath.Join(dir, "log")), newTiles(t, filepath.Join(dir, "index"))
	made, err := store.Open(store.Options{Dir: filepath.Join(t.TempDir(), "index"), Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	publish := func(s *tiles.Store, key *entry.Key) checkpoint.Checkpoint {
		c := checkpoint.Checkpoint{Origin: key.Name(), Size: s.Size(), Root: s.RootWith(nil)}
		n := verifytest.Signed(c.Body(), key, now)
		if err := s.Publish(n.Append(nil)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	batch := w.Log.Leaves
	for next := len(batch); ; {
		if err := log.Extend(batch, nil); err != nil {
			t.Fatal(err)
		}
		leaf, err := made.Update(t.Context(), publish(log, w.LogKey), log)
		if err == nil {
			err = index.Extend([][]byte{leaf.Text}, nil)
		}
		if err == nil {
			publish(index, w.IndexKey)
			err = made.Publish(leaf.Size())
		}
		if err != nil {
			t.Fatal(err)
		}
		if next >= entries {
			break
		}
		batch = make([][]byte, min(every, entries-next))
		var wg sync.WaitGroup
		for part := range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := part; i < len(batch); i += runtime.GOMAXPROCS(0) {
					n := next + i
					v := verifytest.JSON(t, fmt.Sprintf(`{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"OBSERVE","bizLocation":{"id":"urn:epc:id:sgln:9506000.00001.0"},"bizStep":"shipping","disposition":"in_transit","epcList":["https://id.gs1.org/01/09506000134352/21/S%07d"],"eventID":"urn:uuid:00000000-0000-4000-8000-%012d","eventTime":"2026-11-20T10:11:12.000Z","eventTimeZoneOffset":"+01:00","quantityList":[{"epcClass":"https://id.gs1.org/01/09506000134352/10/LOT-%d","quantity":7,"uom":"KGM"}],"readPoint":{"id":"urn:epc:id:sgln:9506000.00000.0"},"type":"ObjectEvent"}`, n*7919%(entries/3), n, n%(entries/20)))
					batch[i] = verifytest.Entry(t, origin, v, keys[n%len(keys)])
				}
			})
		}
		wg.Wait()
		next += len(batch)
	}
	for _, s := range []*tiles.Store{log, index} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func newTiles(t testing.TB, dir string) *tiles.Store {
	s, err := tiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
