package participant_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

const (
	origin = "example.org/log"
	gtin   = "https://id.gs1.org/01/09506000134352"
)

func named(t testing.TB, name string, seed byte) *entry.Key {
	t.Helper()
	k, err := entry.KeyFromSeed(name, [32]byte(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func operatorKey(t testing.TB, seed byte) *entry.Key {
	return named(t, entry.OperatorKeyName(origin), seed)
}
func own(t testing.TB, id string, seed byte) *entry.Key {
	return named(t, entry.KeyName(origin, entry.RoleOwn, id), seed)
}
func managed(t testing.TB, id string, seed byte) *entry.Key {
	return named(t, entry.KeyName(origin, entry.RoleManaged, id), seed)
}
func vkeys(keys ...*entry.Key) (list []string) {
	for _, k := range keys {
		list = append(list, k.Verifier().String())
	}
	return list
}

func genesis(t testing.TB) participant.Genesis {
	return participant.Genesis{
		Origin: origin, LogKey: named(t, origin, 1).Verifier().String(), IndexKey: named(t, origin+"/index", 2).Verifier().String(),
		OperatorKey: operatorKey(t, 3).Verifier().String(), KeysVersion: 1,
	}
}

// A log is a State with the entries that made it.
type log struct {
	t     testing.TB
	state *participant.State
	next  uint64
}

// newLog gives a log with its Genesis, signed with operatorKey(3).
func newLog(t testing.TB) *log {
	t.Helper()
	l := &log{t: t, state: participant.NewState()}
	l.apply(nil, genesis(t).JSON(), operatorKey(t, 3))
	return l
}

func signed(t testing.TB, v jcs.Value, keys ...*entry.Key) *entry.Entry {
	t.Helper()
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.Name()[strings.LastIndex(k.Name(), "/")+1:])
	}
	b, err := entry.Sign(origin, ids, v.Canonical(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	e, err := entry.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// apply logs a statement and wants it to have that reason to be without effect;
// with none, to have an effect.
func (l *log) apply(want error, v jcs.Value, keys ...*entry.Key) participant.Effect {
	l.t.Helper()
	e := signed(l.t, v, keys...)
	try := l.state.Try(l.next, e)
	effect := l.state.Apply(l.next, e)
	if try.Applied != effect.Applied || fmt.Sprint(try.Err) != fmt.Sprint(effect.Err) {
		l.t.Errorf("Try says %+v, Apply %+v", try, effect)
	}
	l.next++
	if !errors.Is(effect.Err, want) || effect.Applied != (want == nil) {
		l.t.Errorf("%s: got %v, want %v", v.Canonical(), effect.Err, want)
	}
	return effect
}

func (l *log) verify(want error, at uint64, v jcs.Value, keys ...*entry.Key) {
	l.t.Helper()
	if err := l.state.At(at).Verify(signed(l.t, v, keys...)); !errors.Is(err, want) || (want == nil) != (err == nil) {
		l.t.Errorf("at %d: got %v, want %v", at, err, want)
	}
}

func statement(id string, number uint64) participant.Statement {
	return participant.Statement{ID: id, Number: number, Name: "The " + id, Grants: []string{"9506000"}, State: participant.Active}
}

var event = jcs.NewObject(jcs.Member{Name: "type", Value: jcs.NewString("ObjectEvent")}, jcs.Member{Name: "eventID", Value: jcs.NewString("urn:x:1")})

func TestManagedParticipant(t *testing.T) {
	l := newLog(t)
	op, key, next := operatorKey(t, 3), managed(t, "farm", 4), managed(t, "farm", 5)
	first := statement("farm", 1)
	first.ManagedKeys = vkeys(key)
	l.apply(nil, first.JSON(), op) // 1
	second := first
	second.Number, second.ManagedKeys = 2, vkeys(next)
	l.apply(nil, second.JSON(), op) // 2
	third := second
	third.Number, third.State = 3, participant.Disabled
	l.apply(nil, third.JSON(), op) // 3
	fourth := second
	fourth.Number = 4
	l.apply(nil, fourth.JSON(), op) // 4

	l.verify(participant.ErrUnknownParticipant, 1, event, key)
	l.verify(nil, 2, event, key)
	l.verify(participant.ErrUnknownKey, 2, event, next)
	l.verify(participant.ErrUnknownKey, 3, event, key)
	l.verify(nil, 3, event, next)
	l.verify(participant.ErrDisabled, 4, event, next)
	l.verify(nil, 5, event, next)
	l.verify(participant.ErrUnknownParticipant, 5, event, managed(t, "dairy", 4))
	l.verify(participant.ErrUnknownKey, 5, event, own(t, "farm", 5)) // the same key by the other role's name
	if !l.state.At(3).Covers("farm", gtin) || l.state.At(4).Covers("farm", gtin) || l.state.At(1).Covers("farm", gtin) {
		t.Error("Covers does not follow the state at its position")
	}
	if info, ok := l.state.At(3).Participant("farm"); !ok || info.Number != 2 || info.Index != 2 || !info.Active {
		t.Errorf("at 3: %+v", info)
	}
	if infos := l.state.Participants(); len(infos) != 1 || infos[0].Number != 4 {
		t.Errorf("newest: %+v", infos)
	}
}

func TestVerify(t *testing.T) {
	l := newLog(t)
	farm, dairy := managed(t, "farm", 4), managed(t, "dairy", 5)
	for i, key := range []*entry.Key{farm, dairy} {
		s := statement([]string{"farm", "dairy"}[i], 1)
		s.ManagedKeys = vkeys(key)
		l.apply(nil, s.JSON(), operatorKey(t, 3))
	}
	l.verify(nil, 3, event, farm, dairy)
	l.verify(nil, 3, event, operatorKey(t, 3))
	view := l.state.Latest()
	swapped := signed(t, event, farm, dairy)
	swapped.Signatures[1].Sig = swapped.Signatures[0].Sig
	var wrong *participant.SignatureError
	if err := view.Verify(swapped); !errors.Is(err, participant.ErrBadSignature) || !errors.As(err, &wrong) || wrong.Participant != "dairy" {
		t.Errorf("a countersignature by another key: %v", err)
	}
	other := signed(t, event, farm)
	other.Origin = "example.org/other"
	if err := view.Verify(other); !errors.Is(err, participant.ErrOrigin) {
		t.Errorf("another log's entry: %v", err)
	}
	if err := participant.NewState().Latest().Verify(signed(t, event, farm)); !errors.Is(err, participant.ErrNoGenesis) {
		t.Errorf("without a Genesis: %v", err)
	}
	g := signed(t, genesis(t).JSON(), operatorKey(t, 3))
	if err := l.state.At(0).Verify(g); err != nil {
		t.Errorf("the Genesis at its own position: %v", err)
	}
	g.Signatures[0].Sig[0] ^= 1
	if err := l.state.At(0).Verify(g); !errors.Is(err, participant.ErrBadSignature) {
		t.Errorf("a Genesis whose signature does not hold: %v", err)
	}
}

func TestNumbers(t *testing.T) {
	l := newLog(t)
	op := operatorKey(t, 3)
	l.apply(participant.ErrNumber, statement("farm", 2).JSON(), op)
	l.apply(nil, statement("farm", 1).JSON(), op)
	l.apply(participant.ErrNumber, statement("farm", 1).JSON(), op)
	var number *participant.NumberError
	if effect := l.apply(participant.ErrNumber, statement("farm", 3).JSON(), op); !errors.As(effect.Err, &number) || number.Have != 3 || number.Want != 2 {
		t.Errorf("got %v", effect.Err)
	}
	l.apply(nil, statement("dairy", 1).JSON(), op)
	l.apply(nil, statement("farm", 2).JSON(), op)
	if effect := l.state.Apply(2, signed(t, statement("farm", 3).JSON(), op)); !errors.Is(effect.Err, participant.ErrOrder) {
		t.Errorf("a position that was folded already: %v", effect.Err)
	}
}

func TestGenesisRules(t *testing.T) {
	op := operatorKey(t, 3)
	l := newLog(t)
	l.apply(participant.ErrGenesis, genesis(t).JSON(), op)
	empty := &log{t: t, state: participant.NewState()}
	empty.apply(participant.ErrNoGenesis, statement("farm", 1).JSON(), op)
	empty.apply(participant.ErrGenesis, genesis(t).JSON(), op) // at 1
	if _, ok := empty.state.Genesis(); ok {
		t.Error("a Genesis at position 1 has an effect")
	}
	fresh := func() *log { return &log{t: t, state: participant.NewState()} }
	fresh().apply(participant.ErrBadSignature, genesis(t).JSON(), operatorKey(t, 4))
	other := genesis(t)
	other.Origin = "example.org/other"
	fresh().apply(participant.ErrStatement, other.JSON(), op) // its keys' names are not its origin's
	other = participant.Genesis{
		Origin: "example.org/other", LogKey: named(t, "example.org/other", 1).Verifier().String(), IndexKey: named(t, "example.org/other/index", 2).Verifier().String(),
		OperatorKey: named(t, "example.org/other/operator", 3).Verifier().String(), KeysVersion: 1,
	}
	fresh().apply(participant.ErrOrigin, other.JSON(), op)
	other = genesis(t)
	other.KeysVersion = 2
	fresh().apply(participant.ErrStatement, other.JSON(), op)
	if g, ok := newLog(t).state.Genesis(); !ok || g != genesis(t) {
		t.Errorf("got %+v", g)
	}
}

func TestOnlyTheOperator(t *testing.T) {
	l := newLog(t)
	op, farm := operatorKey(t, 3), managed(t, "farm", 4)
	s := statement("farm", 1)
	s.ManagedKeys = vkeys(farm)
	l.apply(nil, s.JSON(), op)
	s.Number = 2
	l.apply(participant.ErrSigners, s.JSON(), farm)
	l.apply(participant.ErrUnknownKey, s.JSON(), operatorKey(t, 5))
	l.apply(participant.ErrSigners, participant.Void{Number: 4}.JSON(), farm)
	l.apply(participant.ErrNumber, participant.Void{Number: 4}.JSON(), op)
	l.apply(nil, participant.Void{Number: 6}.JSON(), op)
	l.apply(participant.ErrStatement, jcs.NewObject(jcs.Member{Name: "type", Value: jcs.NewString("tallyroot:Unknown")}), op)
	if effect := l.state.Apply(l.next, signed(t, event, farm)); effect.Applied || effect.Err != nil || effect.Type != "ObjectEvent" {
		t.Errorf("an event is no statement: %+v", effect)
	}
	forged := signed(t, s.JSON(), op)
	forged.Signatures[0].Sig[0] ^= 1
	if effect := l.state.Apply(l.next+1, forged); !errors.Is(effect.Err, participant.ErrBadSignature) {
		t.Errorf("a forged statement: %v", effect.Err)
	}
}

func TestOwnKeys(t *testing.T) {
	op := operatorKey(t, 3)
	k1, k2, k3 := own(t, "farm", 11), own(t, "farm", 12), own(t, "farm", 13)
	with := func(number uint64, keys ...*entry.Key) participant.Statement {
		s := statement("farm", number)
		s.OwnKeys = vkeys(keys...)
		return s
	}
	prove := func(s participant.Statement, keys ...*entry.Key) jcs.Value {
		s.Prove(origin, keys...)
		return s.JSON()
	}
	recovery := func(s participant.Statement) participant.Statement {
		s.Recovery = true
		return s
	}
	registered := func(t *testing.T) *log {
		l := newLog(t)
		l.t = t
		l.apply(nil, prove(with(1, k1), k1), op)
		return l
	}
	t.Run("first registration", func(t *testing.T) {
		l := newLog(t)
		l.apply(participant.ErrKeyProof, with(1, k1).JSON(), op)
		l.apply(participant.ErrKeyProof, prove(with(1, k1), k2), op)
		l.apply(participant.ErrKeyProof, prove(with(1, k1, k2), k1), op)
		l.apply(participant.ErrKeyProof, recovery(with(1, k1)).JSON(), op) // recovery spares the old key's signature alone
		renamed := with(1, k1)
		renamed.Prove(origin, k1)
		renamed.Name = "Another"
		l.apply(participant.ErrKeyProof, renamed.JSON(), op)
		elsewhere := with(1, k1)
		elsewhere.Prove("example.org/other", k1)
		l.apply(participant.ErrKeyProof, elsewhere.JSON(), op)
		l.apply(participant.ErrStatement, prove(with(1, own(t, "dairy", 11)), own(t, "dairy", 11)), op)
		asManaged := statement("farm", 1)
		asManaged.ManagedKeys = vkeys(k1)
		l.apply(participant.ErrStatement, asManaged.JSON(), op)
		l.apply(nil, prove(with(1, k1, k2), k1, k2), op)
		l.verify(nil, l.next, event, k2)
	})
	t.Run("added later", func(t *testing.T) {
		l := newLog(t)
		l.apply(nil, statement("farm", 1).JSON(), op)
		l.apply(participant.ErrKeyProof, with(2, k1).JSON(), op)
		l.apply(nil, prove(with(2, k1), k1), op)
	})
	t.Run("rotated", func(t *testing.T) {
		l := registered(t)
		l.apply(participant.ErrKeyChange, prove(with(2, k2), k2), op)
		l.apply(participant.ErrKeyProof, prove(with(2, k2), k1), op)
		l.apply(participant.ErrKeyProof, prove(with(2, k2), k1, k3), op)
		l.apply(nil, prove(with(2, k2), k1, k2), op)
		l.verify(participant.ErrUnknownKey, l.next, event, k1)
		l.verify(nil, l.next, event, k2)
		l.apply(participant.ErrKeyProof, prove(with(3, k3), k1, k3), op) // k1 holds no more
	})
	t.Run("added beside", func(t *testing.T) {
		l := registered(t)
		l.apply(participant.ErrKeyChange, prove(with(2, k1, k2), k2), op)
		l.apply(nil, prove(with(2, k1, k2), k1, k2), op)
		l.apply(participant.ErrKeyChange, with(3, k2).JSON(), op)
		l.apply(nil, prove(with(3, k2), k1), op) // k1 gives itself up
	})
	t.Run("removed", func(t *testing.T) {
		l := registered(t)
		l.apply(participant.ErrKeyChange, with(2).JSON(), op)
		l.apply(nil, prove(with(2), k1), op)
		l.verify(participant.ErrUnknownKey, l.next, event, k1)
	})
	t.Run("recovered", func(t *testing.T) {
		l := registered(t)
		effect := l.apply(nil, prove(recovery(with(2, k2)), k2), op)
		if info, _ := l.state.Latest().Participant("farm"); !effect.Recovery || !info.Recovery {
			t.Error("readers are not shown the recovery")
		}
		l.apply(nil, with(3, k2).JSON(), op)
		if info, _ := l.state.Latest().Participant("farm"); info.Recovery {
			t.Error("a recovery outlives its statement")
		}
		l.apply(nil, recovery(with(4)).JSON(), op)
	})
	t.Run("unchanged", func(t *testing.T) {
		l := registered(t)
		s := with(2, k1)
		s.Name = "Renamed"
		l.apply(nil, s.JSON(), op)
		bad := prove(with(3, k1), k1)
		list, _ := bad.Get("proofs")
		sig, err := entry.ParseSignature(list.Items()[0].Text())
		if err != nil {
			t.Fatal(err)
		}
		sig.Sig[0] ^= 1
		l.apply(participant.ErrKeyProof, bad.With("proofs", jcs.NewArray(jcs.NewString(sig.String()))), op)
	})
	t.Run("an entry's signature is no proof", func(t *testing.T) {
		l := newLog(t)
		s := with(1, k1)
		s.Proofs = []string{signed(t, s.JSON(), k1).Signatures[0].String()}
		l.apply(participant.ErrKeyProof, s.JSON(), op)
	})
}

func TestRollover(t *testing.T) {
	l := newLog(t)
	old, next := operatorKey(t, 3), operatorKey(t, 4)
	r := participant.Rollover{Number: 1, OperatorKey: next.Verifier().String()}
	l.apply(participant.ErrKeyProof, r.JSON(), old)
	wrong := r
	wrong.Prove(origin, old)
	l.apply(participant.ErrKeyProof, wrong.JSON(), old)
	r.Prove(origin, next)
	l.apply(participant.ErrUnknownKey, r.JSON(), next)
	skipped := participant.Rollover{Number: 2, OperatorKey: next.Verifier().String()}
	skipped.Prove(origin, next)
	l.apply(participant.ErrNumber, skipped.JSON(), old)
	stranger := participant.Rollover{Number: 1, OperatorKey: own(t, "farm", 4).Verifier().String()}
	stranger.Prove(origin, own(t, "farm", 4))
	l.apply(participant.ErrStatement, stranger.JSON(), old)
	at := l.next
	l.apply(nil, r.JSON(), old)
	l.apply(participant.ErrUnknownKey, statement("farm", 1).JSON(), old)
	l.apply(nil, statement("farm", 1).JSON(), next)
	for at, want := range map[uint64]*entry.Key{1: old, at: old, at + 1: next} {
		if key, ok := l.state.At(at).OperatorKey(); !ok || key != want.Verifier() {
			t.Errorf("at %d: %v", at, key)
		}
	}
	if _, ok := l.state.At(0).OperatorKey(); ok {
		t.Error("there is an operator before the Genesis")
	}
}

// A batch says what one by one says, and first what is wrong first.
func TestBatch(t *testing.T) {
	l := newLog(t)
	op, farm, mill := operatorKey(t, 3), own(t, "farm", 1), own(t, "mill", 1)
	for _, key := range []*entry.Key{farm, mill} {
		s := statement(strings.TrimPrefix(key.Name(), origin+"/own/"), 1)
		s.OwnKeys = vkeys(key)
		s.Prove(origin, key)
		l.apply(nil, s.JSON(), op)
	}
	bad := func(e *entry.Entry, which ...int) *entry.Entry {
		for _, i := range which {
			e.Signatures[i].Sig[3] ^= 1
		}
		return e
	}
	var batch participant.Batch
	for range 2 { // it is empty again
		var entries []*entry.Entry
		for range 40 {
			entries = append(entries,
				signed(t, event, farm), bad(signed(t, event, farm), 0), signed(t, event, farm, mill),
				bad(signed(t, event, farm, mill), 1), bad(signed(t, event, mill, farm), 0, 1),
				signed(t, event, own(t, "farm", 2)), signed(t, event, own(t, "nobody", 1)), signed(t, event, op),
			)
		}
		for _, e := range entries {
			batch.Add(l.state.Latest(), e)
		}
		judged := batch.Verify()
		if len(judged) != len(entries) {
			t.Fatal(len(judged))
		}
		for i, e := range entries {
			want := l.state.Latest().Verify(e)
			if got := judged[i].Err; fmt.Sprint(got) != fmt.Sprint(want) || len(judged[i].Keys) != len(e.Participants) && want == nil {
				t.Errorf("entry %d: %v with %v, want %v", i, got, judged[i].Keys, want)
			}
		}
	}
	if judged := batch.Verify(); len(judged) != 0 {
		t.Error(judged)
	}
}

// BenchmarkVerify looks up and verifies among 10,000 participants.
func BenchmarkVerify(b *testing.B) {
	l := newLog(b)
	op := operatorKey(b, 3)
	for n := range 10000 {
		id := fmt.Sprintf("farm-%d", n)
		s := statement(id, 1)
		s.ManagedKeys = vkeys(managed(b, id, byte(n)))
		if effect := l.state.Apply(l.next, signed(b, s.JSON(), op)); !effect.Applied {
			b.Fatal(effect.Err)
		}
		l.next++
	}
	e := signed(b, event, managed(b, "farm-7777", 7777%256))
	view := l.state.Latest()
	b.Run("keys", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := view.Keys(e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := view.Verify(e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
