package tiles

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/internal/tiletree"
)

// A snapshot is the content of every file below a folder.
type snapshot map[string][]byte

func takeSnapshot(t testing.TB, dir string) snapshot {
	t.Helper()
	snap := snapshot{}
	for _, name := range diskFiles(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		snap[name] = data
	}
	return snap
}

// restore writes a snapshot to a new folder.
func (s snapshot) restore(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range s {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (s snapshot) clone() snapshot {
	c := snapshot{}
	for name, data := range s {
		c[name] = data
	}
	return c
}

// checkOpen opens a folder that a crash left and wants the published size, every
// entry and proof of it, and that the log grows on.
func checkOpen(t testing.TB, dir string, size uint64) {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, _ := s.Checkpoint()
	if s.Size() != size || c.Size != size {
		t.Fatalf("opened at size %d, the checkpoint's is %d, want %d", s.Size(), c.Size, size)
	}
	var r reference
	r.grow(t, size+300)
	if size > 0 {
		if got, err := s.Entries(context.Background(), 0, size); err != nil || !slices.EqualFunc(got, testEntries(0, size), bytes.Equal) {
			t.Fatalf("the entries: %d of %d, %v", len(got), size, err)
		}
		check(t, s, &r, size, []uint64{0, size / 2, size - 1})
	}
	// What a plain web server finds.
	for level := 0; size>>(8*level) > 0; level++ {
		for index := range tiletree.FullTiles(size, level) + 1 {
			width := Width
			if index == tiletree.FullTiles(size, level) {
				if width = tiletree.PartialWidth(size, level); width == 0 {
					continue
				}
			}
			names := []string{TilePath(level, index, width)}
			if level == 0 {
				names = append(names, EntriesPath(index, width))
			}
			for _, name := range names {
				want, _, err := s.File(name)
				onDisk, err2 := os.ReadFile(s.path(name))
				if err != nil || err2 != nil || !bytes.Equal(want, onDisk) {
					t.Fatalf("%s: %d bytes on disk, want %d; %v, %v", name, len(onDisk), len(want), err, err2)
				}
			}
		}
	}
	for _, n := range []uint64{1, 255, 44} {
		grow(t, s, s.Size()+n)
	}
	check(t, s, &r, size+300, []uint64{0, size, size + 1, size + 299})
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	if again, err := Open(dir); err != nil || again.Size() != size+300 {
		t.Fatalf("opened again: %v", err)
	}
}

// partialFile tells whether a file is one that is not synced.
// partialFile tells whether a store can do without the file.
func partialFile(name string) bool {
	return strings.Contains(name, ".p/") || strings.HasSuffix(name, ".spare")
}

// A power failure between two publications may leave any part of what was written
// after the first one. What the first one synced stays.
func TestPowerFailureAfterExtend(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, test := range []struct{ from, to uint64 }{
		{0, 10}, {10, 20}, {10, 255}, {10, 256}, {10, 257}, {10, 600}, {256, 300}, {256, 512}, {256, 700}, {300, 512}, {511, 513},
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		if test.from > 0 {
			grow(t, s, test.from)
		}
		before := takeSnapshot(t, dir)
		if err := s.Extend(testEntries(test.from, test.to-test.from), nil); err != nil {
			t.Fatal(err)
		}
		after := takeSnapshot(t, dir)
		for round := range 6 {
			crashed := before.clone()
			for name, data := range after {
				old, had := before[name]
				if had && bytes.Equal(old, data) {
					continue
				}
				torn := bytes.Clone(data)
				switch random.IntN(4) {
				case 0: // not there
					torn = nil
				case 1: // only a part
					torn = torn[:random.IntN(len(torn)+1)]
				case 2: // its length without its content
					clear(torn)
				}
				switch {
				case had: // appended to; what was synced stays
					torn = append(bytes.Clone(old), torn[min(len(old), len(torn)):]...)
					crashed[name] = torn
				case before[name+growingSuffix] != nil: // renamed
					if random.IntN(2) == 0 {
						delete(crashed, name+growingSuffix)
						crashed[name] = data // it was synced before
					} else {
						crashed[name+growingSuffix] = append(bytes.Clone(before[name+growingSuffix]), 0, 9, 'x')
					}
				case torn != nil:
					crashed[name] = torn
				}
			}
			crashed["tile/entries/000.growing.tmp"] = []byte("left")
			crashed["checkpoint.tmp"] = []byte("left")
			// And none of the partial files is sure to be there.
			for name := range crashed {
				if partialFile(name) && random.IntN(2) == 0 {
					delete(crashed, name)
				}
			}
			if test.from == 0 {
				if s, err := Open(crashed.restore(t)); err != nil || s.Size() != 0 {
					t.Fatalf("%v, round %d: %v", test, round, err)
				}
				continue
			}
			checkOpen(t, crashed.restore(t), test.from)
		}
	}
}

// After a publication only the partial files are not sure to be there, whole.
func TestPowerFailureAfterPublish(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for _, size := range []uint64{1, 9, 255, 256, 257, 511, 512, 700, 1024, 1025} {
		grow(t, s, size)
		published := takeSnapshot(t, dir)
		for range 4 {
			crashed := published.clone()
			for name, data := range published {
				if !partialFile(name) {
					continue
				}
				switch random.IntN(4) {
				case 0:
					delete(crashed, name)
				case 1:
					crashed[name] = data[:random.IntN(len(data)+1)]
				case 2:
					crashed[name] = make([]byte, len(data))
				}
			}
			checkOpen(t, crashed.restore(t), size)
		}
		// A copy made over HTTP has no growing file.
		crashed := published.clone()
		for name := range crashed {
			if strings.HasSuffix(name, growingSuffix) {
				delete(crashed, name)
			}
		}
		checkOpen(t, crashed.restore(t), size)
	}
}

// An error in mid-way, such as a full disk, changes nothing, and the next try goes
// through.
func TestExtendFailsAndIsRepeated(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, to uint64
		blocked  string
	}{
		{10, 20, "tile/entries/000.growing.tmp"}, // after a start
		{10, 300, "tile/entries/000"},
		{10, 300, "tile/entries/001.growing"},
		{10, 300, "tile/0/000"},
		{10, 600, "tile/entries/001"},
		{10, 600, "tile/0/001"},
		{256, 300, "tile/entries/001.growing"},
		{65535, 65540, "tile/1/000"},
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		grow(t, s, test.from)
		if strings.HasSuffix(test.blocked, tempSuffix) {
			s = mustOpen(t, dir)
		}
		// A folder with something in it is in the way of every kind of write.
		blocker := filepath.Join(dir, filepath.FromSlash(test.blocked))
		if err := os.MkdirAll(filepath.Join(blocker, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		entries := testEntries(test.from, test.to-test.from)
		for range 2 {
			if err := s.Extend(entries, nil); err == nil || s.Size() != test.from {
				t.Fatalf("%+v: %v, size %d", test, err, s.Size())
			}
		}
		if e, err := s.Entry(context.Background(), test.from-1); err != nil || !bytes.Equal(e, testEntry(test.from-1)) {
			t.Fatalf("%+v: a published entry: %q, %v", test, e, err)
		}
		os.RemoveAll(blocker)
		if test.from < 1000 {
			checkOpen(t, takeSnapshot(t, dir).restore(t), test.from)
		}
		if err := s.Extend(entries, nil); err != nil {
			t.Fatalf("%+v, again: %v", test, err)
		}
		publish(t, s)
		if test.from < 1000 {
			checkOpen(t, takeSnapshot(t, dir).restore(t), test.to)
		}
	}
}

func TestPublishFailsAndIsRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	grow(t, s, 10)
	old := s.Published()
	if err := s.Extend(testEntries(10, 300), nil); err != nil {
		t.Fatal(err)
	}
	for _, blocked := range []string{"checkpoint.spare", "tile/0/001.p/54", "tile/entries/001.p/54", "tile/1/000.p/1"} {
		blocker := filepath.Join(dir, filepath.FromSlash(blocked))
		os.RemoveAll(blocker) // written by an earlier try
		if err := os.MkdirAll(filepath.Join(blocker, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(sign(t, s.Size(), s.RootWith(nil))); err == nil || !bytes.Equal(s.Published(), old) {
			t.Fatalf("%s: %v", blocked, err)
		}
		os.RemoveAll(blocker)
		s.partials = nil // all of them are tried again
	}
	checkOpen(t, takeSnapshot(t, dir).restore(t), 10)
	publish(t, s)
	checkOpen(t, takeSnapshot(t, dir).restore(t), 310)
}

// Whatever is done to a file, the answers are right or a *DamageError that names a
// file; nothing panics.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	grow(t, s, 256)
	grow(t, s, 700)
	snap := takeSnapshot(t, dir)
	random := rand.New(rand.NewPCG(7, 8))
	kinds := map[string]func([]byte) []byte{
		"lost":    func([]byte) []byte { return nil },
		"empty":   func([]byte) []byte { return []byte{} },
		"cut":     func(b []byte) []byte { return b[:len(b)-1-random.IntN(len(b)-1)] },
		"longer":  func(b []byte) []byte { return append(bytes.Clone(b), 0) },
		"flipped": func(b []byte) []byte { b = bytes.Clone(b); b[random.IntN(len(b))] ^= 1 << random.IntN(8); return b },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"noise": func(b []byte) []byte {
			b = make([]byte, len(b))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			return b
		},
	}
	for name, data := range snap {
		for kind, change := range kinds {
			damaged := snap.clone()
			if changed := change(data); changed != nil {
				damaged[name] = changed
			} else {
				delete(damaged, name)
			}
			err := readAll(damaged.restore(t), 700)
			var damage *DamageError
			switch {
			case name == CheckpointPath && kind == "lost": // an empty log
				if !errors.Is(err, ErrRange) {
					t.Errorf("%s %s: %v", name, kind, err)
				}
			case name == CheckpointPath && (kind == "flipped"):
				// In a signature it is the reader who sees it.
			case partialFile(name) || strings.HasSuffix(name, growingSuffix):
				// The others are enough.
				if err != nil {
					t.Errorf("%s %s: %v", name, kind, err)
				}
			case !errors.As(err, &damage):
				t.Errorf("%s %s: got %v, want a *DamageError", name, kind, err)
			case !strings.HasSuffix(filepath.ToSlash(damage.File), name):
				t.Errorf("%s %s: it says %v", name, kind, err)
			}
		}
	}
	// Without any copy of the last entries, the error says so.
	lost := snap.clone()
	delete(lost, "tile/entries/002.growing")
	delete(lost, "tile/entries/002.p/188")
	var damage *DamageError
	if err := readAll(lost.restore(t), 700); !errors.As(err, &damage) || !strings.Contains(err.Error(), "tile/entries/002") {
		t.Errorf("the last entries are lost: %v", err)
	}
	// All copies of them changed: the root does not match.
	changed := snap.clone()
	for _, name := range []string{"tile/entries/002.growing", "tile/entries/002.p/188"} {
		data := bytes.Clone(changed[name])
		data[2] ^= 1
		changed[name] = data
	}
	if err := readAll(changed.restore(t), 700); !errors.As(err, &damage) || !strings.Contains(err.Error(), "root") {
		t.Errorf("the last entries are changed: %v", err)
	}
	// A checkpoint of another tree.
	other := snap.clone()
	other[CheckpointPath] = sign(t, 700, Hash{1})
	if err := readAll(other.restore(t), 700); !errors.As(err, &damage) {
		t.Errorf("another checkpoint: %v", err)
	}
	other[CheckpointPath] = sign(t, 1<<64-1, Hash{1})
	if err := readAll(other.restore(t), 700); !errors.As(err, &damage) {
		t.Errorf("a checkpoint of an impossible size: %v", err)
	}
}

// readAll opens a folder and reads everything that can be read.
func readAll(dir string, size uint64) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	entries, err := s.Entries(ctx, 0, size)
	if err != nil {
		return err
	}
	for i := range size {
		if !bytes.Equal(entries[i], testEntry(i)) {
			return fmt.Errorf("entry %d is wrong", i)
		}
		for range 2 { // the second time by its place in the file
			if e, err := s.Entry(ctx, i); err != nil || !bytes.Equal(e, testEntry(i)) {
				return errors.Join(err, fmt.Errorf("entry %d", i))
			}
		}
		if _, err := s.InclusionProof(i, size); err != nil {
			return err
		}
	}
	return nil
}

// A file that is damaged while the log is open.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	grow(t, s, 700)
	ctx := context.Background()
	if _, err := s.Entry(ctx, 3); err != nil { // its place is known now
		t.Fatal(err)
	}
	name := filepath.Join(dir, "tile", "entries", "000")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, testEntry(3))
	data[at] ^= 1
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := s.Entry(ctx, 3); !errors.As(err, &damage) || damage.File != name {
		t.Errorf("a flipped bit: %v", err)
	}
	if _, err := s.Entry(ctx, 4); err != nil {
		t.Errorf("its neighbour: %v", err)
	}
	n := 0
	for _, err := range s.Stream(ctx, 0, 700) {
		if n++; err != nil && !errors.As(err, &damage) {
			t.Errorf("streaming: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d values were streamed; want the error alone", n)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{second(s.Entry(ctx, 3)), third(s.File("tile/entries/000")), third(s.File("tile/entries/000.p/9"))} {
		if !errors.As(err, &damage) || damage.File != name || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a lost bundle: %v", err)
		}
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

const writerEnv = "TALLYROOT_TILES_TEST_WRITER"

// TestWriter is the process that TestKill kills.
func TestWriter(t *testing.T) {
	dir := os.Getenv(writerEnv)
	if dir == "" {
		t.Skip("run by TestKill")
	}
	s := mustOpen(t, dir)
	random := rand.New(rand.NewPCG(s.Size(), 1))
	for {
		if err := s.Extend(testEntries(s.Size(), 1+random.Uint64N(90)), nil); err != nil {
			t.Fatal(err)
		}
		if random.IntN(3) == 0 {
			continue
		}
		publish(t, s)
		fmt.Printf("published %d\n", s.Size())
	}
}

// kill -9 at any moment: what was said to be published is there.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said := uint64(0)
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
		cmd.Env = append(os.Environ(), writerEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			text, ok := strings.CutPrefix(lines.Text(), "published ")
			if !ok {
				t.Log(lines.Text())
				continue
			}
			if said, err = strconv.ParseUint(text, 10, 64); err != nil {
				t.Fatal(err)
			}
			if n++; n == 7+5*round {
				cmd.Process.Kill() // and read on what it said before it died
			}
		}
		cmd.Wait()
		if said == 0 {
			t.Fatal("the writer published nothing")
		}
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		size := s.Size()
		s.Close()
		if size < said {
			t.Fatalf("opened at size %d; %d was published", size, said)
		}
		checkOpen(t, takeSnapshot(t, dir).restore(t), size)
	}
}
