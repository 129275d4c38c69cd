package logserver

import (
	"testing"
	"time"
)

func TestClockRises(t *testing.T) {
	var c Clock
	if now := c.Now(); time.Since(now).Abs() > time.Minute {
		t.Fatalf("the zero clock says %v", now)
	}
	ahead := time.Now().Add(time.Hour)
	c.Pass(uint64(ahead.UnixNano()))
	c.Pass(1) // never back
	last := ahead
	for range 1000 {
		now := c.Now()
		if !now.After(last) {
			t.Fatalf("%v is not after %v", now, last)
		}
		last = now
	}
}
