package logserver

import (
	"sync/atomic"
	"time"

	"github.com/google/trillian/util/clock"
)

// Clock is the system's clock, except that each answer is later than the one
// before. Trillian refuses a root that is not later than the last one
// (log/sequencer.go), so a clock that an administrator or NTP steps back would
// stop integration; here it runs on in steps of a nanosecond until the system's
// has caught up. The zero value is ready.
type Clock struct{ last atomic.Int64 }

// Pass makes all answers from now on later than a time in nanoseconds since 1970:
// the stored root's, so that what Clock promises also holds across restarts.
func (c *Clock) Pass(nanos uint64) {
	for {
		last := c.last.Load()
		if last >= int64(nanos) || c.last.CompareAndSwap(last, int64(nanos)) {
			return
		}
	}
}

// Now is part of clock.TimeSource.
func (c *Clock) Now() time.Time {
	for {
		last := c.last.Load()
		now := max(time.Now().UnixNano(), last+1)
		if c.last.CompareAndSwap(last, now) {
			return time.Unix(0, now)
		}
	}
}

// NewTimer is part of clock.TimeSource.
func (c *Clock) NewTimer(d time.Duration) clock.Timer { return clock.System.NewTimer(d) }
