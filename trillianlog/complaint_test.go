package trillianlog

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestComplaint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c complaint
		if ended, _ := c.end(); ended || c.open() {
			t.Error("there was none")
		}
		began := time.Now()
		for i := range 600 { // ten minutes
			say, since := c.begin()
			if say != (i%60 == 0) || !since.Equal(began) || !c.open() {
				t.Errorf("second %d: %v, since %v", i, say, since)
			}
			time.Sleep(time.Second)
		}
		if ended, lasted := c.end(); !ended || lasted != 10*time.Minute || c.open() {
			t.Errorf("it ended: %v, after %v", ended, lasted)
		}
		if say, since := c.begin(); !say || !since.Equal(began.Add(10*time.Minute)) {
			t.Errorf("the next one: %v, since %v", say, since)
		}
	})
}
