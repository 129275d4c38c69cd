package remote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/trillian"

	"github.com/tallyroot/tallyroot/trillianlog/backendtest"
)

// Whatever became of the folder of identities, Open makes up for it: what Trillian
// has is found, and what it has not is not.
func TestFolder(t *testing.T) {
	s := common(t)
	const old, now = 300, 700
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, dir, older string)
	}{
		{"as it was left", func(*testing.T, string, string) {}},
		{"deleted", func(t *testing.T, dir, _ string) { remove(t, dir) }},
		{"an older copy", func(t *testing.T, dir, older string) { copyDir(t, older, dir) }},
		{"another tree's", func(t *testing.T, dir, _ string) {
			b := other(t, s, dir)
			store(t, b, 0, entry(9000), entry(9001))
			grown(t, b, 2)
			closeIt(t, b)
		}},
		{"another tree's, of which nothing is shown", func(t *testing.T, dir, _ string) {
			b := other(t, s, dir)
			store(t, b, now+100, entry(9000))
			closeIt(t, b)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.options(t)
			older := filepath.Join(t.TempDir(), "older")
			b := open(t, o)
			add(t, b, 0, old)
			grown(t, b, old)
			closeIt(t, b)
			copyDir(t, o.Dir, older)
			b = open(t, o)
			add(t, b, old, now)
			grown(t, b, now)
			closeIt(t, b)

			tt.change(t, o.Dir, older)
			b = open(t, o)
			next(t, b, now)
			finds(t, b, 0, now)
			findsNone(t, b, entry(now), entry(9000), entry(9001))
			add(t, b, now, now+5)
			closeIt(t, b)
			finds(t, open(t, o), 0, now+5)
		})
	}
}

// other opens a new log with the folder.
func other(t *testing.T, s *setting, dir string) *Backend {
	t.Helper()
	remove(t, dir)
	o := s.options(t)
	o.Dir = dir
	return open(t, o)
}

// A folder that is ahead of a database that was put back finds nothing that the
// database has not, also when that went on differently.
func TestFolderAhead(t *testing.T) {
	s := common(t)
	o := s.options(t)
	b := open(t, o)
	add(t, b, 0, 300)
	grown(t, b, 300)
	dump, err := s.db.Dump(s.database)
	if err != nil {
		t.Fatal(err)
	}
	add(t, b, 300, 700)
	grown(t, b, 700)
	closeIt(t, b)
	if err := s.db.Restore(s.database, dump); err != nil {
		t.Fatal(err)
	}
	ahead := filepath.Join(t.TempDir(), "ahead")
	copyDir(t, o.Dir, ahead)

	b = open(t, o)
	next(t, b, 300)
	finds(t, b, 0, 300)
	findsNone(t, b, entry(300), entry(699))
	var others []*trillian.LogLeaf
	for i := range uint64(900) { // past the size that the folder knows
		others = append(others, entry(5000+i))
	}
	store(t, b, 300, others...)
	grown(t, b, 1200)
	closeIt(t, b)
	copyDir(t, ahead, o.Dir)

	b = open(t, o)
	next(t, b, 1200)
	finds(t, b, 0, 300)
	findsNone(t, b, entry(300), entry(699))
	found(t, b, 699, entry(5399))
}

// A database that was put back while the back end is open: once a write has failed
// over it, nothing is found that it has lost.
func TestPutBack(t *testing.T) {
	s := common(t)
	b := open(t, s.options(t))
	add(t, b, 0, 300)
	grown(t, b, 300)
	dump, err := s.db.Dump(s.database)
	if err != nil {
		t.Fatal(err)
	}
	add(t, b, 300, 700)
	grown(t, b, 700)
	add(t, b, 700, 710) // the first 700 are in the folder now
	if err := s.db.Restore(s.database, dump); err != nil {
		t.Fatal(err)
	}
	if said, err := send(b, 0, entry(5000)); err != nil || !strings.Contains(said[0], saysIndexTaken) {
		t.Fatalf("got %q, %v", said, err)
	}
	next(t, b, 300)
	finds(t, b, 0, 300)
	findsNone(t, b, entry(300), entry(699), entry(700))
}

// A folder that cannot be read says what to do with it.
func TestFolderDamaged(t *testing.T) {
	s := common(t)
	o := s.options(t)
	b := open(t, o)
	add(t, b, 0, 10)
	grown(t, b, 10)
	closeIt(t, b)
	for name, value := range map[byte][]byte{keyMark: []byte("short"), keyUnshown: []byte("short")} {
		x, err := openIndex(o.Dir, b.TreeID(), backendtest.Quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.db.Set([]byte{name}, value, nil); err != nil {
			t.Fatal(err)
		}
		if err := x.close(); err != nil {
			t.Fatal(err)
		}
		failsWith(t, o, "the folder may be deleted")
		remove(t, o.Dir)
		closeIt(t, open(t, o))
	}
}

func remove(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	remove(t, to)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
