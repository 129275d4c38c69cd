package vectors

import (
	"bytes"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// receipts are those of an entry, and receipts held against histories.
func receipts(t testing.TB) (cases []Case) {
	for _, c := range []struct {
		name, what, want string
		change           func(s *small, index uint64, e, r []byte, trust *M) ([]byte, []byte)
	}{
		{"good", "The entry stands in the log.", "", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) { return e, r }},
		{"old", "What was in the log once is in it for ever.", "", func(s *small, _ uint64, e, r []byte, trust *M) ([]byte, []byte) {
			*trust = with(*trust, "now", number(now+366*86400))
			return e, r
		}},
		{"too old", "The reader asks for an hour all the same.", "stale", func(s *small, _ uint64, e, r []byte, trust *M) ([]byte, []byte) {
			*trust = with(with(*trust, "now", number(now+366*86400)), "maxAge", "3600")
			return e, r
		}},
		{"ahead", "Cosigned in the future.", "ahead", func(s *small, _ uint64, e, r []byte, trust *M) ([]byte, []byte) {
			*trust = with(*trust, "now", number(late-301))
			return e, r
		}},
		{"with extra data", "It is not authenticated, and passed over.", "", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, []byte(replaced(string(r), "\nindex", "\nextra AAEC\nindex"))
		}},
		{"extra data in no canonical base64", "There is one spelling.", "malformed", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, []byte(replaced(string(r), "\nindex", "\nextra AAF=\nindex"))
		}},
		{"a line feed behind it", "It does not print back.", "malformed", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) { return e, append(r, '\n') }},
		{"carriage returns", "It does not print back.", "malformed", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, bytes.ReplaceAll(r, []byte("\n"), []byte("\r\n"))
		}},
		{"an index with a leading zero", "There is one spelling.", "malformed", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, []byte(replaced(string(r), "\nindex ", "\nindex 0"))
		}},
		{"another version", "Its first line is another.", "malformed", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, []byte(replaced(string(r), "@v1", "@v2"))
		}},
		{"another index", "The entry is said to stand elsewhere.", "inclusion", func(s *small, i uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, []byte(replaced(string(r), "\nindex "+number(i), "\nindex "+number(i-1)))
		}},
		{"an index at the size", "There is no such entry.", "beyond", func(s *small, i uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return e, []byte(replaced(string(r), "\nindex "+number(i), "\nindex "+number(s.good.Size)))
		}},
		{"entry changed", "A byte of it.", "inclusion", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			return bytes.Replace(e, []byte("OBSERVE"), []byte("0BSERVE"), 1), r
		}},
		{"another entry", "A good one, of another place.", "inclusion", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) { return s.Log.Leaves[s.other], r }},
		{"no entry", "Nothing.", "inclusion", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) { return nil, r }},
		{"without its cosignature", "Too few witnesses.", "log-quorum", func(s *small, i uint64, e, r []byte, _ *M) ([]byte, []byte) {
			s.good.LogNote = without(s.good.LogNote, 1)
			return e, s.good.Receipt(i)
		}},
		{"another log's", "Its checkpoint is not trusted.", "log-origin", func(s *small, i uint64, e, r []byte, _ *M) ([]byte, []byte) {
			k := verifytest.Key(s.T, "other.example/log", "")
			s.good.LogNote = verifytest.Signed(checkpoint.Checkpoint{Origin: k.Name(), Size: s.good.Size, Root: s.Log.Root(s.good.Size)}.Body(), k, late, witness)
			return e, s.good.Receipt(i)
		}},
		{"a leaf that is no entry", "It stands in the log, and says nothing.", "entry", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			i := s.Log.Add([]byte("no entry"))
			return s.Log.Leaves[i], s.Publish(late).Receipt(i)
		}},
		{"an entry for another log", "It stands in this log, and names another.", "origin", func(s *small, _ uint64, e, r []byte, _ *M) ([]byte, []byte) {
			other := "other.example/log"
			k := verifytest.Key(s.T, entry.KeyName(other, entry.RoleOwn, "farm"), "")
			i := s.Log.Add(verifytest.Entry(s.T, other, verifytest.JSON(s.T, `{"type":"ObjectEvent","eventID":"urn:e:1"}`), k))
			return s.Log.Leaves[i], s.Publish(late).Receipt(i)
		}},
	} {
		s := newSmall(t, true)
		trust := s.trust()
		index := s.lot[1]
		e, r := c.change(s, index, s.Log.Leaves[index], s.good.Receipt(index), &trust)
		cases = append(cases, Case{
			Name: "receipt: " + c.name, What: c.what, Trust: trust, Verdict: M{"reason": c.want},
			Input: put(M{"kind": "receipt", "entry": b64(e)}, "receipt", r),
		})
	}

	cross := func(name, what, want string, covered any, s *small, i uint64, from, of *verifytest.Snapshot) {
		verdict := M{"reason": want}
		if want == "" {
			verdict["covered"] = covered
		}
		cases = append(cases, Case{
			Name: "cross: " + name, What: what, Trust: asking(s.trust(), object(lotID)), Verdict: verdict,
			Input: M{"kind": "cross", "entry": b64(s.Log.Leaves[i]), "receipt": string(from.Receipt(i)), "saved": string(of.History(object(lotID)).Append(nil))},
		})
	}
	s := newSmall(t, false)
	hiding := s.republish(func(p map[historyindex.Key][]uint64) { p[object(lotID)] = []uint64{s.lot[0], s.lot[2]} })
	cross("in the list", "The history has the entry.", "", true, s, s.lot[1], s.good, s.good)
	cross("in the list of an older receipt", "The receipt is of a smaller log.", "", true, s, s.lot[1], s.old, s.good)
	cross("hidden by the index", "Its index leaves out an entry that the log holds: the operator lied.", "hidden", nil, s, s.lot[1], s.good, hiding)
	cross("of an older history", "The history ends before the entry.", "", false, s, s.lot[2], s.good, s.old)
	cross("of another lot's entry", "It does not have the key.", "", false, s, s.other, s.good, s.good)
	forked := newSmall(t, false)
	forked.Log = verifytest.Tree{}
	for _, leaf := range s.Log.Leaves[:s.lot[2]] {
		forked.Log.Add(leaf)
	}
	forked.log(9, `O"action":"DELETE","quantityList":[{"epcClass":"`+lotID+`"}]`, forked.mill)
	fork := forked.Publish(late)
	cross("of a fork of one size", "Two roots of one size.", "fork", nil, s, s.lot[1], s.good, fork)
	forked.log(10, `O"action":"DELETE","quantityList":[{"epcClass":"`+lotID+`"}]`, forked.mill)
	cross("of a fork of another size", "Another entry stands there in the history's log.", "fork", nil, s, s.lot[2], s.good, forked.Publish(late))

	long := newSmall(t, false)
	long.Log = verifytest.Tree{}
	for _, leaf := range s.Log.Leaves[:s.other] {
		long.Log.Add(leaf)
	}
	for long.Log.Size() <= s.other+history.PageLimit {
		long.log(9, `O"action":"OBSERVE","quantityList":[{"epcClass":"`+lotID+`"}]`, long.mill)
	}
	page := long.Publish(late).History(object(lotID))
	page.Entries = page.Entries[len(page.Entries)-1:]
	cases = append(cases, Case{
		Name: "cross: of a fork beyond the page", What: "The history lists the receipt's position, whose entry is not on this page and is another lot's.",
		Trust: asking(s.trust(), object(lotID)), Verdict: M{"reason": "fork"},
		Input: M{"kind": "cross", "entry": b64(s.Log.Leaves[s.other]), "receipt": string(s.good.Receipt(s.other)), "saved": string(page.Append(nil))},
	})
	return cases
}

