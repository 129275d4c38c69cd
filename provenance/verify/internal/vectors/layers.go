package vectors

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/journey"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

type journeyStep = journey.Step

func bad() M { return M{"ok": false} }

func because(reason string) M { return M{"ok": false, "reason": reason} }

func runJSON(in, _ M) M {
	v, err := jcs.Parse(get(in, "text"))
	if err != nil {
		return bad()
	}
	return M{"ok": true, "canonical": string(v.Canonical())}
}

func runBase64(in, _ M) M {
	s := string(get(in, "text"))
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return bad()
	}
	return M{"ok": true, "hex": hex.EncodeToString(b)}
}

func runIdentifier(in, _ M) M {
	out := M{"ok": true, "names": list(gs1.Identifiers(text(in, "id")))}
	if canonical, err := gs1.Canonical(text(in, "id")); err == nil {
		out["canonical"] = canonical
	}
	return out
}

func runKeys(in, _ M) M {
	v, err := jcs.Parse(get(in, "json"))
	if err != nil {
		panic(err)
	}
	list := []any{}
	for _, k := range historyindex.Keys(&entry.Entry{Participants: texts(in, "participants"), JSON: v}) {
		hash := k.Hash()
		m := keyJSON(k)
		m["hash"] = b64(hash[:])
		list = append(list, m)
	}
	return M{"ok": true, "keys": list}
}

func runEntry(in, _ M) M {
	b := raw(in, "entry")
	e, err := entry.Parse(b)
	for reason, target := range map[string]error{"too-large": entry.ErrTooLarge, "header": entry.ErrHeader, "json": entry.ErrJSON, "signatures": entry.ErrSignatures} {
		if errors.Is(err, target) {
			return because(reason)
		}
	}
	if err != nil {
		panic(err)
	}
	if string(e.Append(nil)) != string(b) {
		panic("an entry does not print back")
	}
	hash := entry.LeafHash(b)
	out := M{"ok": true, "origin": e.Origin, "participants": list(e.Participants), "type": e.Type(), "leafHash": b64(hash[:])}
	if identity, err := entry.Identity(e.Participants[0], e.JSON); err == nil {
		out["identity"] = b64(identity[:])
	}
	return out
}

func runSignature(in, _ M) M {
	public, message, sig := raw(in, "public"), raw(in, "text"), raw(in, "signature")
	switch text(in, "rule") {
	case "zip215":
		v := entry.Verifier{Public: [32]byte(public)}
		s := entry.Signature{Sig: [64]byte(sig)}
		var batch entry.Batch
		batch.Add(v, message, s)
		holds := v.Verify(message, s)
		if batch.Verify()[0] != holds {
			panic("a batch decides otherwise")
		}
		return M{"ok": holds}
	case "checkpoint":
		return M{"ok": ed25519.Verify(public, message, sig)}
	}
	panic(fmt.Sprintf("unknown rule %v", in["rule"]))
}

func runVerifier(in, _ M) M {
	v, err := entry.ParseVerifier(text(in, "vkey"))
	if err != nil {
		return bad()
	}
	return M{"ok": true, "name": v.Name, "id": fmt.Sprintf("%08x", v.ID), "public": b64(v.Public[:])}
}

func runCheckpoint(in, _ M) M {
	c, n, err := checkpoint.Parse(get(in, "checkpoint"))
	if err != nil {
		return bad()
	}
	names := []any{}
	for _, s := range n.Signatures {
		names = append(names, s.Name)
	}
	return M{"ok": true, "origin": c.Origin, "size": number(c.Size), "root": b64(c.Root[:]), "signatures": names}
}

func runPolicy(in, _ M) M {
	p, err := policy.Parse(get(in, "policy"))
	if err != nil {
		return bad()
	}
	logs, witnesses := []any{}, []any{}
	for _, l := range p.Logs() {
		logs = append(logs, l.Key)
	}
	for _, w := range p.Witnesses() {
		witnesses = append(witnesses, w.Name)
	}
	return M{"ok": true, "logs": logs, "witnesses": witnesses, "needsWitnesses": p.NeedsWitnesses()}
}

