package historyindex

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const leafPrefix = "tallyroot/index/v1\n"

// MaxLeafSize bounds a leaf of the index log, in bytes.
const MaxLeafSize = len(leafPrefix) + 65 + checkpoint.MaxOriginSize + 1 + 21 + 45

// ErrLeafForm says that bytes are not a leaf of an index log.
var ErrLeafForm = errors.New("malformed leaf of the index log")

// A Leaf of the index log says which root the map has that all entries below one
// size of the log give.
type Leaf struct {
	MapRoot    Hash
	Checkpoint checkpoint.Checkpoint // of the log, not of the index log
}

// Append appends the leaf's text to dst: the format's name, the map's root in
// lower-case hexadecimal, and the checkpoint's three lines, each with its LF.
func (l Leaf) Append(dst []byte) []byte {
	dst = append(dst, leafPrefix...)
	dst = hex.AppendEncode(dst, l.MapRoot[:])
	dst = append(dst, '\n')
	return l.Checkpoint.AppendBody(dst)
}

// String is what Append gives.
func (l Leaf) String() string { return string(l.Append(make([]byte, 0, MaxLeafSize))) }

// ParseLeaf reads a leaf. For every text that it accepts, Append gives that text
// again. Error: ErrLeafForm.
func ParseLeaf(text []byte) (Leaf, error) {
	var l Leaf
	if len(text) > MaxLeafSize {
		return l, fmt.Errorf("%w: %d bytes; the limit is %d", ErrLeafForm, len(text), MaxLeafSize)
	}
	rest, ok := strings.CutPrefix(string(text), leafPrefix)
	if !ok {
		return l, fmt.Errorf("%w: it does not begin with the line %q", ErrLeafForm, leafPrefix[:len(leafPrefix)-1])
	}
	root, rest, ok := strings.Cut(rest, "\n")
	hash, err := hex.DecodeString(root)
	if !ok || err != nil || len(hash) != len(l.MapRoot) || hex.EncodeToString(hash) != root {
		return l, fmt.Errorf("%w: line 2: %.70q is not 32 bytes in lower-case hexadecimal", ErrLeafForm, root)
	}
	l.MapRoot = Hash(hash)
	if l.Checkpoint, err = checkpoint.ParseBody(rest); err != nil {
		return l, fmt.Errorf("%w: %w", ErrLeafForm, err)
	}
	return l, nil
}
