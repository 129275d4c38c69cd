package witness

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// Limits on a request.
const (
	MaxProof   = 63       // hashes: the specification's limit
	MaxRequest = 64 << 10 // bytes
)

// ErrMalformed is what every error about the form of a request wraps.
var ErrMalformed = errors.New("malformed add-checkpoint request")

// A Request is the body of add-checkpoint
// (https://c2sp.org/tlog-witness#add-checkpoint).
type Request struct {
	// Old is the size of the checkpoint that the witness cosigned last.
	Old uint64
	// Proof shows that the log of that size is where Checkpoint's log begins
	// (RFC 6962, section 2.1.2). It is empty if Old is 0 or Checkpoint's size.
	Proof [][sha256.Size]byte
	// Checkpoint is what Note's text says.
	Checkpoint checkpoint.Checkpoint
	// Note is the checkpoint with its signatures.
	Note *checkpoint.Note
}

// ParseRequest reads a request. For every body that it accepts, Append gives that
// body again. It verifies nothing.
func ParseRequest(body []byte) (Request, error) {
	if len(body) > MaxRequest {
		return Request{}, fmt.Errorf("%w: %d bytes; the limit is %d", ErrMalformed, len(body), MaxRequest)
	}
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return Request{}, fmt.Errorf("%w: want a line \"old <size>\", the hashes of the proof, a blank line and the checkpoint", ErrMalformed)
	}
	if lines := bytes.Count(head, []byte("\n")); lines > MaxProof {
		return Request{}, fmt.Errorf("%w: a proof of %d hashes; the limit is %d", ErrMalformed, lines, MaxProof)
	}
	var r Request
	for i, line := range strings.Split(string(head), "\n") {
		if err := r.addLine(i, line); err != nil {
			return Request{}, fmt.Errorf("%w: line %d: %w", ErrMalformed, i+1, err)
		}
	}
	var err error
	if r.Checkpoint, r.Note, err = checkpoint.Parse(signed); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

// addLine takes the i-th line above the blank one.
func (r *Request) addLine(i int, line string) error {
	if i > 0 {
		hash, err := checkpoint.DecodeHash(line)
		if err != nil {
			return fmt.Errorf("the hash %w", err)
		}
		r.Proof = append(r.Proof, hash)
		return nil
	}
	size, ok := strings.CutPrefix(line, "old ")
	old, err := strconv.ParseUint(size, 10, 64)
	if !ok || err != nil || strconv.FormatUint(old, 10) != size {
		return fmt.Errorf("%.40q is not \"old <size>\", the size a decimal number below 2^64 without leading zeros", line)
	}
	r.Old = old
	return nil
}

// Append appends the request to dst.
func (r Request) Append(dst []byte) []byte {
	dst = append(dst, "old "...)
	dst = strconv.AppendUint(dst, r.Old, 10)
	dst = append(dst, '\n')
	for _, hash := range r.Proof {
		dst = checkpoint.AppendHash(dst, hash)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	return r.Note.Append(dst)
}