func runChecked(in, _ M) M {
	v, err := mustPolicy(text(in, "policy")).Check(get(in, "checkpoint"))
	if err != nil {
		return because(checkpointReason(err))
	}
	if now := clock(in); !now.IsZero() && v.Witnessed {
		age := seconds(in, "maxAge")
		if age == 0 {
			age = policy.DefaultMaxAge
		}
		if err := v.Fresh(now, age); err != nil {
			if v.Time.Unix() > now.Unix() {
				return because("ahead")
			}
			return because("stale")
		}
	}
	return verdictJSON(v)
}

// checkpointReason tells why a policy does not take a checkpoint.
func checkpointReason(err error) string {
	var origin *checkpoint.OriginError
	var signature *checkpoint.SignatureError
	switch {
	case errors.As(err, &origin):
		return "origin"
	case errors.As(err, &signature):
		return "signature"
	case errors.Is(err, checkpoint.ErrUnsigned):
		return "unsigned"
	case errors.Is(err, policy.ErrQuorum):
		return "quorum"
	case errors.Is(err, checkpoint.ErrMalformed):
		return "form"
	}
	panic(fmt.Sprintf("no word for: %v", err))
}

func runLeaf(in, _ M) M {
	l, err := historyindex.ParseLeaf(get(in, "leaf"))
	if err != nil {
		return bad()
	}
	return M{"ok": true, "mapRoot": b64(l.MapRoot[:]), "origin": l.Checkpoint.Origin, "size": number(l.Checkpoint.Size), "root": b64(l.Checkpoint.Root[:])}
}

func runList(in, _ M) M {
	var l historyindex.List
	for _, item := range in["positions"].([]any) {
		l.Append(uint(M{"position": item}, "position"))
	}
	root, value := l.Root(), l.Value()
	return M{"ok": true, "root": b64(root[:]), "value": b64(value[:])}
}

func runMap(in, _ M) M {
	v, err := jcs.Parse(get(in, "proof"))
	if err != nil {
		return because("malformed")
	}
	p, err := historyindex.ParseProof(v)
	if err == nil {
		err = p.Verify([32]byte(raw(in, "root")), [32]byte(raw(in, "key")))
	}
	for _, c := range []struct {
		err    error
		reason string
	}{
		{historyindex.ErrProofKey, "map-key"}, {historyindex.ErrProofAbsence, "map-absence"}, {historyindex.ErrProofPath, "map-path"},
		{historyindex.ErrProofRoot, "map-root"}, {historyindex.ErrProofForm, "malformed"},
	} {
		if errors.Is(err, c.err) {
			return because(c.reason)
		}
	}
	if err != nil {
		panic(err)
	}
	out := M{"ok": true, "present": p.Present}
	if p.Present {
		out["value"] = b64(p.Value[:])
	}
	return out
}

func hashes(m M, name string) (list [][32]byte) {
	for _, item := range texts(m, name) {
		list = append(list, [32]byte(raw(M{"hash": item}, "hash")))
	}
	return list
}

func slicesOf(list [][32]byte) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i][:]
	}
	return out
}

func runInclusion(in, _ M) M {
	err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint(in, "index"), uint(in, "size"), raw(in, "leafHash"), slicesOf(hashes(in, "proof")), raw(in, "root"))
	return M{"ok": err == nil}
}

func runConsistency(in, _ M) M {
	from := checkpoint.Checkpoint{Origin: "x", Size: uint(in, "from"), Root: [32]byte(raw(in, "fromRoot"))}
	to := checkpoint.Checkpoint{Origin: "x", Size: uint(in, "to"), Root: [32]byte(raw(in, "toRoot"))}
	return M{"ok": to.Follows(from, hashes(in, "proof")) == nil}
}

func runTime(in, _ M) M {
	micros, ok := journey.Time(text(in, "text"))
	if !ok {
		return bad()
	}
	return M{"ok": true, "micros": fmt.Sprint(micros)}
}

func runGrant(in, _ M) M {
	return M{"ok": participant.Covers(text(in, "grant"), text(in, "id"))}
}
