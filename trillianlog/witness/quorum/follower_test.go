package quorum

import (
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
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

// Whatever a witness answers, only its own cosignature of this very checkpoint is
// taken, as it stood there.
func FuzzAccept(f *testing.F) {
	l := witnesstest.NewLog(f, "log.example/a")
	l.Grow(9)
	key, err := witness.NewKey("witness.example/w")
	if err != nil {
		f.Fatal(err)
	}
	p, err := policy.Parse([]byte("log " + l.Key + "\nwitness w " + key.Verifier() + " https://witness.example\nquorum w\n"))
	if err != nil {
		f.Fatal(err)
	}
	c, err := New(Options{Origin: l.Origin, Policy: p})
	if err != nil {
		f.Fatal(err)
	}
	defer c.Close()
	j, err := c.newJob(l.Signed(9), l.Prover(9))
	if err != nil {
		f.Fatal(err)
	}
	sig := key.Cosign(l.At(9).Body(), uint64(time.Now().Unix()))
	good := string(sig.Append(nil))
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "/w ", "/x ", 1) + good))
	f.Add([]byte("\n" + l.At(8).Body() + "\n" + good))
	f.Fuzz(func(t *testing.T, lines []byte) {
		out := c.followers[0].accept(j, lines)
		if out.err == nil && !strings.Contains(string(lines), string(out.sig.Append(nil))) {
			t.Fatalf("%q gives %q", lines, out.sig.Append(nil))
		}
		if out.err == nil && string(out.sig.Append(nil)) != good {
			t.Fatalf("forged: %q", lines)
		}
	})
}
