package vectors

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve/scalar"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// jsons are JSON texts, base64 and the times of events.
func jsons(t testing.TB) (cases []Case) {
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"empty object", `{}`, true}, {"space", " \t\r\n{ \"b\" : [ ] , \"a\" : { } } ", true}, {"form feed is no space", "\f{}", false}, {"no-break space is no space", "\u00a0{}", false},
		{"nothing", ``, false}, {"two values", `{}{}`, false}, {"text behind", `{}x`, false}, {"byte order mark", "\ufeff{}", false}, {"byte order mark inside", "{\"a\":\"\ufeff\"}", true},
		{"literals", `[true,false,null]`, true}, {"True", `True`, false}, {"tru", `tru`, false}, {"NaN", `NaN`, false}, {"Infinity", `-Infinity`, false},
		{"trailing comma", `[1,]`, false}, {"trailing comma in an object", `{"a":1,}`, false}, {"single quotes", `{'a':1}`, false}, {"no quotes", `{a:1}`, false}, {"comment", `{/**/}`, false},
		{"missing colon", `{"a" 1}`, false}, {"missing comma", `[1 2]`, false}, {"unclosed", `{"a":[1`, false}, {"closed twice", `[]]`, false},
		{"sorting by UTF-16 units", `{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"\r":4,"1":5,"\u0080":6,"\u00f6":7,"__proto__":8,"aa":9,"a":10,"":11}`, true},
		{"duplicate members", `{"a":1,"a":1}`, false}, {"duplicate members, one escaped", `{"a":1,"\u0061":2}`, false}, {"duplicate __proto__", `{"__proto__":1,"__proto__":2}`, false},
		{"__proto__", `{"__proto__":{"b":1},"constructor":2,"toString":3,"a":{"__proto__":null}}`, true}, {"members in inner objects", `{"a":{"a":{"a":1}},"b":{"a":1}}`, true},
		{"escapes", `["\u0041\/\b\f\n\r\t\"\\\u001f\u007f\u0080\u2028\u2029\uFFFD"]`, true}, {"unknown escape", `["\x41"]`, false}, {"short escape", `["\u41"]`, false}, {"signed escape", `["\u+041"]`, false},
		{"escape of no hex", `["\u00g1"]`, false}, {"U+0000 escaped", `["\u0000"]`, false}, {"U+0000", "[\"\x00\"]", false}, {"control character", "[\"\x1f\"]", false}, {"U+007F", "[\"\x7f\"]", true},
		{"surrogate pair", `["\ud83d\ude00"]`, true}, {"lone high surrogate", `["\ud83d"]`, false}, {"lone low surrogate", `["\ude00"]`, false}, {"swapped surrogates", `["\ude00\ud83d"]`, false},
		{"high surrogate and a letter", `["\ud83dx"]`, false}, {"two high surrogates", `["\ud83d\ud83d\ude00"]`, false}, {"lone surrogate in a name", `{"\ud800":1}`, false},
		{"no UTF-8", "[\"\xff\"]", false}, {"UTF-8 cut short", "[\"\xe2\x82\"]", false}, {"overlong UTF-8", "[\"\xc0\xaf\"]", false}, {"surrogate in UTF-8", "[\"\xed\xa0\x80\"]", false}, {"beyond U+10FFFF", "[\"\xf4\x90\x80\x80\"]", false},
		{"U+10FFFF", "[\"\U0010ffff\"]", true}, {"a noncharacter", "[\"\uffff\"]", true},
		{"zeros", `[0,-0,0.0,-0.0,0e5,0E-9]`, true}, {"leading zero", `[01]`, false}, {"leading zeros", `[-00]`, false}, {"plus sign", `[+1]`, false}, {"no digit before the point", `[.5]`, false},
		{"no digit behind the point", `[5.]`, false}, {"no digit in the exponent", `[1e]`, false}, {"hexadecimal", `[0x1]`, false}, {"minus alone", `[-]`, false},
		{"numbers", `[1,1.0,10,1e1,1E1,1e+1,100e-1,1.5,-1.5,0.1,123456789.125]`, true}, {"large numbers", `[1e20,1e21,1e22,123456789012345680000,1.7976931348623157e308]`, true},
		{"small numbers", `[0.000001,0.0000001,1e-7,1.5e-7,5e-324,2.2250738585072014e-308]`, true}, {"too large", `[1e309]`, false}, {"too small", `[1e-400]`, false}, {"half the smallest", `[2e-324]`, false},
		{"2^53", `[9007199254740992]`, true}, {"2^53 + 1", `[9007199254740993]`, false}, {"2^53 + 2", `[9007199254740994]`, true}, {"seventeen digits", `[0.10000000000000001]`, false}, {"a tenth", `[0.1]`, true},
		{"digits that say nothing", `[0.1000000000000000000000000]`, true}, {"digits that say something", `[0.1000000000000000055511151231257827]`, false}, {"a third", `[0.3333333333333333]`, true}, {"a third and more", `[0.33333333333333333]`, false},
		{"many zeros", `[1` + strings.Repeat("0", 30) + `]`, true}, {"a long exponent", `[1e` + strings.Repeat("0", 400) + `1]`, true}, {"an enormous exponent", `[1e99999999999999999999]`, false}, {"zero of an enormous exponent", `[0e99999999999999999999]`, true},
		{"64 deep", strings.Repeat("[", 64) + strings.Repeat("]", 64), true}, {"65 deep", strings.Repeat("[", 65) + strings.Repeat("]", 65), false},
		{"64 deep of objects", strings.Repeat(`{"a":`, 63) + `{}` + strings.Repeat("}", 63), true}, {"65 deep of objects", strings.Repeat(`{"a":`, 64) + `{}` + strings.Repeat("}", 64), false},
		{"a text", `"x"`, true}, {"a number", `5`, true},
	} {
		cases = append(cases, Case{Name: "json: " + c.name, Input: put(M{"kind": "json"}, "text", []byte(c.text)), Verdict: M{"ok": c.ok}})
	}
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"", true}, {"AA==", true}, {"AAA=", true}, {"AAAA", true}, {"+/+/", true}, {"AA", false}, {"AAA", false}, {"A", false}, {"AA=", false}, {"AA===", false}, {"AB==", false}, {"AAB=", false}, {"AAF=", false},
		{"-_-_", false}, {"AA==AA==", false}, {"AAAA\n", false}, {"AA\nAA", false}, {"AA\r\nAA", false}, {" AAAA", false}, {"AAAA ", false}, {"AA AA", false}, {"====", false}, {"A===", false}, {"AA=A", false}, {"AAA\u00e9", false}, {"AA\u0000A", false},
	} {
		cases = append(cases, Case{Name: fmt.Sprintf("base64: %q", c.text), Input: M{"kind": "base64", "text": c.text}, Verdict: M{"ok": c.ok}})
	}
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"2026-11-21T12:30:00Z", true}, {"2026-11-21T12:30:00.5+02:00", true}, {"2026-11-21T12:30:00.123456789-05:30", true}, {"1969-12-31T23:59:59.9999999Z", true}, {"0001-01-01T00:00:00Z", true}, {"9999-12-31T23:59:59.999999Z", true},
		{"2024-02-29T00:00:00Z", true}, {"2000-02-29T00:00:00Z", true}, {"2026-11-21T12:30:00+14:00", true}, {"2026-11-21T12:30:00-14:00", true}, {"2026-11-21T12:30:00-00:00", true}, {"2026-11-21T12:30:00." + strings.Repeat("1", 40) + "Z", true},
		{"", false}, {"2026-11-21", false}, {"2026-11-21T12:30:00", false}, {"2026-11-21T12:30Z", false}, {"2026-11-21 12:30:00Z", false}, {"2026-11-21t12:30:00Z", false}, {"2026-11-21T12:30:00z", false}, {"2026-11-21T1:30:00Z", false},
		{"2026-11-21T12:30:00,5Z", false}, {"2026-11-21T12:30:00.Z", false}, {"2026-11-21T24:00:00Z", false}, {"2026-11-21T23:60:00Z", false}, {"2026-11-21T23:59:60Z", false}, {"2026-02-29T00:00:00Z", false}, {"1900-02-29T00:00:00Z", false},
		{"2026-11-31T00:00:00Z", false}, {"2026-00-01T00:00:00Z", false}, {"2026-13-01T00:00:00Z", false}, {"0000-01-01T00:00:00Z", false}, {"-2026-11-21T12:30:00Z", false}, {"+2026-11-21T12:30:00Z", false}, {"12026-11-21T12:30:00Z", false},
		{"2026-11-21T12:30:00+14:01", false}, {"2026-11-21T12:30:00-14:01", false}, {"2026-11-21T12:30:00+02:60", false}, {"2026-11-21T12:30:00+0200", false}, {"2026-11-21T12:30:00+02", false}, {"2026-11-21T12:30:00+2:00", false}, {" 2026-11-21T12:30:00Z", false},
		{"2026-11-21T12:30:00Z ", false}, {"2026-11-21T12:30:00UTC", false}, {"yesterday", false}, {"2026-11-21T12:30:00.5", false}, {"2026-11-21T12:30:0aZ", false}, {"\u0662026-11-21T12:30:00Z", false},
	} {
		cases = append(cases, Case{Name: fmt.Sprintf("time: %q", c.text), Input: M{"kind": "time", "text": c.text}, Verdict: M{"ok": c.ok}})
	}
	return cases
}

