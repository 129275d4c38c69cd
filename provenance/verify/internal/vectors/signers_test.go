package vectors

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

const watched = "urn:x:watched"

// A story is what happens in a log after its first three entries: the Genesis, and
// the statements about the farm (an own key) and the mill (a managed one). The
// verdict is of one history of it, and says of its entries what want says, word by
// word: their positions are those after the first three.
type story struct {
	name, what string
	asked      historyindex.Key
	tell       func(w *world)
	want       []string // of each entry: "counts", or its problem or effect
}

func (w *world) seen(keys ...*entry.Key) uint64 {
	return w.log(w.events, `O"action":"OBSERVE","epcList":["`+watched+`"]`, keys...)
}

// farm2 is the farm's second statement.
func (w *world) farm2(change func(s *participant.Statement), provers ...*entry.Key) {
	s := participant.Statement{ID: "farm", Number: 2, Name: "Farm", OwnKeys: []string{w.farm.Verifier().String()}, Grants: []string{"9506000"}, State: participant.Active}
	change(&s)
	if len(provers) > 0 {
		s.Prove(w.Origin, provers...)
	}
	w.Sign(s.JSON(), w.Operator)
}

// tampered appends an event whose bytes are changed after it was signed.
func (w *world) tampered(change func(b []byte) []byte, keys ...*entry.Key) {
	w.Log.Add(change(w.event(1, `O"action":"OBSERVE","epcList":["`+watched+`"]`, keys...)))
}

func ownKeys(keys ...*entry.Key) func(*participant.Statement) {
	return func(s *participant.Statement) {
		s.OwnKeys = nil
		for _, k := range keys {
			s.OwnKeys = append(s.OwnKeys, k.Verifier().String())
		}
	}
}

func vkeys(list ...string) func(*participant.Statement) {
	return func(s *participant.Statement) { s.OwnKeys = list }
}

func about(kind historyindex.Kind, id string) historyindex.Key { return keyFor(kind, id) }

var (
	aboutFarm     = about(historyindex.Participant, "farm")
	aboutOperator = about(historyindex.Operator, entry.Operator)
	aboutProduct  = about(historyindex.Master, gtin)
)

