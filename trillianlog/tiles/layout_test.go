package tiles

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestPaths(t *testing.T) {
	for _, test := range []struct {
		name string
		path Path
	}{
		{"checkpoint", Path{}},
		{"tile/0/000", Path{KindTile, 0, 0, 256}},
		{"tile/0/000.p/1", Path{KindTile, 0, 0, 1}},
		{"tile/63/999.p/255", Path{KindTile, 63, 999, 255}},
		{"tile/1/x001/000", Path{KindTile, 1, 1000, 256}},
		{"tile/0/x001/x234/067", Path{KindTile, 0, 1234067, 256}},
		{"tile/entries/x001/x234/067.p/8", Path{KindEntries, 0, 1234067, 8}},
		{"tile/entries/x018/x446/x744/x073/x709/x551/615", Path{KindEntries, 0, math.MaxUint64, 256}},
	} {
		if got := test.path.String(); got != test.name {
			t.Errorf("%+v prints as %q, want %q", test.path, got, test.name)
		}
		if got, err := ParsePath(test.name); err != nil || got != test.path {
			t.Errorf("%q reads as %+v, %v; want %+v", test.name, got, err, test.path)
		}
		if test.path.Kind == KindTile {
			// x/mod names the height too.
			other := tlog.Tile{H: 8, L: test.path.Level, N: int64(test.path.Index), W: test.path.Width}
			if got := strings.Replace(other.Path(), "tile/8/", "tile/", 1); got != test.name {
				t.Errorf("x/mod calls %+v %q", test.path, got)
			}
		}
	}
	for _, name := range []string{
		"", "/", "checkpoint/", "/checkpoint", "Checkpoint", "tile", "tile/", "tile/0", "tile/0/", "tile/0/00", "tile/0/0000",
		"tile/0/1", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/+1/000", "tile/0/x000/000", "tile/0/x000/067",
		"tile/0/001/067", "tile/0/x001", "tile/0/x001/", "tile/0/x001/x067", "tile/0/x1/067", "tile/0/X001/067",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/1/",
		"tile/0/000.p/1.p/1", "tile/0/000/", "tile/0//000", "tile/0/../000", "tile/0/00٣", "tile/data/000", "tile/8/0/000",
		"tile/entries/x018/x446/x744/x073/x709/x551/616", "tile/entries/000.growing", "tile/0/000\n", "tile/0/ 000",
		"tile/0/" + strings.Repeat("x001/", 20) + "000",
	} {
		if p, err := ParsePath(name); !errors.Is(err, ErrPath) {
			t.Errorf("%q reads as %+v, %v; want ErrPath", name, p, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("checkpoint")
	f.Add("tile/0/x001/x234/067.p/8")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, name string) {
		p, err := ParsePath(name)
		if err != nil {
			if !errors.Is(err, ErrPath) {
				t.Fatalf("%v is not ErrPath", err)
			}
			return
		}
		if p.String() != name {
			t.Fatalf("%q prints back as %q", name, p)
		}
	})
}

func TestBundles(t *testing.T) {
	largest := make([]byte, MaxEntrySize)
	for _, entries := range [][][]byte{
		{{}},
		{[]byte("one")},
		{[]byte("one"), {}, largest},
		make([][]byte, Width),
	} {
		var b []byte
		var err error
		for _, e := range entries {
			if b, err = AppendEntry(b, e); err != nil {
				t.Fatal(err)
			}
		}
		got, err := ParseBundle(b)
		if err != nil || len(got) != len(entries) {
			t.Fatalf("%d entries read as %d, %v", len(entries), len(got), err)
		}
		for i := range got {
			if !bytes.Equal(got[i], entries[i]) {
				t.Errorf("entry %d reads as %q, want %q", i, got[i], entries[i])
			}
		}
	}
	if b, err := AppendEntry([]byte("before"), append(largest, 0)); !errors.Is(err, ErrEntryTooLarge) || string(b) != "before" {
		t.Errorf("an entry of %d bytes: %v", MaxEntrySize+1, err)
	}
	for name, b := range map[string][]byte{
		"empty":            {},
		"half a length":    {0},
		"cut off":          {0, 2, 'a'},
		"cut off later":    {0, 1, 'a', 0, 2, 'b'},
		"half a length on": {0, 1, 'a', 0},
		"257 entries":      make([]byte, lengthSize*(Width+1)),
	} {
		if got, err := ParseBundle(b); !errors.Is(err, ErrBundle) {
			t.Errorf("%s: got %d entries, %v; want ErrBundle", name, len(got), err)
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte{0, 0})
	f.Add([]byte{0, 1, 'a', 0, 2, 'b', 'c'})
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := ParseBundle(b)
		if err != nil {
			if !errors.Is(err, ErrBundle) {
				t.Fatalf("%v is not ErrBundle", err)
			}
			return
		}
		var again []byte
		for _, e := range entries {
			if again, err = AppendEntry(again, e); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%q prints back as %q", b, again)
		}
	})
}
