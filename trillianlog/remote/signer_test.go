package remote

import (
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/stock"
)

// Without a signer leaves are stored up to the limit, and what Trillian then does
// not show is not taken for nothing.
func TestSignerAway(t *testing.T) {
	s := own(t, mariadb.Shared(t), stock.Options{})
	if err := s.servers.Signer.Kill(); err != nil {
		t.Fatal(err)
	}
	o := s.options(t)
	o.MaxPending = 10
	b := open(t, o)
	for i := range uint64(10) {
		if err := b.Reserve(); err != nil {
			t.Fatalf("with %d leaves: %v", i, err)
		}
		add(t, b, i, i+1)
	}
	if err := b.Reserve(); err == nil || !strings.Contains(err.Error(), "trillian_log_signer") {
		t.Fatalf("with 10 leaves: %v", err)
	}
	next(t, b, 10)
	closeIt(t, b)
	b = open(t, o)
	next(t, b, 10) // the folder says so
	if err := b.Reserve(); err == nil {
		t.Fatal("opened again, there is room")
	}
	closeIt(t, b)

	// Without the folder nothing says so, until something is in the way.
	remove(t, o.Dir)
	b = open(t, o)
	next(t, b, 0)
	said, err := send(b, 0, entry(1000))
	if err != nil || !strings.Contains(said[0], saysIndexTaken) {
		t.Fatalf("got %q, %v", said, err)
	}
	if _, _, err := b.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "trillian_log_signer") {
		t.Fatalf("got %v", err)
	}
	if err := s.servers.Signer.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is known what there is", func() bool {
		_, _, err := b.Next(t.Context())
		return err == nil
	})
	next(t, b, 10)
	finds(t, b, 0, 10)
	until(t, "there is room", func() bool { return b.Reserve() == nil })
	add(t, b, 10, 12)
	grown(t, b, 12)
}

// More than can be read at once is waited for.
func TestBacklog(t *testing.T) {
	s := own(t, mariadb.Shared(t), stock.Options{})
	o := s.options(t)
	b := open(t, o)
	add(t, b, 0, 1)
	grown(t, b, 1)
	if err := s.servers.Signer.Kill(); err != nil {
		t.Fatal(err)
	}
	add(t, b, 1, 22)
	closeIt(t, b)
	o.MaxPending, o.Wait = 10, 100*time.Millisecond
	failsWith(t, o, "trillian_log_signer")
	o.MaxPending = 11
	b = open(t, o)
	next(t, b, 22)
	finds(t, b, 0, 22)
}