// crypto are signatures and keys.
func crypto(t testing.TB) (cases []Case) {
	add := func(name, what, rule string, ok bool, public, text, sig []byte) {
		cases = append(cases, Case{
			Name: "signature: " + name + ", " + rule, What: what, Verdict: M{"ok": ok},
			Input: M{"kind": "signature", "rule": rule, "public": b64(public), "text": b64(text), "signature": b64(sig)},
		})
	}
	both := func(name, what string, zip215, checkpoint bool, public, text, sig []byte) {
		add(name, what, "zip215", zip215, public, text, sig)
		add(name, what, "checkpoint", checkpoint, public, text, sig)
	}
	k := verifytest.Key(t, "crypto", "")
	public, text := k.Verifier().Public, []byte("text")
	sig := k.Sign(text).Sig
	flip := func(i int) []byte {
		s := sig
		s[i] ^= 1
		return s[:]
	}
	both("good", "An ordinary one.", true, true, public[:], text, sig[:])
	both("of no text", "An ordinary one.", true, true, public[:], nil, func() []byte { s := k.Sign(nil).Sig; return s[:] }())
	both("another text", "It was not signed.", false, false, public[:], []byte("texu"), sig[:])
	both("R changed", "A bit of it.", false, false, public[:], text, flip(0))
	both("S changed", "A bit of it.", false, false, public[:], text, flip(40))
	large := addOrder(sig)
	both("S too large", "S plus the group's order.", false, false, public[:], text, large[:])
	other := verifytest.Key(t, "crypto", "other").Verifier().Public
	both("another key", "It did not sign.", false, false, other[:], text, sig[:])
	both("zeros", "64 of them.", false, false, public[:], text, make([]byte, 64))
	both("a key that is no point", "y = 2 is on no point.", false, false, append([]byte{2}, make([]byte, 31)...), text, sig[:])

	// The same secret, with parts of order 8 in the public key, in R, or in both.
	m := mixedKey()
	plainPoint := func(n *scalar.Scalar) [32]byte {
		p := *m
		p.torsion.Identity()
		return p.point(n)
	}
	plainPublic := plainPoint(&m.secret)
	for n := range 4 {
		text := []byte{byte(n)}
		s := signWith(&m.secret, plainPublic, text, m.point)
		both(fmt.Sprintf("R of mixed order %d", n), "The equation holds times eight.", true, ed25519.Verify(plainPublic[:], text, s[:]), plainPublic[:], text, s[:])
		s = signWith(&m.secret, m.public, text, plainPoint)
		both(fmt.Sprintf("key of mixed order %d", n), "The equation holds times eight.", true, ed25519.Verify(m.public[:], text, s[:]), m.public[:], text, s[:])
		s = m.sign(text)
		both(fmt.Sprintf("both of mixed order %d", n), "The equation holds times eight.", true, ed25519.Verify(m.public[:], text, s[:]), m.public[:], text, s[:])
	}
	// S = k·a with an R of small order: only who multiplies by eight takes it.
	for i, r := range smallOrder {
		challenge := sha512.Sum512(slices.Concat(r, plainPublic[:], text))
		var c scalar.Scalar
		_, err := c.SetBytesModOrderWide(challenge[:])
		must(err)
		c.Mul(&c, &m.secret)
		s := make([]byte, 64)
		copy(s, r)
		must(c.ToBytes(s[32:]))
		both(fmt.Sprintf("R of small order, encoding %d", i), "S is the challenge times the secret.", true, ed25519.Verify(plainPublic[:], text, s), plainPublic[:], text, s)
	}
	// The vectors of ZIP-215, of which these are each key with one R.
	for i, public := range smallOrder {
		r := smallOrder[(3*i+1)%len(smallOrder)]
		s := append(slices.Clone(r), make([]byte, 32)...)
		both(fmt.Sprintf("key and R of small order, encoding %d", i), "S = 0, as in the vectors of ZIP-215.", true, ed25519.Verify(public, []byte("Zcash"), s), public, []byte("Zcash"), s)
	}

	vkey := k.Verifier().String()
	verifier := func(name, what string, ok bool, vkey string) {
		cases = append(cases, Case{Name: "verifier: " + name, What: what, Input: M{"kind": "verifier", "vkey": vkey}, Verdict: M{"ok": ok}})
	}
	id := vkey[len("crypto+"):][:8]
	verifier("good", "An ordinary one.", true, vkey)
	verifier("of mixed order", "It may be registered.", true, m.verifier("crypto").String())
	for i, public := range smallOrder {
		verifier(fmt.Sprintf("of small order, encoding %d", i), "Anybody can sign with it.", false, vkeyOf("crypto", public))
	}
	verifier("in no canonical encoding", "y is written as p more.", false, vkeyOf("crypto", notCanonical()))
	verifier("no point", "y = 2 is on no point.", false, vkeyOf("crypto", append([]byte{2}, make([]byte, 31)...)))
	verifier("another name", "The key id is that of another name.", false, strings.Replace(vkey, "crypto", "cryptp", 1))
	verifier("upper-case id", "There is one spelling.", false, strings.Replace(vkey, id, strings.ToUpper(id), 1))
	verifier("short id", "There is one spelling.", false, strings.Replace(vkey, id, id[1:], 1))
	verifier("another id", "It is not that of the key.", false, strings.Replace(vkey, id, "00000000", 1))
	verifier("of a cosigner", "Its type is another.", false, witness.Verifier())
	verifier("of 31 bytes", "Too few.", false, vkeyOf("crypto", public[:31]))
	verifier("of 33 bytes", "Too many.", false, vkeyOf("crypto", append(slices.Clone(public[:]), 0)))
	verifier("without padding", "There is one spelling.", false, strings.TrimRight(vkeyOf("crypto", public[:31]), "="))
	verifier("a private key", "It must not be shown.", false, k.Secret())
	verifier("no name", "It has none.", false, vkeyOf("", public[:]))
	verifier("a name with a space", "It cannot be one.", false, vkeyOf("a b", public[:]))
	verifier("a name that is not ASCII", "Keys of entries have such.", false, vkeyOf("\u00e9", public[:]))
	verifier("a line feed behind it", "Nothing follows.", false, vkey+"\n")
	return cases
}

