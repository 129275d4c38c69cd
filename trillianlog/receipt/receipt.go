// Package receipt reads, writes and verifies receipts: the proof that one entry
// is in a log, as the text of https://c2sp.org/tlog-proof. A receipt needs no
// service to be verified, only the log's key or trust policy.
//
// What Parse accepts prints back byte for byte; everything else is an error.
package receipt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Limits on a receipt.
const (
	MaxProof     = 64        // hashes: more than a tree of 2^64 entries needs
	MaxExtraSize = 64 << 10  // bytes, before base64
	MaxSize      = 512 << 10 // bytes
)

const header = "c2sp.org/tlog-proof@v1\n"

var (
	// ErrMalformed is what every error about the form of a receipt wraps.
	ErrMalformed = errors.New("malformed receipt")
	// ErrIndex says that the receipt's index is not below the checkpoint's size.
	ErrIndex = errors.New("the entry's index is not below the checkpoint's size")
	// ErrProof says that the inclusion proof does not lead from the entry to the
	// checkpoint's root: another entry, another index, another tree, or a changed proof.
	ErrProof = errors.New("the entry is not what stands in the log at that index")
)

var b64 = base64.StdEncoding.Strict()

// A Receipt proves that one entry is in a log.
type Receipt struct {
	Extra      []byte     // opaque and not authenticated; nil when the line is absent
	Index      uint64     // of the entry, from 0
	Proof      [][32]byte // inclusion proof, from the leaf's sibling to the root's child
	Checkpoint []byte     // signed, verbatim
}

// Parse reads a receipt: its form, and that of the checkpoint in it. It verifies
// nothing.
func Parse(text []byte) (Receipt, error) {
	if len(text) > MaxSize {
		return Receipt{}, fmt.Errorf("%w: %d bytes; the limit is %d", ErrMalformed, len(text), MaxSize)
	}
	rest, ok := strings.CutPrefix(string(text), header)
	if !ok {
		return Receipt{}, fmt.Errorf("%w: the first line is not %s", ErrMalformed, strings.TrimSuffix(header, "\n"))
	}
	head, signed, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return Receipt{}, fmt.Errorf("%w: no blank line before the checkpoint", ErrMalformed)
	}
	var r Receipt
	var err error
	line, head, more := strings.Cut(head, "\n")
	if extra, ok := strings.CutPrefix(line, "extra "); ok {
		if r.Extra, err = parseExtra(extra); err != nil {
			return Receipt{}, err
		}
		line, head, more = strings.Cut(head, "\n")
	}
	index, ok := strings.CutPrefix(line, "index ")
	if !ok {
		return Receipt{}, fmt.Errorf("%w: no line \"index N\" after the first line and an optional extra line", ErrMalformed)
	}
	r.Index, err = strconv.ParseUint(index, 10, 64)
	if err != nil || strconv.FormatUint(r.Index, 10) != index {
		return Receipt{}, fmt.Errorf("%w: the index %.30q is not a decimal number below 2^64 without leading zeros", ErrMalformed, index)
	}
	for more {
		line, head, more = strings.Cut(head, "\n")
		if len(r.Proof) == MaxProof {
			return Receipt{}, fmt.Errorf("%w: more than %d hashes", ErrMalformed, MaxProof)
		}
		hash, err := checkpoint.DecodeHash(line)
		if err != nil {
			return Receipt{}, fmt.Errorf("%w: hash %d of the proof %w", ErrMalformed, len(r.Proof)+1, err)
		}
		r.Proof = append(r.Proof, hash)
	}
	if _, _, err := checkpoint.Parse([]byte(signed)); err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	r.Checkpoint = []byte(signed)
	return r, nil
}

func parseExtra(text string) ([]byte, error) {
	if b64.DecodedLen(len(text)) > MaxExtraSize+2 {
		return nil, fmt.Errorf("%w: the extra line holds more than %d bytes", ErrMalformed, MaxExtraSize)
	}
	extra, err := b64.DecodeString(text)
	// The decoder skips CR.
	if err != nil || strings.Contains(text, "\r") {
		return nil, fmt.Errorf("%w: the extra line is not standard base64 with padding", ErrMalformed)
	}
	if len(extra) == 0 {
		return nil, fmt.Errorf("%w: the extra line is empty; without extra data it is left out", ErrMalformed)
	}
	if len(extra) > MaxExtraSize {
		return nil, fmt.Errorf("%w: the extra line holds more than %d bytes", ErrMalformed, MaxExtraSize)
	}
	return extra, nil
}

// Append appends the receipt's text to dst.
func (r Receipt) Append(dst []byte) []byte {
	dst = append(dst, header...)
	if len(r.Extra) > 0 {
		dst = append(dst, "extra "...)
		dst = b64.AppendEncode(dst, r.Extra)
		dst = append(dst, '\n')
	}
	dst = append(dst, "index "...)
	dst = strconv.AppendUint(dst, r.Index, 10)
	dst = append(dst, '\n')
	for _, hash := range r.Proof {
		dst = checkpoint.AppendHash(dst, hash)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	return append(dst, r.Checkpoint...)
}

// Size gives the number of bytes that Append appends.
func (r Receipt) Size() int {
	n := len(header) + len("index \n\n") + len(strconv.FormatUint(r.Index, 10)) + 45*len(r.Proof) + len(r.Checkpoint)
	if len(r.Extra) > 0 {
		n += len("extra \n") + b64.EncodedLen(len(r.Extra))
	}
	return n
}

// Verify checks that the entry with this leaf hash (SHA-256 of 0x00 and the
// entry, RFC 6962) stands at r.Index of the log that open trusts, and gives the
// checkpoint that says so. open verifies the signed checkpoint: its origin, its
// signature and, under a policy, its quorum; open's error is passed on.
// Errors of its own: ErrIndex, ErrProof.
func (r Receipt) Verify(leafHash [32]byte, open func(signed []byte) (checkpoint.Checkpoint, error)) (checkpoint.Checkpoint, error) {
	c, err := open(r.Checkpoint)
	if err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if r.Index >= c.Size {
		return checkpoint.Checkpoint{}, fmt.Errorf("%w: index %d, size %d", ErrIndex, r.Index, c.Size)
	}
	hashes := make([][]byte, len(r.Proof))
	for i := range r.Proof {
		hashes[i] = r.Proof[i][:]
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, r.Index, c.Size, leafHash[:], hashes, c.Root[:]); err != nil {
		return checkpoint.Checkpoint{}, fmt.Errorf("%w: index %d, size %d", ErrProof, r.Index, c.Size)
	}
	return c, nil
}