var stories = []story{
	{"key changed as it must be", "The farm's next key is proved by both; the old one holds no more.", object(watched), func(w *world) {
		next := w.Own("farm", "next")
		w.seen(w.farm)
		w.seen(next)
		w.farm2(ownKeys(next), w.farm, next)
		w.seen(w.farm)
		w.seen(next)
	}, []string{"counts", "unknown-key", "unknown-key", "counts"}},
	{"key changed as it must be, the statements", "Both have effect.", aboutFarm, func(w *world) {
		next := w.Own("farm", "next")
		w.farm2(ownKeys(next), w.farm, next)
	}, []string{"applied", "applied"}},
	{"key swapped without its own signature", "The operator names another key, which did not sign the statement.", object(watched), func(w *world) {
		next := w.Own("farm", "next")
		w.farm2(ownKeys(next), w.farm)
		w.seen(next)
		w.seen(w.farm)
	}, []string{"unknown-key", "counts"}},
	{"key swapped without its own signature, the statements", "The second has no effect.", aboutFarm, func(w *world) {
		w.farm2(ownKeys(w.Own("farm", "next")), w.farm)
	}, []string{"applied", "key-proof"}},
	{"key swapped without the old one's signature", "The operator names a key of its own making, which signed the statement.", object(watched), func(w *world) {
		next := w.Own("farm", "next")
		w.farm2(ownKeys(next), next)
		w.seen(next)
		w.seen(w.farm)
	}, []string{"unknown-key", "counts"}},
	{"key swapped without the old one's signature, the statements", "The second has no effect.", aboutFarm, func(w *world) {
		next := w.Own("farm", "next")
		w.farm2(ownKeys(next), next)
	}, []string{"applied", "key-change"}},
	{"recovery", "So too, but it says that it is a recovery: it holds, and readers are shown.", aboutFarm, func(w *world) {
		next := w.Own("farm", "next")
		w.farm2(func(s *participant.Statement) { ownKeys(next)(s); s.Recovery = true }, next)
	}, []string{"applied", "applied"}},
	{"key taken away", "A change of own keys without a new one needs the old one's signature too.", aboutFarm, func(w *world) {
		w.farm2(ownKeys())
	}, []string{"applied", "key-change"}},
	{"proof over another text", "The proof is of a statement with another name.", aboutFarm, func(w *world) {
		next := w.Own("farm", "next")
		other := participant.Statement{ID: "farm", Number: 2, Name: "Other", OwnKeys: []string{next.Verifier().String()}, State: participant.Active}
		other.Prove(w.Origin, w.farm, next)
		w.farm2(func(s *participant.Statement) { ownKeys(next)(s); s.Proofs = other.Proofs })
	}, []string{"applied", "key-proof"}},
	{"disabled", "What a disabled participant signs does not hold.", object(watched), func(w *world) {
		w.seen(w.farm)
		w.farm2(func(s *participant.Statement) { s.State = participant.Disabled })
		w.seen(w.farm)
	}, []string{"counts", "disabled"}},
	{"number skipped", "A statement whose number is not the next one has no effect.", aboutFarm, func(w *world) {
		w.farm2(func(s *participant.Statement) { s.Number, s.State = 3, participant.Disabled })
		w.farm2(func(s *participant.Statement) { s.Number = 1 })
		w.farm2(func(s *participant.Statement) { s.Name = "Farm again" })
	}, []string{"applied", "number", "number", "applied"}},
	{"statement about itself", "The farm says what holds about the farm.", aboutFarm, func(w *world) {
		w.Sign(participant.Statement{ID: "farm", Number: 2, Name: "Farm", Grants: []string{"9506"}, State: participant.Active}.JSON(), w.farm)
	}, []string{"applied", "signers"}},
	{"statement by the operator's former key", "After the operator's key was changed.", aboutFarm, func(w *world) {
		w.rollover("next")
		w.farm2(func(s *participant.Statement) { s.State = participant.Disabled })
	}, []string{"applied", "unknown-key"}},
	{"a key of the wrong type", "A cosigner's key as a participant's.", aboutFarm, func(w *world) {
		w.farm2(vkeys(witness.Verifier()))
	}, []string{"applied", "statement"}},
	{"a key of another name", "The mill's key as the farm's.", aboutFarm, func(w *world) {
		w.farm2(vkeys(w.Own("mill", "").Verifier().String()), w.farm)
	}, []string{"applied", "statement"}},
	{"a key of small order", "Anybody can sign with it.", aboutFarm, func(w *world) {
		w.farm2(vkeys(vkeyOf(w.farm.Name(), smallOrder[4])), w.farm)
	}, []string{"applied", "statement"}},
	{"a key in no canonical encoding", "A point may be written in two ways, of which one is right.", aboutFarm, func(w *world) {
		w.farm2(vkeys(vkeyOf(w.farm.Name(), notCanonical())), w.farm)
	}, []string{"applied", "statement"}},
	{"a statement with a member more", "It has one that it must not have.", aboutFarm, func(w *world) {
		w.Sign(verifytest.JSON(w.T, strings.Replace(string(participant.Statement{ID: "farm", Number: 2, Name: "Farm", State: participant.Active, OwnKeys: []string{w.farm.Verifier().String()}}.JSON().Canonical()), `"id"`, `"admin":true,"id"`, 1)), w.Operator)
	}, []string{"applied", "statement"}},
	{"two keys of one id", "The key ids of two keys under one name are equal.", about(historyindex.Participant, "twin"), func(w *world) {
		a, b := twins(w)
		w.Register("twin", nil, a, b)
	}, []string{"key-id"}},
	{"a key with a former key's id", "The key id is that of a key that was held before.", about(historyindex.Participant, "twin"), func(w *world) {
		a, b := twins(w)
		w.Register("twin", nil, a)
		s := participant.Statement{ID: "twin", Number: 2, Name: "Twin", OwnKeys: []string{b.Verifier().String()}, State: participant.Active}
		s.Prove(w.Origin, a, b)
		w.Sign(s.JSON(), w.Operator)
	}, []string{"applied", "key-id"}},
	{"operator's key changed", "The next one is proved; a second Genesis is nothing; a change by the former key is none.", aboutOperator, func(w *world) {
		w.Sign(w.Genesis().JSON(), w.Operator)
		next := w.rollover("next")
		w.rollover("third")
		r := participant.Rollover{Number: 2, OperatorKey: verifytest.Key(w.T, w.Operator.Name(), "third").Verifier().String()}
		w.Sign(r.JSON(), next)
		r.Prove(w.Origin, verifytest.Key(w.T, w.Operator.Name(), "third"))
		w.Sign(r.JSON(), next)
	}, []string{"applied", "genesis", "applied", "unknown-key", "key-proof", "applied"}},
	{"nobody's entry", "Its signer was never registered.", object(watched), func(w *world) { w.seen(w.Own("nobody", "")) }, []string{"unknown-participant"}},
	{"entry before its signer was registered", "The state at its own position counts.", object(watched), func(w *world) {
		w.seen(w.carrier)
		w.Register("carrier", nil, w.carrier)
		w.seen(w.carrier)
	}, []string{"unknown-participant", "counts"}},
	{"handed over", "Both parties signed.", object(watched), func(w *world) { w.seen(w.farm, w.mill) }, []string{"counts"}},
	{"countersigned by one who did not", "The second signature is made up.", object(watched), func(w *world) {
		w.tampered(func(b []byte) []byte {
			e, _ := entry.Parse(b)
			e.Signatures[1].Sig = e.Signatures[0].Sig
			return e.Append(nil)
		}, w.farm, w.mill)
	}, []string{"bad-signature"}},
	{"countersigned by an unregistered one", "The first signature holds.", object(watched), func(w *world) { w.seen(w.farm, w.Own("nobody", "")) }, []string{"unknown-participant"}},
	{"relabelled in the log", "The mill's entry was logged as the farm's, with the mill's signature.", object(watched), func(w *world) {
		w.tampered(func(b []byte) []byte {
			f := w.event(1, `O"action":"OBSERVE","epcList":["`+watched+`"]`, w.farm)
			e, _ := entry.Parse(b)
			g, _ := entry.Parse(f)
			g.Signatures[0].Sig = e.Signatures[0].Sig
			return g.Append(nil)
		}, w.mill)
	}, []string{"bad-signature"}},
	{"changed before it was logged", "The event is not what was signed.", object(watched), func(w *world) {
		w.tampered(func(b []byte) []byte { return bytes.Replace(b, []byte("OBSERVE"), []byte("DELETED"), 1) }, w.farm)
	}, []string{"bad-signature"}},
	{"with another key's id", "The signature line names a key that never held.", object(watched), func(w *world) {
		w.tampered(func(b []byte) []byte {
			e, _ := entry.Parse(b)
			e.Signatures[0].KeyID++
			return e.Append(nil)
		}, w.farm)
	}, []string{"unknown-key"}},
	{"from another log", "An entry of another log, signed there with the same key.", object(watched), func(w *world) {
		other := "other.example/log"
		k := verifytest.Key(w.T, entry.KeyName(other, entry.RoleOwn, "farm"), "")
		w.Log.Add(verifytest.Entry(w.T, other, verifytest.JSON(w.T, `{"type":"ObjectEvent","eventID":"urn:e:1","action":"OBSERVE","epcList":["`+watched+`"]}`), k))
	}, []string{"other-log"}},
	{"a key of mixed order", "Its signature holds by ZIP-215, and not for who leaves the cofactor out.", object(watched), func(w *world) {
		k := mixedKey()
		s := participant.Statement{ID: "odd", Number: 1, Name: "Odd", OwnKeys: []string{k.verifier(entry.KeyName(w.Origin, entry.RoleOwn, "odd")).String()}, State: participant.Active}
		v := k.verifier(entry.KeyName(w.Origin, entry.RoleOwn, "odd"))
		sign := func(text []byte) entry.Signature {
			return entry.Signature{Name: v.Name, KeyID: v.ID, Sig: k.sign(text)}
		}
		s.Proofs = []string{sign(participant.ProofText(w.Origin, s.JSON())).String()}
		w.Sign(s.JSON(), w.Operator)
		text, err := entry.Text(w.Origin, []string{"odd"}, verifytest.JSON(w.T, `{"type":"ObjectEvent","eventID":"urn:e:1","action":"OBSERVE","epcList":["`+watched+`"]}`).Canonical())
		if err != nil {
			panic(err)
		}
		e := entry.Entry{Text: text, Signatures: []entry.Signature{sign(text)}}
		if ed25519.Verify(v.Public[:], text, e.Signatures[0].Sig[:]) {
			panic("without the cofactor it holds too: this shows nothing")
		}
		w.Log.Add(e.Append(nil))
	}, []string{"counts"}},
	{"a signature whose S is too large", "S plus the group's order: the same to a lax verifier.", object(watched), func(w *world) {
		w.tampered(func(b []byte) []byte {
			e, _ := entry.Parse(b)
			e.Signatures[0].Sig = addOrder(e.Signatures[0].Sig)
			return e.Append(nil)
		}, w.farm)
	}, []string{"bad-signature"}},
	{"duplicate", "The second of one identity, though it says something else.", object(watched), func(w *world) {
		b := w.event(1, `O"action":"OBSERVE","epcList":["`+watched+`"]`, w.farm)
		w.Log.Add(b)
		w.Log.Add(b)
		w.events--
		w.log(2, `O"action":"DELETE","epcList":["`+watched+`"]`, w.farm)
		w.events--
		w.log(1, `O"action":"OBSERVE","epcList":["`+watched+`"]`, w.mill)
	}, []string{"counts", "duplicate", "duplicate", "counts"}},
	{"withdrawn", "An error declaration by the same participant, equal in all else.", object(watched), func(w *world) {
		w.seen(w.farm)
		w.declare(w.farm, "")
	}, []string{"withdrawn", "counts"}},
	{"withdrawn before it was logged", "The declaration stands before its event.", object(watched), func(w *world) {
		w.events++
		w.declare(w.farm, "")
		w.events--
		w.seen(w.farm)
	}, []string{"counts", "withdrawn"}},
	{"an error declaration for another event", "It differs from the event in more than the declaration.", object(watched), func(w *world) {
		w.seen(w.farm)
		w.declare(w.farm, `"disposition":"urn:epcglobal:cbv:disp:recalled",`)
	}, []string{"counts", "counts"}},
	{"somebody else's error declaration", "The mill declares the farm's event an error.", object(watched), func(w *world) {
		w.seen(w.farm)
		w.declare(w.mill, "")
	}, []string{"counts", "counts"}},
	{"an unauthenticated error declaration", "It has no effect.", object(watched), func(w *world) {
		w.seen(w.farm)
		w.declare(w.Own("farm", "stolen"), "")
	}, []string{"counts", "unknown-key"}},
	{"names", "The newest statement that holds gives the name; what the signer has no grant for does not.", aboutProduct, func(w *world) {
		say := func(number uint64, name string, k *entry.Key) {
			w.Sign(participant.Product{Identifier: gtin, Number: number, Name: name}.JSON(), k)
		}
		say(1, "Mango", w.farm)
		say(1, "Not granted", w.mill)
		say(3, "Skipped", w.farm)
		say(2, "Mango, dried", w.farm)
		w.Sign(participant.Place{Identifier: gtin, Number: 1, Name: "A place"}.JSON(), w.farm)
		w.Sign(verifytest.JSON(w.T, `{"type":"tallyroot:Product","identifier":"`+gtin+`","number":3,"name":""}`), w.farm)
	}, []string{"applied", "grant", "number", "applied", "applied", "statement"}},
	{"in the operator's name", "All that it signed.", about(historyindex.By, entry.Operator), func(w *world) {
		w.Sign(participant.Void{Number: 3}.JSON(), w.Operator)
	}, []string{"applied", "counts", "counts", "counts"}},
	{"odd JSON in an entry", "A member named __proto__, characters outside of the first plane, numbers at their limits.", object(watched), func(w *world) {
		w.log(1, `O"action":"OBSERVE","epcList":["`+watched+`"],"ext:__proto__":{"__proto__":[1e21,5e-324,-0,0.000001,333333333.3333333]},"ext:\ud83d\ude00":"\u20ac\u2028\u007f\u0080\"\\\b","ext:\ufb33":1`, w.farm)
	}, []string{"counts"}},
}

