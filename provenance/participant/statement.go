// Package participant says who may speak in a log, with which keys, and about
// what.
//
// The log itself holds that, as statements of its operator. A State is the fold
// of those statements, in the log's order; a View is the State as it was at one
// position, and every signature is judged by the View of its own position, never
// by a clock. The fold is pure: the same entries give the same State everywhere.
// A statement that breaks a rule has no effect, and the Effect says why; nothing
// in a log can make the fold fail.
//
// The statements' JSON is described in docs/entries.md.
package participant

import (
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// IndexOrigin is the origin of a log's index log.
func IndexOrigin(origin string) string { return origin + "/index" }

// Genesis is the statement at leaf 0: whose log this is. It is signed with the
// OperatorKey that it names.
type Genesis struct {
	Origin      string
	LogKey      string // verifier keys of signed-note; their names are Origin,
	IndexKey    string // IndexOrigin(Origin) and
	OperatorKey string // entry.OperatorKeyName(Origin)
	KeysVersion int    // historyindex.Version
}

// JSON is the statement as it stands in an entry.
func (g Genesis) JSON() jcs.Value {
	return jcs.NewObject(str("type", entry.TypeGenesis), str("origin", g.Origin), str("logKey", g.LogKey),
		str("indexKey", g.IndexKey), str("operatorKey", g.OperatorKey), num("keysVersion", uint64(g.KeysVersion)))
}

// ParseGenesis reads what Genesis.JSON gives. Its error is Problems.
func ParseGenesis(v jcs.Value) (Genesis, error) {
	f := newForm(v, entry.TypeGenesis)
	g := Genesis{
		Origin:      f.text("origin", entry.MaxOrigin),
		LogKey:      f.key("logKey"),
		IndexKey:    f.key("indexKey"),
		OperatorKey: f.key("operatorKey"),
		KeysVersion: int(f.count("keysVersion", 1)),
	}
	f.keyName("logKey", g.LogKey, g.Origin)
	f.keyName("indexKey", g.IndexKey, IndexOrigin(g.Origin))
	f.keyName("operatorKey", g.OperatorKey, entry.OperatorKeyName(g.Origin))
	if g.KeysVersion != historyindex.Version {
		f.wrong("keysVersion", fmt.Sprintf("is %d", g.KeysVersion), fmt.Sprint(historyindex.Version))
	}
	return g, f.done()
}

// keyName reports a well-formed verifier key whose name is another.
func (f *form) keyName(at, vkey, name string) {
	if v, err := entry.ParseVerifier(vkey); err == nil && v.Name != name {
		f.wrong(at, fmt.Sprintf("has the name %q", v.Name), name)
	}
}

// The states of a participant.
const (
	Active   = "active"
	Disabled = "disabled" // nothing that it signs from here on holds
)

// A Statement says all that holds about one participant from its position on.
type Statement struct {
	ID          string
	Number      uint64 // 1, 2, 3 … for each participant
	Name        string // for people
	OwnKeys     []string
	ManagedKeys []string // verifier keys, named entry.KeyName(origin, role, ID)
	Grants      []string // what it may describe: see Covers
	State       string   // Active or Disabled
	Recovery    bool     // own keys change without the signature of any of the old ones
	Proofs      []string // signature lines of ProofText; see Prove
}

// JSON is the statement as it stands in an entry.
func (s Statement) JSON() jcs.Value {
	members := []jcs.Member{
		str("type", entry.TypeParticipant), str("id", s.ID), num("number", s.Number), str("name", s.Name),
		strs("ownKeys", s.OwnKeys), strs("managedKeys", s.ManagedKeys), strs("grants", s.Grants), str("state", s.State),
	}
	if s.Recovery {
		members = append(members, jcs.Member{Name: "recovery", Value: jcs.NewBool(true)})
	}
	if len(s.Proofs) > 0 {
		members = append(members, strs("proofs", s.Proofs))
	}
	return jcs.NewObject(members...)
}

// ParseStatement reads what Statement.JSON gives. Its error is Problems.
func ParseStatement(v jcs.Value) (Statement, error) {
	f := newForm(v, entry.TypeParticipant)
	s := Statement{
		ID:          f.text("id", MaxText),
		Number:      f.count("number", 1),
		Name:        f.text("name", MaxText),
		OwnKeys:     f.keys("ownKeys", MaxKeys),
		ManagedKeys: f.keys("managedKeys", MaxKeys),
		Grants:      f.texts("grants", MaxGrants, MaxLink, false),
		State:       f.text("state", MaxText),
		Proofs:      f.proofs(),
	}
	if err := entry.ParticipantID(s.ID); err != nil && s.ID != "" {
		f.wrong("id", err.Error(), "a slug")
	}
	for i, grant := range s.Grants {
		if err := CheckGrant(grant); err != nil {
			f.wrong(fmt.Sprintf("grants[%d]", i), fmt.Sprintf("is %.100q", grant), err.Error())
		}
	}
	if s.State != Active && s.State != Disabled && s.State != "" {
		f.wrong("state", fmt.Sprintf("is %.100q", s.State), Active+" or "+Disabled)
	}
	if recovery, ok := f.member("recovery", jcs.Bool, true); ok {
		if s.Recovery = recovery.Bool(); !s.Recovery {
			f.wrong("recovery", "is false", "true, or no such member")
		}
	}
	return s, f.done()
}

// proofs reads the member proofs, which is absent or not empty.
func (f *form) proofs() []string {
	proofs := f.texts("proofs", 2*MaxKeys, MaxLink, true)
	for i, proof := range proofs {
		if _, err := entry.ParseSignature(proof); err != nil {
			f.wrong(fmt.Sprintf("proofs[%d]", i), err.Error(), "a signature line without its dash")
		}
	}
	if list, ok := f.v.Get("proofs"); ok && list.Kind() == jcs.Array && len(list.Items()) == 0 {
		f.wrong("proofs", "is empty", "no such member")
	}
	return proofs
}

// checkNames reports keys whose names are not those of the participant's keys in
// the log of that origin.
func (s Statement) checkNames(origin string) error {
	f := &form{problems: new(Problems)}
	for i, key := range s.OwnKeys {
		f.keyName(fmt.Sprintf("ownKeys[%d]", i), key, entry.KeyName(origin, entry.RoleOwn, s.ID))
	}
	for i, key := range s.ManagedKeys {
		f.keyName(fmt.Sprintf("managedKeys[%d]", i), key, entry.KeyName(origin, entry.RoleManaged, s.ID))
	}
	return f.done()
}

// A Rollover names the operator's next key. The entry is signed with the old
// one, and Proofs holds the new one's signature of ProofText. The old one holds
// no more after it.
type Rollover struct {
	Number      uint64 // 1, 2, 3 …
	OperatorKey string
	Proofs      []string
}

// JSON is the statement as it stands in an entry.
func (r Rollover) JSON() jcs.Value {
	members := []jcs.Member{str("type", entry.TypeOperator), num("number", r.Number), str("operatorKey", r.OperatorKey)}
	if len(r.Proofs) > 0 {
		members = append(members, strs("proofs", r.Proofs))
	}
	return jcs.NewObject(members...)
}

// ParseRollover reads what Rollover.JSON gives. Its error is Problems.
func ParseRollover(v jcs.Value) (Rollover, error) {
	f := newForm(v, entry.TypeOperator)
	r := Rollover{Number: f.count("number", 1), OperatorKey: f.key("operatorKey"), Proofs: f.proofs()}
	return r, f.done()
}

// Void fills the position that is its number.
type Void struct{ Number uint64 }

// JSON is the statement as it stands in an entry.
func (s Void) JSON() jcs.Value {
	return jcs.NewObject(str("type", entry.TypeVoid), num("number", s.Number))
}

// ParseVoid reads what Void.JSON gives. Its error is Problems.
func ParseVoid(v jcs.Value) (Void, error) {
	f := newForm(v, entry.TypeVoid)
	s := Void{f.count("number", 0)}
	return s, f.done()
}
