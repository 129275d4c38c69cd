package participant_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

func TestMaster(t *testing.T) {
	l := newLog(t)
	farm, dairy, shop := managed(t, "farm", 4), managed(t, "dairy", 5), managed(t, "shop", 6)
	for i, key := range []*entry.Key{farm, dairy, shop} {
		s := statement([]string{"farm", "dairy", "shop"}[i], 1)
		s.ManagedKeys = vkeys(key)
		if key == shop {
			s.Grants = nil
		}
		l.apply(nil, s.JSON(), operatorKey(t, 3))
	}
	product := func(number uint64, name string) jcs.Value {
		return participant.Product{Identifier: gtin, Number: number, Name: name}.JSON()
	}
	place := participant.Place{Identifier: gtin, Number: 1, Name: "A place"}.JSON()
	other := participant.Product{Identifier: gtin + "/10/L", Number: 1, Name: "Another"}.JSON()
	forged := signed(t, product(3, "Forged"), farm)
	forged.Signatures[0].Sig[0] ^= 1

	var m participant.Master
	if m.Next(entry.TypeProduct, "farm") != 1 {
		t.Error("the first number is not 1")
	}
	for _, c := range []struct {
		e    *entry.Entry
		want error
		name string // what it is called afterwards
	}{
		{signed(t, product(2, "Skipped"), farm), participant.ErrNumber, ""},
		{signed(t, product(1, "Mango"), farm), nil, "Mango"},
		{signed(t, product(1, "Again"), farm), participant.ErrNumber, "Mango"},
		{signed(t, product(1, "Dairy's"), dairy), nil, "Dairy's"}, // each signer counts for itself
		{signed(t, product(2, "Farm's"), farm), nil, "Farm's"},
		{signed(t, product(1, "Shop's"), shop), participant.ErrGrant, "Farm's"},
		{signed(t, product(3, "Both's"), farm, dairy), participant.ErrSigners, "Farm's"},
		{signed(t, product(1, "Operator's"), operatorKey(t, 3)), participant.ErrGrant, "Farm's"},
		{signed(t, product(3, "Stranger's"), managed(t, "stranger", 9)), participant.ErrUnknownParticipant, "Farm's"},
		{forged, participant.ErrBadSignature, "Farm's"},
		{signed(t, other, farm), participant.ErrStatement, "Farm's"},
		{signed(t, product(3, "Bad").With("price", jcs.NewNumber(1)), farm), participant.ErrStatement, "Farm's"},
		{signed(t, place, farm), nil, "Farm's"},
		{signed(t, product(3, "Last"), farm), nil, "Last"},
	} {
		effect := m.Apply(gtin, l.next, c.e, l.state)
		l.next++
		if !errors.Is(effect.Err, c.want) || effect.Applied != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", c.e.Canonical(), effect.Err, c.want)
		}
		name := ""
		if m.Product != nil {
			name = m.Product.Statement.Name
		}
		if name != c.name {
			t.Errorf("%s: it is called %q, want %q", c.e.Canonical(), name, c.name)
		}
	}
	if m.Place == nil || m.Place.Participant != "farm" || m.Next(entry.TypeProduct, "farm") != 4 || m.Next(entry.TypePlace, "farm") != 2 || m.Next(entry.TypePlace, "dairy") != 1 {
		t.Errorf("got %+v", m)
	}
	if effect := m.Apply(gtin, l.next, signed(t, event, farm), l.state); effect.Applied || effect.Err != nil {
		t.Errorf("an event: %+v", effect)
	}
}

// TestKeyIDs registers two keys of one name that share a key id: they were found
// among 180,000.
func TestKeyIDs(t *testing.T) {
	collide := func(n uint64) *entry.Key {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[24:], n)
		k, err := entry.KeyFromSeed(entry.KeyName(origin, entry.RoleManaged, "farm"), seed)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b, op := collide(14757), collide(178716), operatorKey(t, 3)
	if a.Verifier().ID != b.Verifier().ID || a.Verifier() == b.Verifier() {
		t.Fatal("the keys do not share a key id")
	}
	with := func(number uint64, keys ...*entry.Key) jcs.Value {
		s := statement("farm", number)
		s.ManagedKeys = vkeys(keys...)
		return s.JSON()
	}
	l := newLog(t)
	l.apply(participant.ErrKeyID, with(1, a, b), op)
	l.apply(nil, with(1, a), op)
	l.apply(participant.ErrKeyID, with(2, b), op)
	l.apply(nil, with(2), op)
	l.apply(participant.ErrKeyID, with(3, b), op) // it was held once
	l.apply(nil, with(3, a), op)                  // and may be held again
	l.verify(nil, l.next, event, a)
	l.verify(participant.ErrBadSignature, l.next, event, b)
}

// TestReadersBesideTheWriter is for the race detector.
func TestReadersBesideTheWriter(t *testing.T) {
	l := newLog(t)
	key := managed(t, "farm", 4)
	s := statement("farm", 1)
	s.ManagedKeys = vkeys(key)
	l.apply(nil, s.JSON(), operatorKey(t, 3))
	e, view := signed(t, event, key), l.state.At(2)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := view.Verify(e); err != nil {
					t.Error(err)
					return
				}
				l.state.Participants()
				l.state.Genesis()
				l.state.Latest().OperatorKey()
				if info, ok := view.Participant("farm"); !ok || info.Number != 1 {
					t.Errorf("the view changed: %+v", info)
					return
				}
			}
		})
	}
	for number := uint64(2); number < 40; number++ {
		s.Number, s.ManagedKeys = number, nil
		l.apply(nil, s.JSON(), operatorKey(t, 3))
	}
	close(stop)
	readers.Wait()
}
