package gateway

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter bounds the requests of each of many clients. It remembers so many of
// them and forgets the least recent first; whoever is forgotten begins with a
// full allowance again, so the table's bound never refuses anybody.
type limiter[K comparable] struct {
	rate  rate.Limit
	burst int
	size  int
	now   func() time.Time

	mu      sync.Mutex
	entries map[K]*list.Element // of *allowance[K]
	recent  *list.List          // most recent in front
}

type allowance[K comparable] struct {
	key    K
	bucket *rate.Limiter
}

// newLimiter makes a limiter; a negative rate makes one that lets all pass.
func newLimiter[K comparable](perSecond float64, burst, size int) *limiter[K] {
	return &limiter[K]{
		rate: rate.Limit(perSecond), burst: burst, size: size, now: time.Now,
		entries: map[K]*list.Element{}, recent: list.New(),
	}
}

// wait is 0 when the request may go on, else how long the client should wait
// before it tries again.
func (l *limiter[K]) wait(key K) time.Duration {
	if l.rate < 0 {
		return 0
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.entries[key]
	if known {
		l.recent.MoveToFront(e)
	} else {
		if l.recent.Len() >= l.size {
			oldest := l.recent.Back()
			delete(l.entries, oldest.Value.(*allowance[K]).key)
			l.recent.Remove(oldest)
		}
		e = l.recent.PushFront(&allowance[K]{key, rate.NewLimiter(l.rate, l.burst)})
		l.entries[key] = e
	}
	bucket := e.Value.(*allowance[K]).bucket
	if bucket.AllowN(now, 1) {
		return 0
	}
	r := bucket.ReserveN(now, 1)
	delay := r.DelayFrom(now)
	r.CancelAt(now)
	return max(delay, time.Millisecond)
}

// clientKey is the address whose requests are counted together: an IPv4
// address, or the /64 that one IPv6 site has. It is false for the machine's own
// addresses and for what is no address at all.
func clientKey(remote string) (netip.Prefix, bool) {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}, false
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.IsLoopback() {
		return netip.Prefix{}, false
	}
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, err := addr.Prefix(bits)
	return p, err == nil
}
