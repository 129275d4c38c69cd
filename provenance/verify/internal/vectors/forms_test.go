package vectors

import (
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

// forms are changes to the text of a good history of which nothing is logged, or of
// a good journey.
func forms(t testing.TB) (cases []Case) {
	w := &world{World: verifytest.New(t, origin)} // it holds nothing else, which keeps the cases small
	w.Publish(early)
	trust := asking(w.trust(), object(absentID))
	good := string(w.Publish(late).History(object(absentID)).Append(nil))
	zero := `"index":"0"`
	entryStart := `"entry":"dGFs`
	for _, f := range []struct{ name, what, old, new, want string }{
		{"spaces and escapes", "The same JSON, spelled otherwise.", `{"id":"urn:`, "{ \"id\" :\t\"\\u0075rn:", ""},
		{"a bit as 1.0", "A JSON number has many spellings.", `"bit":1,`, `"bit":1.0,`, ""},
		{"byte order mark", "It begins with U+FEFF.", `{"id"`, "\ufeff" + `{"id"`, "malformed"},
		{"text behind it", "Something follows the JSON.", `"participants":[{`, `"participants":[{`, "malformed"},
		{"member twice", "A member stands there twice.", `"kind":"object"`, `"kind":"object","kind":"object"`, "malformed"},
		{"member twice, once escaped", "A member stands there twice, in two spellings.", `"kind":"object"`, `"kind":"object","\u006bind":"object"`, "malformed"},
		{"unknown member", "A member that the format does not have.", `"kind":"object"`, `"kind":"object","complete":true`, "malformed"},
		{"__proto__", "A member of that name, which some parsers lose.", `"kind":"object"`, `"kind":"object","__proto__":{"complete":true}`, "malformed"},
		{"__proto__ in a map proof", "A member of that name, which some parsers lose.", `"present":false`, `"present":false,"__proto__":{}`, "malformed"},
		{"__proto__ in an entry", "A member of that name, which some parsers lose.", zero, zero + `,"__proto__":{}`, "malformed"},
		{"lone surrogate", "The identifier holds half of a surrogate pair.", `{"id":"urn:`, `{"id":"\ud800urn:`, "malformed"},
		{"surrogates the wrong way round", "A pair whose halves are swapped.", `{"id":"urn:`, `{"id":"\udc00\ud800urn:`, "malformed"},
		{"U+0000", "The identifier holds it.", `{"id":"urn:`, `{"id":"\u0000urn:`, "malformed"},
		{"no UTF-8", "A byte that is none.", `{"id":"urn:`, "{\"id\":\"\xffurn:", "malformed"},
		{"overlong UTF-8", "A slash in two bytes.", `{"id":"urn:`, "{\"id\":\"\xc0\xafurn:", "malformed"},
		{"surrogate in UTF-8", "Three bytes that spell U+D800.", `{"id":"urn:`, "{\"id\":\"\xed\xa0\x80urn:", "malformed"},
		{"line feed in a string", "It must be escaped.", `{"id":"urn:`, "{\"id\":\"\nurn:", "malformed"},
		{"a trailing comma", "JSON has none.", `"kind":"object",`, `"kind":"object",,`, "malformed"},
		{"a comment", "JSON has none.", `"kind":"object",`, `"kind":"object",/**/`, "malformed"},
		{"a number that is rounded", "A bit that is 1 only for who rounds.", `"bit":1,`, `"bit":1.00000000000000000001,`, "malformed"},
		{"a bit with a leading zero", "That is no JSON number.", `"bit":1,`, `"bit":01,`, "malformed"},
		{"a bit as a string", "It must be a number.", `"bit":1,`, `"bit":"1",`, "malformed"},
		{"bit 256", "A key has bits 0 to 255.", `"bit":1,`, `"bit":256,`, "malformed"},
		{"bit -1", "A key has bits 0 to 255.", `"bit":1,`, `"bit":-1,`, "malformed"},
		{"a broken bit", "It must be whole.", `"bit":1,`, `"bit":1.5,`, "malformed"},
		{"an index as a number", "64-bit numbers are strings.", zero, `"index":0`, "malformed"},
		{"an index with a leading zero", "There is one spelling.", zero, `"index":"00"`, "malformed"},
		{"an index with a sign", "There is one spelling.", zero, `"index":"+0"`, "malformed"},
		{"an index with a space", "There is one spelling.", zero, `"index":" 0"`, "malformed"},
		{"an index in hexadecimal", "There is one spelling.", zero, `"index":"0x0"`, "malformed"},
		{"an index with an exponent", "There is one spelling.", zero, `"index":"0e0"`, "malformed"},
		{"an empty index", "It says no number.", zero, `"index":""`, "malformed"},
		{"index 2^64", "It does not fit.", zero, `"index":"18446744073709551616"`, "malformed"},
		{"index 2^53 + 1", "A double would round it to another one.", zero, `"index":"9007199254740993"`, "page"},
		{"base64 with a line break", "Some decoders skip it.", entryStart, `"entry":"dGFs\n`, "malformed"},
		{"base64 with a space", "Some decoders skip it.", entryStart, `"entry":"dGFs `, "malformed"},
		{"base64 for URLs", "Another alphabet.", entryStart, `"entry":"_-Fs`, "malformed"},
		{"base64 cut short", "A character is missing.", entryStart, `"entry":"Gfs`, "malformed"},
		{"padding inside", "Base64 ends at its padding.", entryStart, `"entry":"dA==dGFs`, "malformed"},
		{"a proof as a string", "It must be a list.", `"indexProof":["`, `"indexProof":"`, "malformed"},
		{"a hash of three bytes", "A hash has 32.", `"indexProof":["`, `"indexProof":["AAAA","`, "malformed"},
		{"65 hashes", "No log is so large.", `"indexProof":["`, `"indexProof":[` + strings.Repeat(`"`+b64(make([]byte, 32))+`",`, 64) + `"`, "malformed"},
		{"present as a string", "It must be true or false.", `"present":false`, `"present":"false"`, "malformed"},
		{"the kind is missing", "A member is missing.", `"kind":"object",`, ``, "malformed"},
		{"the index leaf is missing", "A member is missing.", `"indexLeaf":`, `"indexleaf":`, "malformed"},
		{"the index checkpoint is missing", "A member is missing.", `"indexCheckpoint":`, `"indexcheckpoint":`, "malformed"},
		{"participants inside of participants", "Only the outer history has them.", `"kind":"operator"`, `"kind":"operator","participants":[]`, "malformed"},
		{"a list", "It is a list of histories.", `{"id"`, `[{"id"`, "malformed"},
		{"too deep", "A list in a list, 65 deep.", `"positions":[],"entries":[],"participants"`, `"positions":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `,"entries":[],"participants"`, "malformed"},
	} {
		saved := strings.Replace(good, f.old, f.new, 1)
		switch f.name {
		case "text behind it":
			saved += "{}"
		case "a list":
			saved += "]"
		case "a proof as a string":
			saved = strings.Replace(saved, `"],"logCheckpoint"`, `","logCheckpoint"`, 1)
		}
		if saved == good {
			t.Fatalf("%s: nothing to replace in %s", f.name, good)
		}
		cases = append(cases, Case{
			Name: "form: " + f.name, What: f.what, Input: put(M{"kind": "history"}, "saved", []byte(saved)), Trust: trust, Verdict: M{"reason": f.want},
		})
	}
	return cases
}
