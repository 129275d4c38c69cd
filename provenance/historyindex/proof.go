package historyindex

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/tallyroot/tallyroot/provenance/jcs"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// The ways in which a proof can fail. Each error of Verify wraps one of them, each
// error of ParseProof ErrProofForm.
var (
	ErrProofForm    = errors.New("malformed map proof")
	ErrProofKey     = errors.New("the map proof is about another key")
	ErrProofPath    = errors.New("the map proof's path is not one from a leaf to the root")
	ErrProofAbsence = errors.New("the map proof does not show that the key is absent")
	ErrProofRoot    = errors.New("the map proof does not give the map's root")
)

// A Proof shows what a map holds under a key. If the key is present, the leaf is
// its own. If it is absent, the leaf is another key's: the one at which everybody
// arrives who looks for the key by its bits.
type Proof struct {
	Present bool
	Empty   bool // the map has no keys; Key, Value and Path are then zero
	Key     Hash // of the leaf
	Value   Hash
	Path    []Step // from the leaf to the root
}

// A Step of a path is the inner node above, as its other child sees it.
type Step struct {
	Bit  uint8 // the number of the bit in which the node's two sides differ
	Hash Hash  // of the other side
}

// MaxPath is how many steps a path can have.
const MaxPath = keyBits

// Verify checks that the proof is one for the key in the map that has the root.
// Then the key's value is p.Value if p.Present, and otherwise the map does not
// have the key.
//
// Errors: ErrProofForm, ErrProofKey, ErrProofPath, ErrProofAbsence, ErrProofRoot.
func (p *Proof) Verify(root, key Hash) error {
	if p.Empty {
		switch {
		case p.Present || p.Key != Hash{} || p.Value != Hash{} || len(p.Path) > 0:
			return fmt.Errorf("%w: it has a leaf, and says that the map is empty", ErrProofForm)
		case root != EmptyMapRoot():
			return fmt.Errorf("%w: it says that the map is empty", ErrProofRoot)
		}
		return nil
	}
	switch {
	case p.Present && p.Key != key:
		return fmt.Errorf("%w: of %x, not of %x", ErrProofKey, p.Key, key)
	case !p.Present && p.Key == key:
		return fmt.Errorf("%w: it is the key's own leaf", ErrProofAbsence)
	}
	for i, s := range p.Path {
		if i > 0 && s.Bit >= p.Path[i-1].Bit {
			return fmt.Errorf("%w: bit %d follows bit %d, and they must fall", ErrProofPath, s.Bit, p.Path[i-1].Bit)
		}
		// Of the node's two sides, the key's is the one that was shown.
		if bit := int(s.Bit); Bit(&key, bit) != Bit(&p.Key, bit) {
			return fmt.Errorf("%w: the leaf is on the other side of bit %d", ErrProofAbsence, bit)
		}
	}
	if p.root() != root {
		return ErrProofRoot
	}
	return nil
}

// root is the root that the leaf and its path give.
func (p *Proof) root() Hash {
	hash := MapLeafHash(p.Key, p.Value)
	for _, s := range p.Path {
		if Bit(&p.Key, int(s.Bit)) == 0 {
			hash = MapNodeHash(hash, s.Hash, s.Bit)
		} else {
			hash = MapNodeHash(s.Hash, hash, s.Bit)
		}
	}
	return hash
}

// AppendJSON appends the proof's JSON to dst:
//
//	{"present":true,"key":"…","value":"…","path":[{"bit":19,"hash":"…"}, …]}
//
// with hashes in standard base64. Of an empty map, key and value are "".
func (p *Proof) AppendJSON(dst []byte) []byte {
	dst = strconv.AppendBool(append(dst, `{"present":`...), p.Present)
	dst = append(dst, `,"key":"`...)
	if !p.Empty {
		dst = checkpoint.AppendHash(dst, p.Key)
	}
	dst = append(dst, `","value":"`...)
	if !p.Empty {
		dst = checkpoint.AppendHash(dst, p.Value)
	}
	dst = append(dst, `","path":[`...)
	for i, s := range p.Path {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(append(dst, `{"bit":`...), uint64(s.Bit), 10)
		dst = checkpoint.AppendHash(append(dst, `,"hash":"`...), s.Hash)
		dst = append(dst, `"}`...)
	}
	return append(dst, "]}"...)
}

// ParseProof reads what AppendJSON gives, in any JSON spelling of it. Members that
// it does not know and base64 that is not canonical are refused. Error:
// ErrProofForm.
func ParseProof(v jcs.Value) (Proof, error) {
	var p Proof
	present, err := member(v, "present", jcs.Bool)
	key, err2 := member(v, "key", jcs.String)
	value, err3 := member(v, "value", jcs.String)
	path, err4 := member(v, "path", jcs.Array)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return p, err
	}
	if n := len(v.Members()); n > 4 {
		return p, fmt.Errorf("%w: it has %d members, and must have present, key, value and path", ErrProofForm, n)
	}
	p.Present = present.Bool()
	p.Empty = key.Text() == "" && value.Text() == ""
	if !p.Empty {
		if p.Key, err = checkpoint.DecodeHash(key.Text()); err != nil {
			return p, fmt.Errorf("%w: the key %w", ErrProofForm, err)
		}
		if p.Value, err = checkpoint.DecodeHash(value.Text()); err != nil {
			return p, fmt.Errorf("%w: the value %w", ErrProofForm, err)
		}
	}
	steps := path.Items()
	if len(steps) > MaxPath {
		return p, fmt.Errorf("%w: the path has %d steps; at most %d are possible", ErrProofForm, len(steps), MaxPath)
	}
	for i, item := range steps {
		s, err := parseStep(item)
		if err != nil {
			return p, fmt.Errorf("%w: step %d of the path: %w", ErrProofForm, i, err)
		}
		p.Path = append(p.Path, s)
	}
	return p, nil
}

func parseStep(v jcs.Value) (s Step, err error) {
	bit, err := member(v, "bit", jcs.Number)
	hash, err2 := member(v, "hash", jcs.String)
	if err := errors.Join(err, err2); err != nil {
		return s, err
	}
	if n := len(v.Members()); n > 2 {
		return s, fmt.Errorf("it has %d members, and must have bit and hash", n)
	}
	n, err := strconv.ParseUint(bit.Number(), 10, 8)
	if err != nil {
		return s, fmt.Errorf("the bit %.30s is not a whole number from 0 to %d", bit.Number(), keyBits-1)
	}
	s.Bit = uint8(n)
	if s.Hash, err = checkpoint.DecodeHash(hash.Text()); err != nil {
		return s, fmt.Errorf("the hash %w", err)
	}
	return s, nil
}

func member(v jcs.Value, name string, kind jcs.Kind) (jcs.Value, error) {
	m, ok := v.Get(name)
	if !ok || m.Kind() != kind {
		return m, fmt.Errorf("%w: the member %s is missing, or is not of JSON kind %v", ErrProofForm, name, kind)
	}
	return m, nil
}