// states are checkpoints seen one after the other.
func states(t testing.TB) (cases []Case) {
	s := newSmall(t, false)
	policy := "log " + s.LogKey.Verifier().String() + "\nlog " + s.IndexKey.Verifier().String() + "\nquorum none\n"
	sign := func(size uint64, root [32]byte) string {
		return note(verifytest.Signed(checkpoint.Checkpoint{Origin: origin, Size: size, Root: root}.Body(), s.LogKey, 0))
	}
	at := func(size uint64) string { return sign(size, s.Log.Root(size)) }
	step := func(signed string, proof ...[32]byte) any {
		list := []any{}
		for _, h := range proof {
			list = append(list, b64(h[:]))
		}
		return M{"checkpoint": signed, "proof": list}
	}
	proof := s.Log.Consistency
	flip := func(proof [][32]byte) [][32]byte {
		proof[0][0] ^= 1
		return proof
	}
	empty := historyindex.EmptyMapRoot() // SHA-256 of nothing, as that of an empty log
	for _, c := range []struct {
		name, what, want string
		steps            []any
	}{
		{"growing", "Each continues the one before.", "", []any{step(sign(0, empty)), step(at(1)), step(at(3), proof(1, 3)...), step(at(7), proof(3, 7)...)}},
		{"the same again", "Nothing is to be proved.", "", []any{step(at(5)), step(at(5))}},
		{"an older one", "It is proved to be the beginning; the newer is remembered.", "", []any{step(at(7)), step(at(4), proof(4, 7)...)}},
		{"two logs", "Each has its own newest.", "", []any{step(at(3)), step(note(s.good.Index)), step(at(6), proof(3, 6)...)}},
		{"a fork", "Two roots of one size.", "fork", []any{step(at(5)), step(sign(5, [32]byte{1}))}},
		{"another log later", "The larger one does not continue the smaller.", "inconsistent", []any{step(at(5)), step(sign(7, [32]byte{1}), proof(5, 7)...)}},
		{"another log earlier", "The smaller one is not the beginning of the larger.", "inconsistent", []any{step(at(7)), step(sign(5, [32]byte{1}), proof(5, 7)...)}},
		{"not proved", "The proof is missing.", "inconsistent", []any{step(at(5)), step(at(7))}},
		{"proof changed", "A bit of it.", "inconsistent", []any{step(at(5)), step(at(7), flip(proof(5, 7))...)}},
		{"proof between others", "It is that of other sizes.", "inconsistent", []any{step(at(5)), step(at(7), proof(4, 7)...)}},
		{"proof for the same", "Where there is nothing to prove.", "inconsistent", []any{step(at(5)), step(at(5), proof(4, 5)...)}},
		{"an empty log with a root", "An empty log has one root.", "inconsistent", []any{step(sign(0, [32]byte{1})), step(at(5))}},
		{"proof from the empty log", "From nothing there is nothing to prove.", "inconsistent", []any{step(sign(0, empty)), step(at(5), proof(4, 5)...)}},
		{"unsigned", "Another key signed it.", "unsigned", []any{step(note(verifytest.Signed(s.good.LogNote.Text, verifytest.Key(t, origin, "another"), 0)))}},
	} {
		cases = append(cases, Case{Name: "state: " + c.name, What: c.what, Input: M{"kind": "state", "policy": policy, "steps": c.steps}, Verdict: M{"reason": c.want}})
	}
	return cases
}