// rollover changes the operator's key by the world's first one, and gives the next.
func (w *world) rollover(label string) *entry.Key {
	next := verifytest.Key(w.T, w.Operator.Name(), label)
	r := participant.Rollover{Number: 1, OperatorKey: next.Verifier().String()}
	r.Prove(w.Origin, next)
	w.Sign(r.JSON(), w.Operator)
	return next
}

// declare logs an error declaration for the last event that was seen.
func (w *world) declare(k *entry.Key, more string) {
	at := w.events
	w.events--
	w.log(at-1, `O"action":"OBSERVE","epcList":["`+watched+`"],`+more+`"errorDeclaration":{"declarationTime":"2026-11-30T00:00:00Z"},"recordTime":"2026-11-30T00:00:01Z"`, k)
}

// twinLabels make keys of the participant twin that have one key id.
var twinLabels = [2]string{"66194", "134701"}

// twins are two own keys whose key ids are equal, found by trying.
func twins(w *world) (a, b *entry.Key) {
	a, b = w.Own("twin", twinLabels[0]), w.Own("twin", twinLabels[1])
	if a.Verifier().ID != b.Verifier().ID {
		panic("they are none")
	}
	return a, b
}

func vkeyOf(name string, public []byte) string {
	raw := append([]byte{1}, public...)
	return name + "+" + keyID(name, raw) + "+" + base64.StdEncoding.EncodeToString(raw)
}