// notes are checkpoints, policies, what policies say of checkpoints, and leaves of
// index logs.
func notes(t testing.TB) (cases []Case) {
	s := newSmall(t, true)
	good := s.good.LogNote
	text := s.good.LogCheckpoint()
	signed := func(text string) string { return note(verifytest.Signed(text, s.LogKey, late)) }
	body := func(old, new string) string { return signed(replaced(good.Text, old, new)) }
	line := func(text string) string { return text[strings.LastIndex(text, "\u2014"):] }
	add := func(name, what string, ok bool, text string) {
		cases = append(cases, Case{Name: "checkpoint: " + name, What: what, Input: put(M{"kind": "checkpoint"}, "checkpoint", []byte(text)), Verdict: M{"ok": ok}})
	}
	add("good", "Signed and cosigned.", true, text)
	add("of no entries", "Size 0.", true, body("\n7\n", "\n0\n"))
	add("of the largest size", "2^64 - 1.", true, body("\n7\n", "\n18446744073709551615\n"))
	add("signed by anybody", "Who signed is not looked at here.", true, good.Text+"\n\u2014 x AAAAAAE=\n")
	add("an origin of other characters", "Any that are no space, plus sign or control character.", true, body(origin, "v\u00f6.example/\U0001f34e\u200b"))
	add("size 2^64", "It does not fit.", false, body("\n7\n", "\n18446744073709551616\n"))
	add("a leading zero", "There is one spelling.", false, body("\n7\n", "\n07\n"))
	add("a sign", "There is one spelling.", false, body("\n7\n", "\n+7\n"))
	add("a negative size", "It is none.", false, body("\n7\n", "\n-7\n"))
	add("no size", "The line is empty.", false, body("\n7\n", "\n\n"))
	add("an extension line", "None is taken.", false, signed(good.Text+"more\n"))
	add("two lines", "Three are wanted.", false, signed(replaced(good.Text, "\n7\n", "\n")))
	add("a root of 31 bytes", "It has 32.", false, body("=\n", "\n"))
	add("a root that is not canonical", "There is one spelling.", false, signed(func() string {
		b := []byte(good.Text)
		b[len(b)-3]++
		return string(b)
	}()))
	add("a root for URLs", "Another alphabet.", false, signed(origin+"\n7\n"+strings.Repeat("-", 43)+"=\n"))
	add("an origin with a plus sign", "It cannot be a key's name.", false, body(origin, "v.example+log"))
	add("an origin with a space", "It cannot be a key's name.", false, body(origin, "v.example log"))
	add("an origin with an ideographic space", "It cannot be a key's name.", false, body(origin, "v.example\u3000log"))
	add("an origin with a line separator", "It cannot be a key's name.", false, body(origin, "v.example\u2028log"))
	add("an origin of 255 bytes", "As long as it may be.", true, body(origin, strings.Repeat("o", 255)))
	add("an origin of 256 bytes", "Longer than it may be.", false, body(origin, strings.Repeat("o", 256)))
	add("no origin", "The line is empty.", false, body(origin, ""))
	add("carriage returns", "Lines end in a line feed.", false, strings.ReplaceAll(text, "\n", "\r\n"))
	add("a tab", "A control character.", false, body(origin, "v.example\tlog"))
	add("no UTF-8", "Bytes that are none.", false, strings.Replace(text, "v.example", "v\xff.example", 1))
	add("U+FFFD", "It is a character.", true, body(origin, "v\ufffd"))
	add("no signatures", "There must be one.", false, good.Text+"\n")
	add("no empty line", "One stands before the signatures.", false, good.Text+line(text))
	add("an empty line between signatures", "They follow one another.", false, text+"\n"+line(text))
	add("a hyphen", "It is an em dash.", false, good.Text+"\n-"+strings.TrimPrefix(line(text), "\u2014"))
	add("two spaces", "There is one.", false, good.Text+"\n"+strings.Replace(line(text), " ", "  ", 1))
	add("a signature of a key id alone", "Something must follow.", false, good.Text+"\n\u2014 x AAAAAA==\n")
	add("a signature that is not canonical", "There is one spelling.", false, good.Text+"\n\u2014 x AAAAAAF=\n")
	add("no line feed at the end", "Each line ends in one.", false, strings.TrimSuffix(text, "\n"))
	add("a name with a plus sign", "It cannot be one.", false, good.Text+"\n\u2014 x+y AAAAAAE=\n")
	add("100 signatures", "As many as there may be.", true, good.Text+"\n"+strings.Repeat("\u2014 x AAAAAAE=\n", 100))
	add("101 signatures", "More than there may be.", false, good.Text+"\n"+strings.Repeat("\u2014 x AAAAAAE=\n", 101))
	add("empty", "Nothing.", false, "")

	log := "log " + s.LogKey.Verifier().String()
	w1, w2, w3 := "witness a "+witness.Verifier(), "witness b "+second.Verifier(), "witness c "+rebuilds.Verifier()
	join := func(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
	policy := func(name, what string, ok bool, text string) {
		cases = append(cases, Case{Name: "policy: " + name, What: what, Input: put(M{"kind": "policy"}, "policy", []byte(text)), Verdict: M{"ok": ok}})
	}
	mldsa := "x+" + keyID("x", append([]byte{6}, make([]byte, 32)...)) + "+" + base64.StdEncoding.EncodeToString(append([]byte{6}, make([]byte, 32)...))
	policy("quorum none", "No witness is asked for, and it says so.", true, join(log, "quorum none"))
	policy("a witness", "With addresses and comments.", true, join("# a policy", "", log+" https://log.example/", " \t"+w1+"\thttps://w.example", "\t# more", "quorum a"))
	policy("groups", "Of groups.", true, join(log, w1, w2, w3, "group two 2 a b", "group all-of all two c", "quorum all-of"))
	policy("no line feed at the end", "It may lack.", true, log+"\nquorum none")
	policy("the quorum before the log", "Any order in which names are known.", true, join("quorum none", log))
	policy("no log", "It trusts none.", true, join("quorum none"))
	policy("no quorum", "It is never assumed.", false, join(log))
	policy("two quorums", "There is one.", false, join(log, "quorum none", "quorum none"))
	policy("an unknown quorum", "Nobody has that name.", false, join(log, "quorum a"))
	policy("a quorum before its witness", "Names are known from earlier lines.", false, join(log, "quorum a", w1))
	policy("a witness twice", "One key may not count twice.", false, join(log, w1, strings.Replace(w1, " a ", " d ", 1), "quorum a"))
	policy("a name twice", "Each once.", false, join(log, w1, strings.Replace(w2, " b ", " a ", 1), "quorum a"))
	policy("a witness called none", "The name is taken.", false, join(log, strings.Replace(w1, " a ", " none ", 1), "quorum none"))
	policy("a group of none", "It has no members.", false, join(log, w1, "group g any", "quorum g"))
	policy("a group that asks for more", "Two of one.", false, join(log, w1, "group g 2 a", "quorum g"))
	policy("a group that asks for 0", "One at least.", false, join(log, w1, "group g 0 a", "quorum g"))
	policy("a group that asks for 01", "There is one spelling.", false, join(log, w1, "group g 01 a", "quorum g"))
	policy("a member twice", "Each counts once.", false, join(log, w1, "group g any a a", "quorum g"))
	policy("a member of two groups", "Each counts once.", false, join(log, w1, w2, "group g any a b", "group h any a g", "quorum h"))
	policy("an unknown member", "Nobody has that name.", false, join(log, w1, "group g any a b", "quorum g"))
	policy("a log's key of the wrong type", "A cosigner's.", false, join("log "+witness.Verifier(), "quorum none"))
	policy("a witness's key of the wrong type", "A log's.", false, join(log, "witness a "+s.IndexKey.Verifier().String(), "quorum a"))
	policy("a witness's key of ML-DSA", "It is not known here.", false, join(log, "witness a "+mldsa, "quorum a"))
	policy("a log twice", "Each key once.", false, join(log, log, "quorum none"))
	policy("a key id that is another", "It is not that of the key.", false, join(strings.Replace(log, "+", "+0", 1), "quorum none"))
	policy("an unknown line", "It is none of the four.", false, join(log, "index-verifier a", "quorum none"))
	policy("a carriage return", "A control character.", false, join(log+"\r", "quorum none"))
	policy("a no-break space", "It does not separate.", false, join(strings.Replace(log, " ", "\u00a0", 1), "quorum none"))
	policy("a word too many", "Behind the address.", false, join(log+" https://log.example/ more", "quorum none"))

	checked := func(name, what, reason, policy string, n checkpoint.Note, clock ...uint64) {
		in := M{"kind": "checked", "policy": policy, "checkpoint": note(n)}
		if len(clock) > 0 {
			in["now"] = number(clock[0])
		}
		if len(clock) > 1 {
			in["maxAge"] = number(clock[1])
		}
		cases = append(cases, Case{Name: "checked: " + name, What: what, Input: in, Verdict: M{"reason": reason}})
	}
	three := join(log, w1, w2, w3, "group g 2 a b c", "quorum g")
	nested := join(log, w1, w2, w3, "group g any a b", "group h all g c", "quorum h")
	cosigned := func(times ...uint64) checkpoint.Note {
		n := without(good, 1)
		n.Signatures = slices.Clone(n.Signatures)
		for i, at := range times {
			if at > 0 {
				n.Signatures = append(n.Signatures, []*verifytest.Cosigner{witness, second, rebuilds}[i%3].Cosign(n.Text, at))
			}
		}
		return n
	}
	checked("quorum none", "No time.", "", join(log, "quorum none"), cosigned())
	checked("quorum none, and cosigned", "Who cosigned is said, and no time.", "", join(log, w1, "quorum none"), cosigned(100))
	checked("two of three", "T is when two had cosigned, the latest that is so.", "", three, cosigned(100, 300, 200))
	checked("two of three, at one time", "T is that.", "", three, cosigned(100, 100))
	checked("two of three, one twice", "The later of its times counts.", "", three, cosigned(100, 300, 0, 500))
	checked("any of two and a third", "T is the earlier of the third's and the later of the two.", "", nested, cosigned(100, 400, 300))
	checked("any of two and a third, who is early", "T is the third's.", "", nested, cosigned(500, 400, 50))
	checked("any of two without the third", "Too few.", "quorum", nested, cosigned(500, 400))
	checked("one of three", "Too few.", "quorum", three, cosigned(100))
	checked("cosigned at time 0", "A time like any other.", "", join(log, w1, "quorum a"), func() checkpoint.Note {
		n := cosigned()
		n.Signatures = append(n.Signatures, witness.Cosign(n.Text, 0))
		return n
	}())
	checked("cosigned at the largest time", "2^63 - 1.", "", join(log, w1, "quorum a"), cosigned(1<<63-1))
	checked("cosigned beyond the largest time", "2^63 is none.", "signature", join(log, w1, "quorum a"), cosigned(1<<63))
	checked("a day old", "As old as it may be.", "", three, cosigned(100, 300, 200), 200+86400)
	checked("more than a day old", "By a second. The latest cosignature does not count alone.", "stale", three, cosigned(100, 300, 200), 201+86400)
	checked("an hour old", "As old as is asked for.", "", three, cosigned(100, 300, 200), 3800, 3600)
	checked("more than an hour old", "Older than is asked for.", "stale", three, cosigned(100, 300, 200), 3801, 3600)
	checked("five minutes ahead", "As far ahead as it may be.", "", three, cosigned(10_000, 10_300, 10_200), 9_900)
	checked("more than five minutes ahead", "By a second.", "ahead", three, cosigned(10_000, 10_300, 10_200), 9_899)
	for _, at := range []uint64{late + 301, late + 9223372036, late + 9223372037, 253402300800, 1<<63 - 62135596801, 1<<63 - 62135596800, 1<<63 - 1} {
		checked("in the future, second "+number(at), "However far ahead, it is not of the past.", "ahead", join(log, w1, "quorum a"), cosigned(at), late)
		checked("in the future, at any age, second "+number(at), "However old it may be.", "ahead", join(log, w1, "quorum a"), cosigned(at), late, 1<<62)
	}
	checked("very old, at any age", "As old as can be.", "", join(log, w1, "quorum a"), cosigned(1), 1<<40, 1<<62)
	checked("very old", "By 292 years and more.", "stale", join(log, w1, "quorum a"), cosigned(1), 1<<40)
	checked("quorum none, long ago", "There is no time to compare.", "", join(log, "quorum none"), cosigned(), 1)
	checked("a cosignature cut short", "Every signature by a known key must hold.", "signature", join(log, w1, "quorum none"), func() checkpoint.Note {
		n := cosigned(100)
		n.Signatures[1].Sig = n.Signatures[1].Sig[:71]
		return n
	}())
	checked("a cosignature in the log's form", "A plain signature by the cosigner's name and id.", "signature", join(log, w1, "quorum none"), func() checkpoint.Note {
		n := cosigned(100)
		n.Signatures[1].Sig = n.Signatures[1].Sig[8:]
		return n
	}())
	checked("a cosigner's id under another name", "Name and id together say whose it is.", "quorum", join(log, w1, "quorum a"), func() checkpoint.Note {
		n := cosigned(100)
		n.Signatures[1].Name = "w.exampl"
		return n
	}())
	checked("another log", "No key of its name is trusted.", "origin", join("log "+s.IndexKey.Verifier().String(), "quorum none"), cosigned())
	checked("no log", "The policy trusts none.", "origin", join("quorum none"), cosigned())
	checked("by another key of that name", "It did not sign.", "unsigned", join("log "+verifytest.Key(t, origin, "another").Verifier().String(), "quorum none"), cosigned())
	checked("by one of two keys of that name", "A key that is being changed.", "", join(log, "log "+verifytest.Key(t, origin, "another").Verifier().String(), "quorum none"), cosigned())
	checked("signed by another log of the policy", "Its name is not the origin.", "unsigned", join(log, "log "+s.IndexKey.Verifier().String(), "quorum none"),
		instead(good, 0, verifytest.SignCheckpoint(s.IndexKey, good.Text)))
	checked("malformed", "It has an extension line.", "form", join(log, "quorum none"), verifytest.Signed(good.Text+"more\n", s.LogKey, late))

	leaf := s.good.Leaf
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"good", leaf, true}, {"empty", "", false}, {"another version", replaced(leaf, "/v1", "/v2"), false}, {"cut off", leaf[:len(leaf)-1], false}, {"goes on", leaf + "\n", false},
		{"carriage returns", strings.ReplaceAll(leaf, "\n", "\r\n"), false}, {"upper-case root", leaf[:19] + strings.ToUpper(leaf[19:83]) + leaf[83:], false}, {"short root", leaf[:19] + leaf[21:], false},
		{"long root", leaf[:19] + "00" + leaf[19:], false}, {"no hexadecimal", leaf[:19] + "zz" + leaf[21:], false}, {"leading zero", replaced(leaf, "\n7\n", "\n07\n"), false},
	} {
		cases = append(cases, Case{Name: "leaf: " + c.name, Input: M{"kind": "leaf", "leaf": c.text}, Verdict: M{"ok": c.ok}})
	}
	return cases
}

