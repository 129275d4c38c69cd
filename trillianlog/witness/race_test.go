package witness

import (
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// history collects what a witness has cosigned of a log and its fork, and finds what
// must never be.
type history struct {
	l, fork *witnesstest.Log
	common  uint64 // entries that both have

	mu            sync.Mutex
	roots         map[uint64][32]byte // by size
	times         map[uint64]uint64   // the latest of each size
	size          uint64              // the largest
	onFork, onLog bool
	all           int
}

func newHistory(l *witnesstest.Log, common uint64) *history {
	return &history{l: l, fork: l.Fork(common), common: common, roots: make(map[uint64][32]byte), times: make(map[uint64]uint64)}
}

// stored takes a size that the witness says it has; its answer may have been lost.
func (h *history) stored(size uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.size = max(h.size, size)
}

// known is the largest size that was cosigned.
func (h *history) known() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.size
}

// add takes an answer; before is what known was when the request was sent.
func (h *history) add(t testing.TB, c checkpoint.Checkpoint, at, before uint64) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all++
	if c.Size < before {
		t.Errorf("size %d is cosigned after %d", c.Size, before)
	}
	if root, ok := h.roots[c.Size]; ok && root != c.Root {
		t.Errorf("two roots are cosigned at size %d", c.Size)
	}
	if c.Size > h.common {
		h.onLog = h.onLog || c == h.l.At(c.Size)
		h.onFork = h.onFork || c == h.fork.At(c.Size)
		if h.onFork && h.onLog {
			t.Errorf("both histories are cosigned, at %d and before", c.Size)
		}
	}
	for size, time := range h.times {
		if size < c.Size && time > at {
			t.Errorf("size %d is cosigned at %d, the smaller size %d at %d", c.Size, at, size, time)
		}
	}
	h.roots[c.Size], h.times[c.Size] = c.Root, max(at, h.times[c.Size])
	h.size = max(h.size, c.Size)
}

// next is a request as a log that knows known, or one that forks, would send it.
func (h *history) next(known uint64) (c checkpoint.Checkpoint, body string) {
	l := h.l
	if rand.IntN(2) == 0 {
		l = h.fork
	}
	c = l.At(known + uint64(rand.IntN(4)))
	return c, grow(l, known, c.Size)
}

// A hundred at once, half of them for another history: never two cosignatures for two
// roots at one size, and never one for both histories.
func TestRace(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(3000)
	b := newBench(t, func(o *Options) {
		o.MaxRequests, o.MaxRate = 200, 1<<20
		o.sync = func(f *os.File) error { // slow enough for others to get in between
			time.Sleep(100 * time.Microsecond)
			return f.Sync()
		}
	}, l)
	for round := range uint64(3) {
		now := b.server.Status()[0].Size
		h := newHistory(l, now+2*round) // the fork begins here, or just beyond
		h.size = now
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() {
				for range 3 {
					known := h.known()
					c, body := h.next(known)
					switch got := b.post(body); got.status {
					case 200:
						h.add(t, c, timeOf(t, got.body), known)
					case 409, 422:
					default:
						t.Errorf("%+v", got)
					}
				}
			})
		}
		wait.Wait()
		if h.all == 0 {
			t.Errorf("round %d: nothing was cosigned", round)
		}
		if h.onFork {
			l = h.fork
		}
		if got := b.server.Status()[0].Size; got != h.size {
			t.Errorf("round %d: at %d, the largest that was answered is %d", round, got, h.size)
		}
	}
}

// timeOf reads the time from an answer of 200.
func timeOf(t testing.TB, lines string) uint64 {
	t.Helper()
	n, err := checkpoint.ParseNote([]byte("text\n\n" + lines))
	if err != nil || len(n.Signatures) != 1 || len(n.Signatures[0].Sig) != 72 || !strings.HasPrefix(lines, "— witness.example/w1 ") {
		t.Fatalf("%q: %v", lines, err)
	}
	var at uint64
	for _, b := range n.Signatures[0].Sig[:8] {
		at = at<<8 | uint64(b)
	}
	return at
}
