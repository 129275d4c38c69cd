package projection_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/projection"
)

const origin = "log.example/test"

type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(format) }

func open(t *testing.T, dir string) *projection.Projection {
	t.Helper()
	p, err := projection.Open(dir, quiet{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signers sign the events, in turn.
var signers = []string{"farm", "mill", "shop"}

// leaves are a Genesis, a participant, and n events by the signers, each of which
// logs each of its events twice.
func leaves(t testing.TB, n int) [][]byte {
	t.Helper()
	key := func(name string) *entry.Key {
		k, err := entry.NewKey(rand.Reader, name)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	operator, own := key(entry.OperatorKeyName(origin)), map[string]*entry.Key{}
	for _, id := range signers {
		own[id] = key(entry.KeyName(origin, entry.RoleManaged, id))
	}
	sign := func(by string, v jcs.Value, k *entry.Key) []byte {
		b, err := entry.Sign(origin, []string{by}, v.Canonical(), k)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	all := [][]byte{
		sign(entry.Operator, participant.Genesis{
			Origin: origin, LogKey: key(origin).Verifier().String(), IndexKey: key(participant.IndexOrigin(origin)).Verifier().String(),
			OperatorKey: operator.Verifier().String(), KeysVersion: historyindex.Version,
		}.JSON(), operator),
		sign(entry.Operator, participant.Statement{
			ID: "farm", Number: 1, Name: "Farm", ManagedKeys: []string{own["farm"].Verifier().String()}, State: participant.Active,
		}.JSON(), operator),
	}
	for i := range n {
		v, err := jcs.Parse(fmt.Appendf(nil, `{"type":"ObjectEvent","eventID":"urn:event:%d","epcList":["urn:thing"]}`, i/2))
		if err != nil {
			t.Fatal(err)
		}
		by := signers[i/2%3]
		all = append(all, sign(by, v, own[by]))
	}
	return all
}

func by(i int) historyindex.Key {
	return historyindex.Key{Kind: historyindex.By, Identifier: signers[i]}
}

func check(t *testing.T, p *projection.Projection, n int) {
	t.Helper()
	if p.Next() != uint64(n+2) {
		t.Fatalf("next is %d, want %d", p.Next(), n+2)
	}
	for k := range 3 {
		var want []uint64
		for i := range n {
			if i/2%3 == k {
				want = append(want, uint64(i+2))
			}
		}
		got, err := p.Between(by(k), 0, 1<<62)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("by %s: %v, %v; want %v", signers[k], got, err, want)
		}
	}
	if info, ok := p.State().Latest().Participant("farm"); !ok || info.Index != 1 {
		t.Errorf("the farm is %+v, %v", info, ok)
	}
}

func TestApply(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	all := leaves(t, 30)
	// In runs that overlap, as after a crash, and with a leaf that is no entry.
	for _, run := range [][2]int{{0, 1}, {0, 5}, {5, 20}, {3, 20}, {19, 32}} {
		if err := p.Apply(t.Context(), uint64(run[0]), all[run[0]:run[1]]); err != nil {
			t.Fatal(err)
		}
	}
	check(t, p, 30)
	if err := p.Apply(t.Context(), 33, all[:1]); err == nil {
		t.Error("a gap was taken")
	}
	if got, err := p.Between(by(0), 3, 9); err != nil || !slices.Equal(got, []uint64{3, 8}) {
		t.Errorf("from 3 on, below 9: %v, %v", got, err)
	}
	if got, err := p.Newest(by(0), 32, 3); err != nil || !slices.Equal(got, []uint64{27, 26, 21}) {
		t.Errorf("the newest: %v, %v", got, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir)
	check(t, p, 30)
	if err := p.Apply(t.Context(), 32, [][]byte{[]byte("no entry")}); err != nil || p.Next() != 33 {
		t.Errorf("a leaf that is no entry: %v, next %d", err, p.Next())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// The same leaves give the same answers, however they came.
func TestApplyOneByOne(t *testing.T) {
	p := open(t, t.TempDir())
	defer p.Close()
	for i, leaf := range leaves(t, 12) {
		if err := p.Apply(t.Context(), uint64(i), [][]byte{leaf}); err != nil {
			t.Fatal(err)
		}
	}
	check(t, p, 12)
}

func TestFirst(t *testing.T) {
	p := open(t, t.TempDir())
	defer p.Close()
	all := leaves(t, 6) // urn:event:0 stands at 2 and 3
	if err := p.Apply(t.Context(), 0, all); err != nil {
		t.Fatal(err)
	}
	identity := func(i int) [32]byte {
		e, err := entry.Parse(all[i])
		if err != nil {
			t.Fatal(err)
		}
		id, err := entry.Identity(e.Participants[0], e.JSON)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for i, want := range map[int]uint64{0: 0, 1: 1, 2: 2, 3: 2, 5: 4} {
		if got, found, err := p.First(identity(i), 8); err != nil || !found || got != want {
			t.Errorf("the identity of leaf %d is found at %d, %v, %v; want %d", i, got, found, err, want)
		}
	}
	if _, found, err := p.First(identity(4), 4); err != nil || found {
		t.Errorf("beyond the size: %v, %v", found, err)
	}
}

// A folder in an older format is made again from the beginning.
func TestOlderFormat(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	all := leaves(t, 30)
	if err := p.Apply(t.Context(), 0, all); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"", "1", "2", "4"} {
		db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}, FormatMajorVersion: pebble.FormatNewest})
		if err != nil {
			t.Fatal(err)
		}
		if format == "" {
			err = db.Delete([]byte("f"), pebble.Sync)
		} else {
			err = db.Set([]byte("f"), []byte(format), pebble.Sync)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		p = open(t, dir)
		if _, ok := p.State().Latest().Participant("farm"); p.Next() != 0 || ok {
			t.Fatalf("format %q: next is %d", format, p.Next())
		}
		if got, err := p.Between(by(0), 0, 1<<62); err != nil || len(got) != 0 {
			t.Errorf("format %q: %v, %v", format, got, err)
		}
		if err := p.Apply(t.Context(), 0, all); err != nil {
			t.Fatal(err)
		}
		check(t, p, 30)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
