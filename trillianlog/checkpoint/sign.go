package checkpoint

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// ErrUnsigned says that the log's key did not sign the checkpoint.
var ErrUnsigned = errors.New("the checkpoint is not signed by the log's key")

// An OriginError says that a checkpoint is another log's.
type OriginError struct {
	Got  string   // the checkpoint's origin
	Want []string // the names of the keys that the reader trusts
}

func (e *OriginError) Error() string {
	switch len(e.Want) {
	case 0:
		return fmt.Sprintf("the checkpoint is of the log %q; no log's key was given to check it with", e.Got)
	case 1:
		return fmt.Sprintf("the checkpoint is of the log %q; the key is that of %q", e.Got, e.Want[0])
	}
	return fmt.Sprintf("the checkpoint is of the log %q; the keys are those of %q", e.Got, e.Want)
}

// Parse reads a signed checkpoint without verifying any signature.
func Parse(signed []byte) (Checkpoint, *Note, error) {
	n, err := ParseNote(signed)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	c, err := ParseBody(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	return c, n, nil
}

// Open reads a signed checkpoint and gives it if the log signed it. The verifiers
// are the log's keys, one or, while a key is being changed, several; their names
// must equal the checkpoint's origin exactly. Errors: ErrMalformed,
// *OriginError, *SignatureError, ErrUnsigned.
func Open(signed []byte, log ...note.Verifier) (Checkpoint, error) {
	c, n, err := Parse(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := n.SignedBy(c.Origin, log...); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

// SignedBy is Open's check for a note that is already parsed: nil if at least one
// of the log's keys, named exactly as origin, signed it, and every signature by
// one of the keys holds.
func (n *Note) SignedBy(origin string, log ...note.Verifier) error {
	named := false
	for _, v := range log {
		named = named || v.Name() == origin
	}
	if !named {
		e := &OriginError{Got: origin}
		for _, v := range log {
			e.Want = append(e.Want, v.Name())
		}
		return e
	}
	held, err := n.Verified(log...)
	if err != nil {
		return err
	}
	for _, s := range held {
		if s.Name == origin {
			return nil
		}
	}
	return fmt.Errorf("%w (%s)", ErrUnsigned, origin)
}

// Sign gives the signed checkpoint, with the log's signature first. The log's
// signer must be named as the origin. With Ed25519 keys the same checkpoint
// gives the same bytes each time.
func Sign(c Checkpoint, log note.Signer, others ...note.Signer) ([]byte, error) {
	if err := ValidOrigin(c.Origin); err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	if log.Name() != c.Origin {
		return nil, fmt.Errorf("sign checkpoint: the log's key is named %q; it must be named as the origin %q", log.Name(), c.Origin)
	}
	n := Note{Text: c.Body(), Signatures: make([]Signature, 0, 1+len(others))}
	text := []byte(n.Text)
	for i := range 1 + len(others) {
		s := log
		if i > 0 {
			s = others[i-1]
		}
		if !validName(s.Name()) {
			return nil, fmt.Errorf("sign checkpoint: %q cannot be the name of a key", s.Name())
		}
		sig, err := s.Sign(text)
		if err != nil {
			return nil, fmt.Errorf("sign checkpoint with %s: %w", s.Name(), err)
		}
		n.Signatures = append(n.Signatures, Signature{Name: s.Name(), KeyID: s.KeyHash(), Sig: sig})
	}
	return n.Append(make([]byte, 0, len(n.Text)+256*len(n.Signatures))), nil
}
