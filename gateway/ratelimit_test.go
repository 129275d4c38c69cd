package gateway

import (
	"net/netip"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	l := newLimiter[string](2, 3, 2)
	l.now = func() time.Time { return now }
	for i := range 3 {
		if d := l.wait("a"); d != 0 {
			t.Fatalf("request %d of the burst waits %v", i, d)
		}
	}
	if d := l.wait("a"); d != 500*time.Millisecond {
		t.Errorf("one over the burst waits %v", d)
	}
	if d := l.wait("a"); d != 500*time.Millisecond {
		t.Errorf("a refused request was counted: %v", d)
	}
	if d := l.wait("b"); d != 0 {
		t.Errorf("another client waits %v", d)
	}
	now = now.Add(500 * time.Millisecond)
	if d := l.wait("a"); d != 0 {
		t.Errorf("after the wait it waits %v", d)
	}
	// The table holds two: c drives out b, the least recent.
	l.wait("c")
	if l.recent.Len() != 2 || len(l.entries) != 2 || l.entries["b"] != nil {
		t.Errorf("the table holds %d and %d", l.recent.Len(), len(l.entries))
	}
	if d := l.wait("a"); d == 0 {
		t.Error("a was forgotten though it was recent")
	}
	free := newLimiter[string](-1, 0, 0)
	for range 100 {
		if d := free.wait("a"); d != 0 {
			t.Fatalf("no limit waits %v", d)
		}
	}
}

func TestClientKey(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1234": "192.0.2.7/32", "[::ffff:192.0.2.7]:1": "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64",
		"127.0.0.1:1": "", "[::1]:1": "", "127.9.9.9:1": "", "@": "", "": "", "pipe": "",
	} {
		key, counted := clientKey(remote)
		if counted != (want != "") || counted && key != netip.MustParsePrefix(want) {
			t.Errorf("%s: %v, %v; want %q", remote, key, counted, want)
		}
	}
}
