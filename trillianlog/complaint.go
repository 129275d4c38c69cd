package trillianlog

import (
	"sync"
	"time"
)

// remindEvery is how often a trouble that lasts is told of again.
const remindEvery = time.Minute

// complaint bounds the log's lines about one trouble: one when it begins, one
// each remindEvery while it lasts, one when it ends. The zero value is ready.
type complaint struct {
	mu          sync.Mutex
	since, said time.Time
}

// begin is called whenever the trouble shows. say tells whether to write a line.
func (c *complaint) begin() (say bool, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.since.IsZero() {
		c.since = now
	}
	if !c.said.IsZero() && now.Sub(c.said) < remindEvery {
		return false, c.since
	}
	c.said = now
	return true, c.since
}

// end is called whenever all is well. It tells whether it was not, and for how
// long.
func (c *complaint) end() (ended bool, lasted time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return false, 0
	}
	lasted = time.Since(c.since).Round(time.Millisecond)
	c.since, c.said = time.Time{}, time.Time{}
	return true, lasted
}

func (c *complaint) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero()
}
