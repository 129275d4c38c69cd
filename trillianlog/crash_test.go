package trillianlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// memory is a projection that survives its log, as a database would.
type memory struct {
	mu     sync.Mutex
	leaves [][]byte
	wrong  error
}

func (m *memory) Next() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.leaves))
}

func (m *memory) Apply(_ context.Context, first uint64, leaves [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if first != uint64(len(m.leaves)) {
		m.wrong = fmt.Errorf("leaf %d is applied after %d leaves", first, len(m.leaves))
	}
	m.leaves = append(m.leaves, leaves...)
	return nil
}

// check compares the projection with the log: it has seen each published leaf
// once, in order.
func (m *memory) check(t *testing.T, l *trillianlog.Log) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	c, _ := l.Published()
	if m.wrong != nil || uint64(len(m.leaves)) < c.Size {
		t.Fatalf("the projection has seen %d leaves of %d: %v", len(m.leaves), c.Size, m.wrong)
	}
	if c.Size == 0 {
		return
	}
	entries, err := l.Tiles().Entries(t.Context(), 0, c.Size)
	if err != nil {
		t.Fatal(err)
	}
	for i, entry := range entries {
		if string(entry) != string(m.leaves[i]) {
			t.Fatalf("the projection has seen %q as leaf %d, it is %q", m.leaves[i], i, entry)
		}
	}
}

// load logs n leaves by several clients and keeps every receipt; what is not
// acknowledged because the log ended is left.
func (w *world) load(l *trillianlog.Log, prefix string, n int) {
	var wait sync.WaitGroup
	for client := range 8 {
		wait.Go(func() {
			for i := range n / 8 {
				err := w.logOne(l, leaf(fmt.Sprintf("%s-%d-%d", prefix, client, i), "text"))
				if errors.Is(err, trillianlog.ErrClosed) {
					return
				}
				if err != nil {
					w.tb.Errorf("log a leaf: %v", err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// steps are where the publisher can be struck, in the order of rule 2.
var steps = []string{"leaves rebuilt", "before tiles", "tiles durable", "projection applied",
	"before swap", "swapped", "signed", "cosigned", "before publish", "published"}

func TestCrashBetweenEachPairOfSteps(t *testing.T) {
	for _, step := range steps {
		for _, strike := range []int{1, 2, 7} { // at which of its passes
			t.Run(fmt.Sprintf("%s, pass %d", step, strike), func(t *testing.T) {
				t.Parallel()
				w, m := newWorld(t), &memory{}
				struck := make(chan struct{})
				var mu sync.Mutex
				passes := 0
				l := w.open(func(o *trillianlog.Options) {
					o.Projection, o.MaxBatch = m, 5
					o.SetFault(func(at string) error {
						mu.Lock()
						defer mu.Unlock()
						if at == step {
							passes++
						}
						if passes < strike {
							return nil
						}
						if at == step && passes == strike {
							close(struck)
						}
						return trillianlog.ErrCrash // nothing happens after a crash
					})
				})
				var loading sync.WaitGroup
				loading.Go(func() { w.load(l, "first", 200) })
				<-struck
				w.close(l)
				loading.Wait()
				if mu.Lock(); passes < strike {
					t.Fatalf("struck %d times", passes)
				}
				mu.Unlock()

				l = w.open(func(o *trillianlog.Options) { o.Projection = m })
				w.check(l)
				m.check(t, l)
				w.load(l, "first", 200) // the clients ask again for what they do not know
				w.load(l, "second", 40)
				w.check(l)
				m.check(t, l)
				if c, _ := l.Published(); c.Size != 240 {
					t.Fatalf("%d leaves, want 240: none twice, none lost", c.Size)
				}
				w.close(l)

				// A projection that was deleted is computed again before Open returns.
				m = &memory{}
				l = w.open(func(o *trillianlog.Options) { o.Projection = m })
				m.check(t, l)
				w.check(l)
			})
		}
	}
}

// The tiles are lost and all else is there: they are written again, and nothing
// smaller than what was signed is ever published.
func TestLostTilesAreWrittenAgain(t *testing.T) {
	w, m := newWorld(t), &memory{}
	l := w.open(func(o *trillianlog.Options) { o.Projection = m })
	w.load(l, "first", 800)
	// More than one checkpoint can add, so that there are steps on the way.
	var leaves []trillianlog.Leaf
	for i := range 300 {
		leaves = append(leaves, leaf(fmt.Sprintf("big-%d", i), strings.Repeat("x", 60000)))
	}
	tickets, err := l.AddAll(leaves)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, tickets[299])
	old, _ := l.Published()
	w.close(l)
	copyDir(t, t.TempDir(), w.path("log"))
	var mu sync.Mutex
	var sizes []uint64
	m = &memory{}
	l = w.open(func(o *trillianlog.Options) {
		o.Projection = m
		o.OnPublish = func(size uint64, _ time.Duration) { mu.Lock(); sizes = append(sizes, size); mu.Unlock() }
	})
	w.load(l, "second", 80)
	w.check(l)
	m.check(t, l)
	mu.Lock()
	defer mu.Unlock()
	if c, _ := l.Published(); c.Size != old.Size+80 || len(sizes) == 0 || sizes[0] < old.Size || !slices.IsSorted(sizes) {
		t.Fatalf("size %d after %d, published %v", c.Size, old.Size, sizes)
	}
}

func TestAProjectionThatIsAheadOfTheLogIsRefused(t *testing.T) {
	w, m := newWorld(t), &memory{leaves: make([][]byte, 3)}
	if _, err := w.tryOpen(func(o *trillianlog.Options) { o.Projection = m }); err == nil {
		t.Fatal("it is taken")
	}
}

// What fails for a while is tried again, and nothing is answered meanwhile.
type stubborn struct {
	trillianlog.LastCheckpoint
	mu    sync.Mutex
	fail  []error // for the next calls of Swap, after the swap itself if through
	swaps int
}

func (s *stubborn) Swap(ctx context.Context, old, new []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swaps++
	if len(s.fail) == 0 {
		return s.LastCheckpoint.Swap(ctx, old, new)
	}
	err := s.fail[0]
	s.fail = s.fail[1:]
	if errors.Is(err, errThrough) {
		if err := s.LastCheckpoint.Swap(ctx, old, new); err != nil {
			return err
		}
	}
	return err
}

var errThrough = errors.New("written, but not known to be")

func TestASwapThatFailsIsTriedAgain(t *testing.T) {
	disk := errors.New("input/output error")
	for _, fail := range [][]error{{disk}, {errThrough}, {disk, errThrough, disk}} {
		w := newWorld(t)
		var s *stubborn
		l := w.open(func(o *trillianlog.Options) {
			s = &stubborn{LastCheckpoint: o.Last}
			o.Last = s
		})
		w.log(l, "before", 2)
		s.mu.Lock()
		s.fail = slices.Clone(fail)
		s.mu.Unlock()
		w.log(l, "after", 2)
		if st := l.Status(); st.Err != nil || st.Published != 4 {
			t.Fatalf("status %+v", st)
		}
		w.check(l)
		w.close(l)
		w.check(w.open(nil))
	}
}
