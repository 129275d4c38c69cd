package witness

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

func TestOpen(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(9)
	b := newBench(t, nil, l)
	b.cosigned(b.post(grow(l, 0, 3)), l.Signed(3))
	dir := b.options.Dir
	for name, mode := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "witness.key": 0o600, "witness.vkey": 0o644, "role": 0o600, "cosigned": 0o700 | os.ModeDir, "cosigned/" + fileName(l.Origin): 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "witness.vkey")); err != nil || string(text) != b.server.Verifier()+"\n" {
		t.Errorf("witness.vkey: %q, %v", text, err)
	}
	if s, err := Open(b.options); !errors.Is(err, datadir.ErrLocked) {
		t.Errorf("a second process: %v, %v", s, err)
	}
	b.web.Close()
	b.server.Close()
	if got := httptest.NewRecorder(); true {
		b.server.ServeHTTP(got, httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(grow(l, 3, 4))))
		if got.Code != 503 {
			t.Errorf("asked after it was closed: %d", got.Code)
		}
	}
	refused := func(name, want string, change func(o *Options)) {
		t.Helper()
		o := b.options
		o.Dir = filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(o.Dir, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		change(&o)
		s, err := Open(o)
		if err == nil {
			s.Close()
		}
		if want == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE")) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	file := "cosigned/" + fileName(l.Origin)
	rewrite := func(o *Options, name string, change func([]byte) []byte) {
		path := filepath.Join(o.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(o *Options, name string) {
		if err := os.RemoveAll(filepath.Join(o.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	refused("as it was", "", func(o *Options) {})
	refused("without a name", "", func(o *Options) { o.Name = "" })
	refused("without logs", "", func(o *Options) { o.Logs = nil })
	refused("a leftover of a crash", "", func(o *Options) { os.WriteFile(filepath.Join(o.Dir, file+".spare"), []byte("half"), 0o600) })
	refused("killed while it was new", "", func(o *Options) {
		remove(o, "witness.key")
		remove(o, file)
	})
	refused("another name", "for life", func(o *Options) { o.Name = "witness.example/w2" })
	refused("new, without a name", "needs a name", func(o *Options) { o.Dir, o.Name = t.TempDir(), "" })
	refused("new, with a bad name", "cannot be the name", func(o *Options) { o.Dir, o.Name = t.TempDir(), "a b" })
	refused("a bad log", "not a verifier key", func(o *Options) { o.Logs = []Log{{Key: "x"}} })
	refused("the memory is lost", "forgets", func(o *Options) { remove(o, "cosigned") })
	refused("the key is lost", "is missing", func(o *Options) { remove(o, "witness.key") })
	refused("the role is lost", "role", func(o *Options) { remove(o, "role") })
	refused("another key", "not cosigned with the key", func(o *Options) {
		rewrite(o, "witness.key", func([]byte) []byte { return []byte(newTestKey(t, o.Name).Secret() + "\n") })
	})
	refused("a damaged key", "private key", func(o *Options) { rewrite(o, "witness.key", func(b []byte) []byte { return b[:40] }) })
	refused("a cut file", "damaged", func(o *Options) { rewrite(o, file, func(b []byte) []byte { return b[:20] }) })
	refused("an empty file", "damaged", func(o *Options) { rewrite(o, file, func(b []byte) []byte { return nil }) })
	refused("a changed size", "not cosigned with the key", func(o *Options) {
		rewrite(o, file, func(b []byte) []byte { return bytes.Replace(b, []byte("\n3\n"), []byte("\n2\n"), 1) })
	})
	refused("without our cosignature", "not cosigned with the key", func(o *Options) { rewrite(o, file, func([]byte) []byte { return l.Signed(3) }) })
	refused("under another log's name", "renamed", func(o *Options) {
		os.Rename(filepath.Join(o.Dir, file), filepath.Join(o.Dir, "cosigned/"+fileName("log.example/b")))
	})
	refused("some other file", "damaged", func(o *Options) { os.WriteFile(filepath.Join(o.Dir, "cosigned/notes.txt"), []byte("hello"), 0o600) })
	b.start()
}
