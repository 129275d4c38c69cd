package trillianlog

import (
	"context"
	"time"
)

const (
	firstPause = 20 * time.Millisecond
	lastPause  = 5 * time.Second
)

// backoff is the pause between attempts: short first, twice as long each time.
// The zero value is ready.
type backoff struct{ pause time.Duration }

// next is how long to wait now.
func (b *backoff) next() time.Duration {
	b.pause = min(max(2*b.pause, firstPause), lastPause)
	return b.pause
}

// wait returns early, with its error, when ctx ends.
func (b *backoff) wait(ctx context.Context) error {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
