package quorum

import (
	"testing"
	"time"
)

// Pauses grow up to a limit, and what a witness wants counts up to another.
func TestNextPause(t *testing.T) {
	var pause time.Duration
	for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		var wait time.Duration
		if pause, wait = nextPause(pause, 0); pause != want*time.Millisecond || wait != pause {
			t.Errorf("pause %d is %s, waits %s", i, pause, wait)
		}
	}
	for _, test := range []struct{ pause, wanted, next, wait time.Duration }{
		{0, time.Second, firstPause, time.Second},
		{lastPause, time.Second, lastPause, lastPause},
		{0, maxRetry, firstPause, maxRetry},
		{0, maxRetry + time.Second, firstPause, maxRetry},
	} {
		if next, wait := nextPause(test.pause, test.wanted); next != test.next || wait != test.wait {
			t.Errorf("%+v: %s, %s", test, next, wait)
		}
	}
}
