package vectors

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// Run gives the Go verifier's verdict on a case. It panics when the case itself is
// not of its form.
func Run(c Case) M {
	run, ok := kinds[text(c.Input, "kind")]
	if !ok {
		panic(fmt.Sprintf("%s: unknown kind %v", c.Name, c.Input["kind"]))
	}
	return run(c.Input, c.Trust)
}

var kinds = map[string]func(in, trust M) M{
	"history": runHistory, "journey": runJourney, "proof": runProof, "receipt": runReceipt, "cross": runCross, "state": runState,
	"json": runJSON, "base64": runBase64, "identifier": runIdentifier, "keys": runKeys, "entry": runEntry,
	"signature": runSignature, "verifier": runVerifier, "checkpoint": runCheckpoint, "policy": runPolicy,
	"checked": runChecked, "leaf": runLeaf, "list": runList, "map": runMap, "inclusion": runInclusion,
	"consistency": runConsistency, "time": runTime, "grant": runGrant,
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func uint(m M, name string) uint64 {
	n, err := strconv.ParseUint(text(m, name), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return n
}

func seconds(m M, name string) time.Duration {
	if m[name] == nil {
		return 0
	}
	n := uint(m, name)
	if n > uint64(verify.AnyAge/time.Second) {
		return verify.AnyAge
	}
	return time.Duration(n) * time.Second
}

func clock(m M) time.Time {
	if m["now"] == nil {
		return time.Time{}
	}
	return time.Unix(int64(uint(m, "now")), 0)
}

// failed is the verdict of what fails.
func failed(err error) M {
	var e *verify.Error
	if !errors.As(err, &e) {
		panic(fmt.Sprintf("an error without a reason: %v", err))
	}
	return M{"ok": false, "reason": string(e.Reason)}
}

func trustOf(m M) (verify.Trust, historyindex.Key) {
	trust := verify.Trust{
		Policy: mustPolicy(text(m, "logPolicy")), IndexVerifiers: texts(m, "indexVerifiers"), OperatorKey: text(m, "operatorKey"),
		Now: clock(m), MaxAge: seconds(m, "maxAge"),
	}
	if m["indexPolicy"] != nil {
		trust.IndexPolicy = mustPolicy(text(m, "indexPolicy"))
	}
	var asked historyindex.Key
	if m["asked"] != nil {
		asked = keyOf(m["asked"])
	}
	return trust, asked
}

func mustPolicy(text string) *policy.Policy {
	p, err := policy.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return p
}

func keyOf(v any) historyindex.Key {
	m := v.(M)
	kind, err := historyindex.ParseKind(text(m, "kind"))
	if err != nil {
		panic(err)
	}
	return historyindex.Key{Kind: kind, Identifier: text(m, "id")}
}

func keyJSON(k historyindex.Key) M { return M{"kind": k.Kind.String(), "id": k.Identifier} }

func keysJSON(keys []historyindex.Key) []any {
	list := []any{}
	for _, k := range keys {
		list = append(list, keyJSON(k))
	}
	return list
}

func numbers(list []uint64) []any {
	out := []any{}
	for _, n := range list {
		out = append(out, number(n))
	}
	return out
}

func list(items []string) []any {
	out := []any{}
	for _, s := range items {
		out = append(out, s)
	}
	return out
}

func runHistory(in, t M) M {
	trust, asked := trustOf(t)
	v, err := verify.History(get(in, "saved"), asked, trust)
	if err != nil {
		return failed(err)
	}
	out := anchorJSON(&v.Anchor)
	out["claim"], out["asked"], out["positions"] = string(v.Claim()), v.Asked, numbers(v.Positions)
	entries := []any{}
	for i := range v.Entries {
		entries = append(entries, judgedJSON(&v.Entries[i]))
	}
	out["entries"] = entries
	if v.Master != nil {
		if p := v.Master.Product; p != nil {
			out["product"] = M{"index": number(p.Index), "participant": p.Participant}
		}
		if p := v.Master.Place; p != nil {
			out["place"] = M{"index": number(p.Index), "participant": p.Participant}
		}
	}
	return out
}

func anchorJSON(a *verify.Anchor) M {
	out := verdictJSON(a.Verdict)
	out["operatorTrusted"], out["indexFromGenesis"] = a.OperatorTrusted, a.IndexFromGenesis
	if len(a.Rebuilders) > 0 {
		out["rebuilders"] = list(a.Rebuilders)
	}
	return out
}

func verdictJSON(v policy.Verdict) M {
	out := M{"ok": true, "size": number(v.Checkpoint.Size), "witnesses": list(v.Witnesses)}
	if v.Witnessed {
		out["time"] = strconv.FormatInt(v.Time.Unix(), 10)
	}
	return out
}

func judgedJSON(j *verify.Judged) M {
	out := M{"index": number(j.Index), "counts": j.Counts()}
	if j.Signature != nil {
		out["problem"] = why(j.Signature)
	}
	for name, p := range map[string]*uint64{"duplicateOf": j.DuplicateOf, "withdrawnBy": j.WithdrawnBy, "withdraws": j.Withdraws} {
		if p != nil {
			out[name] = number(*p)
		}
	}
	if e := j.Effect; e != nil {
		switch {
		case e.Applied:
			out["effect"] = "applied"
		case e.Err != nil:
			out["effect"] = why(e.Err)
		}
		if e.Recovery && e.Applied {
			out["recovery"] = true
		}
	}
	return out
}

// why is the word for what participant says of an entry.
func why(err error) string {
	for _, c := range []struct {
		err  error
		word string
	}{
		{participant.ErrOrigin, "other-log"},
		{participant.ErrUnknownParticipant, "unknown-participant"},
		{participant.ErrDisabled, "disabled"},
		{participant.ErrUnknownKey, "unknown-key"},
		{participant.ErrBadSignature, "bad-signature"},
		{participant.ErrGenesis, "genesis"},
		{participant.ErrSigners, "signers"},
		{participant.ErrNumber, "number"},
		{participant.ErrKeyID, "key-id"},
		{participant.ErrKeyProof, "key-proof"},
		{participant.ErrKeyChange, "key-change"},
		{participant.ErrGrant, "grant"},
		{participant.ErrStatement, "statement"},
	} {
		if errors.Is(err, c.err) {
			return c.word
		}
	}
	panic(fmt.Sprintf("no word for: %v", err))
}

func runJourney(in, t M) M {
	trust, asked := trustOf(t)
	return journeyJSON(verify.Journey(get(in, "saved"), asked.Identifier, trust))
}

func runProof(in, t M) M {
	trust, asked := trustOf(t)
	return journeyJSON(verify.Proof(get(in, "saved"), asked.Identifier, trust))
}

func journeyJSON(v *verify.JourneyVerdict, err error) M {
	if err != nil {
		return failed(err)
	}
	out := anchorJSON(&v.Anchor)
	out["claim"], out["asked"] = string(v.Claim()), v.Asked
	keys := slices.SortedFunc(slices.Values(v.Journey.Keys), historyindex.Compare)
	out["keys"], out["missing"] = keysJSON(keys), keysJSON(v.Missing)
	if len(v.Missing) > 0 {
		out["ok"], out["reason"] = false, string(verify.Incomplete)
	}
	steps := []any{}
	order := slices.Clone(v.Journey.Steps)
	slices.SortFunc(order, func(a, b journeyStep) int { return int(int64(a.Index) - int64(b.Index)) })
	for _, s := range order {
		step := M{"index": number(s.Index), "role": s.Role.String()}
		if j := v.Entry(s); j.Signature != nil {
			step["problem"] = why(j.Signature)
		}
		steps = append(steps, step)
	}
	out["steps"] = steps
	return out
}

func runReceipt(in, t M) M {
	trust, _ := trustOf(t)
	v, err := verify.Receipt(raw(in, "entry"), get(in, "receipt"), trust)
	if err != nil {
		return failed(err)
	}
	out := verdictJSON(v.Verdict)
	out["index"] = number(v.Index)
	return out
}

func runCross(in, t M) M {
	trust, asked := trustOf(t)
	r, err := verify.Receipt(raw(in, "entry"), get(in, "receipt"), trust)
	if err != nil {
		return failed(err)
	}
	h, err := verify.History(get(in, "saved"), asked, trust)
	if err != nil {
		return failed(err)
	}
	covered, err := verify.Cross(r, h)
	if err != nil {
		return failed(err)
	}
	return M{"ok": true, "covered": covered}
}

func runState(in, _ M) M {
	var state verify.State
	sizes := M{}
	for _, item := range in["steps"].([]any) {
		step := item.(M)
		signed := get(step, "checkpoint")
		v, err := mustPolicy(text(in, "policy")).Check(signed)
		if err != nil {
			return M{"ok": false, "reason": checkpointReason(err)}
		}
		if err := state.See(string(signed), hashes(step, "proof")); err != nil {
			return failed(err)
		}
		last, _, _ := state.Last(v.Checkpoint.Origin)
		sizes[last.Origin] = number(last.Size)
	}
	again, err := verify.ParseState(state.Append(nil))
	if err != nil || stringOf(again) != stringOf(&state) {
		panic(fmt.Sprintf("a state does not read back: %v", err))
	}
	return M{"ok": true, "sizes": sizes}
}

func stringOf(s *verify.State) string { return string(s.Append(nil)) }
