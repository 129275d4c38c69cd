package verify_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

const (
	origin = "example.org/log"
	gtin   = "https://id.gs1.org/01/09506000134352"
	lot    = gtin + "/10/LOT-7"
)

func key(t testing.TB, name string, seed byte) *entry.Key {
	t.Helper()
	k, err := entry.KeyFromSeed(name, [32]byte(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A log is a log in memory, whose tree and proofs are those of Go's checksum
// database (golang.org/x/mod/sumdb/tlog).
type log struct {
	t        testing.TB
	entries  [][]byte
	hashes   []tlog.Hash
	logKey   *entry.Key
	operator *entry.Key
	farm     *entry.Key // managed
	dairy    *entry.Key // own
}

func newLog(t testing.TB) *log {
	t.Helper()
	l := &log{
		t: t, logKey: key(t, origin, 1), operator: key(t, entry.OperatorKeyName(origin), 3),
		farm: key(t, entry.KeyName(origin, entry.RoleManaged, "farm"), 4), dairy: key(t, entry.KeyName(origin, entry.RoleOwn, "dairy"), 5),
	}
	l.sign(participant.Genesis{
		Origin: origin, LogKey: l.logKey.Verifier().String(), IndexKey: key(t, origin+"/index", 2).Verifier().String(),
		OperatorKey: l.operator.Verifier().String(), KeysVersion: 1,
	}.JSON(), l.operator)
	farm := participant.Statement{ID: "farm", Number: 1, Name: "Farm", ManagedKeys: []string{l.farm.Verifier().String()}, Grants: []string{"9506000"}, State: participant.Active}
	l.sign(farm.JSON(), l.operator)
	dairy := participant.Statement{ID: "dairy", Number: 1, Name: "Dairy", OwnKeys: []string{l.dairy.Verifier().String()}, State: participant.Active}
	dairy.Prove(origin, l.dairy)
	l.sign(dairy.JSON(), l.operator)
	return l
}

// add appends a leaf and gives its position.
func (l *log) add(b []byte) uint64 {
	l.t.Helper()
	n := int64(len(l.entries))
	hashes, err := tlog.StoredHashes(n, b, l)
	if err != nil {
		l.t.Fatal(err)
	}
	l.hashes = append(l.hashes, hashes...)
	l.entries = append(l.entries, b)
	return uint64(n)
}

func (l *log) sign(v jcs.Value, keys ...*entry.Key) uint64 {
	l.t.Helper()
	return l.add(signed(l.t, origin, v, keys...))
}

func signed(t testing.TB, origin string, v jcs.Value, keys ...*entry.Key) []byte {
	t.Helper()
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.Name()[strings.LastIndex(k.Name(), "/")+1:])
	}
	b, err := entry.Sign(origin, ids, v.Canonical(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ReadHashes makes the log a tlog.HashReader.
func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *log) checkpoint() []byte {
	l.t.Helper()
	root, err := tlog.TreeHash(int64(len(l.entries)), l)
	if err != nil {
		l.t.Fatal(err)
	}
	signer, err := note.NewSigner(l.logKey.Secret())
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: origin, Size: uint64(len(l.entries)), Root: root}, signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *log) proof(index uint64) (proof [][32]byte) {
	l.t.Helper()
	record, err := tlog.ProveRecord(int64(len(l.entries)), int64(index), l)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, h := range record {
		proof = append(proof, h)
	}
	return proof
}

func (l *log) receipt(index uint64) []byte {
	return receipt.Receipt{Index: index, Proof: l.proof(index), Checkpoint: l.checkpoint()}.Append(nil)
}

// history is what an honest service would save.
func (l *log) history(kind historyindex.Kind, id string) *history.History {
	l.t.Helper()
	h := l.bare(kind, id)
	signers := map[string]bool{}
	for _, e := range h.Entries {
		parsed, err := entry.Parse(e.Entry)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, p := range parsed.Participants {
			signers[p] = p != entry.Operator
		}
	}
	if kind != historyindex.Operator {
		h.Participants = append(h.Participants, *l.bare(historyindex.Operator, entry.Operator))
	}
	for _, p := range []string{"dairy", "farm", "stranger"} {
		if signers[p] {
			h.Participants = append(h.Participants, *l.bare(historyindex.Participant, p))
		}
	}
	return h
}

func (l *log) bare(kind historyindex.Kind, id string) *history.History {
	h := &history.History{ID: id, Kind: kind.String(), LogCheckpoint: string(l.checkpoint())}
	for i, b := range l.entries {
		e, err := entry.Parse(b)
		if err != nil || !slices.Contains(historyindex.Keys(e), historyindex.Key{Kind: kind, Identifier: id}) {
			continue
		}
		h.Positions = append(h.Positions, uint64(i))
		h.Entries = append(h.Entries, history.Entry{Index: uint64(i), Entry: b, Proof: l.proof(uint64(i))})
	}
	return h
}

func (l *log) trust() verify.Trust {
	l.t.Helper()
	trust, err := verify.LogKey(l.logKey.Verifier().String())
	if err != nil {
		l.t.Fatal(err)
	}
	return trust
}

func parse(t testing.TB, s string) jcs.Value {
	t.Helper()
	v, err := jcs.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// observed is an event about the lot.
func observed(t testing.TB, id string) jcs.Value {
	return parse(t, `{"type":"ObjectEvent","eventID":"`+id+`","action":"OBSERVE","quantityList":[{"epcClass":"`+lot+`","quantity":1}]}`)
}