func signers(t testing.TB) (cases []Case) {
	for _, s := range stories {
		w := newWorld(t)
		w.LogCosigners, w.IndexCosigners = nil, nil // which keeps the cases small
		s.tell(w)
		snapshot := w.Publish(late)
		c := complete(t, Case{
			Name: "signers: " + s.name, What: s.what, Input: M{"kind": "history", "saved": string(snapshot.History(s.asked).Append(nil))},
			Trust: asking(w.trust(), s.asked), Verdict: M{"reason": "", "claim": "complete-by-operator"},
		})
		var got []string
		for _, item := range c.Verdict["entries"].([]any) {
			e := item.(M)
			word := "counts"
			for _, name := range []string{"problem", "effect"} {
				if e[name] != nil {
					word = e[name].(string)
				}
			}
			if e["duplicateOf"] != nil && word == "counts" {
				word = "duplicate"
			}
			if e["withdrawnBy"] != nil {
				word = "withdrawn"
			}
			if counts := word == "counts" || word == "applied" || word == "withdrawn"; counts != e["counts"] {
				t.Errorf("%s: counts is %v for %s", s.name, e["counts"], word)
			}
			got = append(got, word)
		}
		if !slices.Equal(got, s.want) {
			t.Errorf("%s: got %q, want %q", s.name, got, s.want)
		}
		cases = append(cases, c)
	}
	return cases
}