// trees are proofs in logs and maps, and lists of positions.
func trees(t testing.TB) (cases []Case) {
	for _, positions := range [][]uint64{{0}, {7}, {1<<64 - 1}, {0, 1}, {3, 5, 9}, {0, 1, 2, 3}, {1, 10, 100, 1000, 10000}, {1 << 32, 1<<53 + 1, 1 << 63}, {0, 2, 4, 6, 8, 10, 12, 14, 16}} {
		cases = append(cases, Case{Name: fmt.Sprintf("list: %v", positions), Input: M{"kind": "list", "positions": numbers(positions)}, Verdict: M{"reason": ""}})
	}

	s := newSmall(t, false)
	root := func() string {
		leaf, err := historyindex.ParseLeaf([]byte(s.good.Leaf))
		must(err)
		return b64(leaf.MapRoot[:])
	}()
	proofOf := func(key historyindex.Key) string { p := s.good.MapProof(key); return string(p.AppendJSON(nil)) }
	add := func(name, reason, root string, key historyindex.Key, proof string) {
		hash := key.Hash()
		cases = append(cases, Case{Name: "map: " + name, Input: M{"kind": "map", "root": root, "key": b64(hash[:]), "proof": proof}, Verdict: M{"reason": reason}})
	}
	lot, never := object(lotID), object(absentID)
	empty := historyindex.EmptyMapRoot()
	zeros := b64(make([]byte, 32))
	add("present", "", root, lot, proofOf(lot))
	for n := range 5 {
		key := object(fmt.Sprintf("urn:x:absent:%d", n))
		add(fmt.Sprintf("absent %d", n), "", root, key, proofOf(key))
	}
	one := historyindex.Proof{Present: true, Key: lot.Hash(), Value: historyindex.Value(1, empty)}
	oneRoot := historyindex.MapLeafHash(one.Key, one.Value)
	add("the only key", "", b64(oneRoot[:]), lot, string(one.AppendJSON(nil)))
	one.Present = false
	add("absent beside the only key", "", b64(oneRoot[:]), never, string(one.AppendJSON(nil)))
	add("the only key as its own absence", "map-absence", b64(oneRoot[:]), lot, string(one.AppendJSON(nil)))
	add("empty map", "", b64(empty[:]), lot, `{"present":false,"key":"","value":"","path":[]}`)
	add("empty map, another root", "map-root", root, lot, `{"present":false,"key":"","value":"","path":[]}`)
	add("empty map with a path", "malformed", b64(empty[:]), lot, `{"present":false,"key":"","value":"","path":[{"bit":0,"hash":"`+zeros+`"}]}`)
	add("empty map, present", "malformed", b64(empty[:]), lot, `{"present":true,"key":"","value":"","path":[]}`)
	add("a key without a value", "malformed", root, lot, `{"present":true,"key":"`+zeros+`","value":"","path":[]}`)
	add("another root", "map-root", zeros, lot, proofOf(lot))
	add("another key", "map-key", root, never, proofOf(lot))
	add("a bit as text", "malformed", root, lot, strings.Replace(proofOf(lot), `"bit":`, `"bit":"",`, 1))
	add("257 steps", "malformed", root, lot, `{"present":true,"key":"`+zeros+`","value":"`+zeros+`","path":[`+strings.TrimSuffix(strings.Repeat(`{"bit":0,"hash":"`+zeros+`"},`, 257), ",")+`]}`)
	add("a falling path is wanted", "map-path", root, lot, func() string {
		p := s.good.MapProof(lot)
		slices.Reverse(p.Path)
		return string(p.AppendJSON(nil))
	}())
	p := s.good.MapProof(lot)
	p.Present = false
	add("a leaf on the other side", "map-absence", root, object(otherID), string(p.AppendJSON(nil)))

	tree := new(verifytest.Tree)
	for n := range 9 {
		tree.Add([]byte{byte(n)})
	}
	for _, c := range []struct{ index, size uint64 }{{0, 1}, {0, 2}, {1, 2}, {2, 3}, {0, 3}, {3, 7}, {6, 7}, {5, 8}, {0, 9}, {8, 9}} {
		leaf, root := entry.LeafHash(tree.Leaves[c.index]), tree.Root(c.size)
		proof := []any{}
		for _, h := range tree.Inclusion(c.index, c.size) {
			proof = append(proof, b64(h[:]))
		}
		inclusion := func(name string, ok bool, index, size uint64, proof []any) {
			cases = append(cases, Case{
				Name: fmt.Sprintf("inclusion: %d of %d%s", c.index, c.size, name), Verdict: M{"ok": ok},
				Input: M{"kind": "inclusion", "index": number(index), "size": number(size), "leafHash": b64(leaf[:]), "root": b64(root[:]), "proof": proof},
			})
		}
		inclusion("", true, c.index, c.size, proof)
		inclusion(", a hash more", false, c.index, c.size, append(slices.Clone(proof), zeros))
		if len(proof) > 0 {
			inclusion(", a hash less", false, c.index, c.size, proof[1:])
			inclusion(", another place", false, c.index^1, c.size, proof)
		}
		inclusion(", at the size", false, c.size, c.size, proof)
		inclusion(", beyond", false, c.index+1<<63, c.size, proof)
	}
	for _, c := range []struct{ from, to uint64 }{{1, 2}, {2, 3}, {1, 8}, {3, 7}, {4, 8}, {6, 9}, {8, 9}, {5, 5}} {
		from, to := tree.Root(c.from), tree.Root(c.to)
		proof := []any{}
		for _, h := range tree.Consistency(c.from, c.to) {
			proof = append(proof, b64(h[:]))
		}
		consistency := func(name string, ok bool, fromSize, toSize uint64, from, to [32]byte, proof []any) {
			cases = append(cases, Case{
				Name: fmt.Sprintf("consistency: %d to %d%s", c.from, c.to, name), Verdict: M{"ok": ok},
				Input: M{"kind": "consistency", "from": number(fromSize), "to": number(toSize), "fromRoot": b64(from[:]), "toRoot": b64(to[:]), "proof": proof},
			})
		}
		consistency("", true, c.from, c.to, from, to, proof)
		consistency(", a hash more", false, c.from, c.to, from, to, append(slices.Clone(proof), zeros))
		consistency(", another beginning", false, c.from, c.to, [32]byte{1}, to, proof)
		if len(proof) > 0 {
			consistency(", a hash less", false, c.from, c.to, from, to, proof[1:])
			consistency(", back", false, c.to, c.from, to, from, proof)
		}
	}
	return cases
}
