package embedded

import (
	"sync/atomic"
	"time"

	"github.com/google/trillian/util/clock"
)

// risingClock is the system's clock, except that each answer is later than
// the one before. Trillian refuses a root that is not later than the last one
// (log/sequencer.go), so a clock that an administrator or NTP steps back would
// stop integration; here it runs on in steps of a nanosecond until the
// system's has caught up.
type risingClock struct{ last atomic.Int64 }

// newRisingClock gives a clock whose first answer is later than last, in
// nanoseconds since 1970: the stored root's time, so that this also holds
// across restarts.
func newRisingClock(last uint64) *risingClock {
	c := new(risingClock)
	c.last.Store(int64(last))
	return c
}

func (c *risingClock) Now() time.Time {
	for {
		last := c.last.Load()
		now := max(time.Now().UnixNano(), last+1)
		if c.last.CompareAndSwap(last, now) {
			return time.Unix(0, now)
		}
	}
}

func (c *risingClock) NewTimer(d time.Duration) clock.Timer { return clock.System.NewTimer(d) }
