package vectors

import (
	"slices"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
)

// proofs are saved proofs: a journey and what was asked for, in one file.
func proofs(t testing.TB) (cases []Case) {
	w := newWorld(t)
	w.LogCosigners, w.IndexCosigners = nil, nil
	w.log(1, `O"action":"ADD","epcList":["urn:epc:id:sgtin:9506000.013435.7"]`, w.mill)
	w.log(2, `O"action":"ADD","quantityList":[{"epcClass":"`+jamLot+`"}]`, w.mill)
	snapshot, trust := w.Publish(late), w.trust()
	link, err := gs1.Canonical(jamLink)
	if err != nil {
		t.Fatal(err)
	}
	journey := *snapshot.Journey(jamLink, mustTrust(trust))
	good := history.Proof{ID: link, Journey: journey}

	// add adds the case of a proof for a reader who asks for a thing, or, if that is
	// empty, for none.
	add := func(name, what, saved, asked, reason string) {
		trust := trust
		if asked != "" {
			trust = asking(trust, object(asked))
		}
		cases = append(cases, complete(t, Case{
			Name: "proof: " + name, What: what, Input: put(M{"kind": "proof"}, "saved", []byte(saved)), Trust: trust, Verdict: M{"reason": reason},
		}))
	}
	text := string(good.Append(nil))
	add("good", "Asked for in another spelling.", text, jamLink, "")
	add("not asked", "Its own word is taken: the item and its lot.", text, "", "")
	add("the item was asked for", "The proof is of the link, which names the lot too; the reader's own question is answered.", text, jamItem, "")
	add("the lot was asked for", "The proof is of the item.", text, jamLot, "asked")
	add("another thing was asked for", "It is not the proof of that.", text, "urn:x:other", "asked")
	add("no identifier was asked for", "The question is none.", text, "a jar of jam", "asked")

	other := good
	other.ID = "urn:x:other"
	add("another thing's name", "The journey does not lead to what the file names.", string(other.Append(nil)), "", "incomplete")
	add("another thing's name, and the thing was asked for", "The file names another thing than was asked for.", string(other.Append(nil)), jamLink, "asked")
	cut := good
	cut.Journey.Histories = slices.Clone(journey.Histories[1:])
	add("a history left out", "That of the thing itself: the file says what it is about.", string(cut.Append(nil)), "", "incomplete")
	dropped := good
	dropped.Journey.Histories = slices.Clone(journey.Histories)
	drop(&dropped.Journey.Histories[0], 0)
	add("an entry left out", "With its position.", string(dropped.Append(nil)), "", "list")

	// The form is the same whatever stands in the journey: an empty one is refused
	// for that.
	empty := string((&history.Proof{ID: link}).Append(nil))
	add("no histories", "It is empty.", empty, "", "participants")
	for _, f := range []struct{ name, what, old, new, want string }{
		{"spaces and escapes", "The same JSON, spelled otherwise.", `{"proof":"tally`, "\n{ \"proof\" :\t\"\\u0074ally", "participants"},
		{"another order", "The order of members means nothing.", `{"proof":"tallyroot/proof/v1","id":"` + link + `",`, `{"id":"` + link + `","proof":"tallyroot/proof/v1",`, "participants"},
		{"another version", "Its rules are not known.", `proof/v1`, `proof/v2`, "malformed"},
		{"a version as a number", "It is a text.", `"tallyroot/proof/v1"`, `1`, "malformed"},
		{"no version", "Nothing says what it is.", `"proof":"tallyroot/proof/v1",`, ``, "malformed"},
		{"an unknown member", "A policy, say: whom to trust is the reader's to say.", `"id":`, `"policy":"quorum none\n","id":`, "malformed"},
		{"a member twice", "A member stands there twice.", `"id":`, `"id":"urn:x:1","id":`, "malformed"},
		{"no id", "Nothing says what was asked for.", `"id":"` + link + `",`, ``, "malformed"},
		{"an empty id", "Nothing says what was asked for.", link, ``, "malformed"},
		{"an id that is none", "It cannot be asked for.", link, `a jar of jam`, "malformed"},
		{"an id of another domain", "It is not canonical.", link, jamLink, "malformed"},
		{"an id as a list", "It is a text.", `"` + link + `"`, `["` + link + `"]`, "malformed"},
		{"no journey", "A member is missing.", `,"journey":{"histories":[],"notFollowed":[]}`, ``, "malformed"},
		{"a journey as a text", "It is an object.", `{"histories":[],"notFollowed":[]}`, `"{\"histories\":[],\"notFollowed\":[]}"`, "malformed"},
		{"a journey with other members", "The format does not have them.", `"notFollowed":[]`, `"notFollowed":[],"complete":true`, "malformed"},
		{"a proof in a proof", "Only a journey stands in it.", `{"histories":[],"notFollowed":[]}`, empty, "malformed"},
		{"a journey alone", "It is no proof.", empty, `{"histories":[],"notFollowed":[]}`, "malformed"},
		{"text behind it", "Something follows the JSON.", `]}}`, `]}}{}`, "malformed"},
		{"byte order mark", "It begins with U+FEFF.", `{"proof"`, "\ufeff" + `{"proof"`, "malformed"},
	} {
		if !strings.Contains(empty, f.old) {
			t.Fatalf("%s: nothing to replace", f.name)
		}
		add(f.name, f.what, strings.Replace(empty, f.old, f.new, 1), "", f.want)
	}
	return cases
}
