// Package witnesstest is a log for tests of witnesses and of those who ask them: it
// signs the checkpoint of any size that it has reached, proves one from the other,
// and forks when it is told to. It keeps everything in memory.
package witnesstest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// Log is safe for concurrent use.
type Log struct {
	Origin string
	Key    string // vkey

	signer note.Signer
	kind   string // of its own entries: longer with each fork
	mu     sync.Mutex
	tree   *testonly.Tree
}

// NewLog gives an empty log with a key of its own.
func NewLog(tb testing.TB, origin string) *Log {
	tb.Helper()
	secret, key, err := note.GenerateKey(nil, origin)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return &Log{Origin: origin, Key: key, signer: signer, tree: testonly.New(rfc6962.DefaultHasher)}
}

// Fork gives a log of the same name and key that has the first entries in common,
// and then others, up to the size of l.
func (l *Log) Fork(common uint64) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &Log{Origin: l.Origin, Key: l.Key, signer: l.signer, kind: l.kind + "other ", tree: testonly.New(rfc6962.DefaultHasher)}
	for i := range min(common, l.tree.Size()) {
		f.tree.Append(l.tree.LeafHash(i))
	}
	f.Grow(l.tree.Size())
	return f
}

// Grow adds entries until the log has the size.
func (l *Log) Grow(size uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.tree.Size(); i < size; i++ {
		l.tree.AppendData(fmt.Appendf(nil, "%sentry %d", l.kind, i))
	}
}

// At gives the checkpoint of a size that the log has reached.
func (l *Log) At(size uint64) checkpoint.Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return checkpoint.Checkpoint{Origin: l.Origin, Size: size, Root: [32]byte(l.tree.HashAt(size))}
}

// Signed gives that checkpoint as a note, also signed by others.
func (l *Log) Signed(size uint64, others ...note.Signer) []byte {
	signed, err := checkpoint.Sign(l.At(size), l.signer, others...)
	if err != nil {
		panic(err)
	}
	return signed
}

// Proof gives the hashes that prove one size from the other.
func (l *Log) Proof(from, to uint64) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	hashes, err := l.tree.ConsistencyProof(from, to)
	if err != nil {
		panic(err)
	}
	return hashes
}

// Prover is what proves a size from older ones.
func (l *Log) Prover(size uint64) func(from uint64) ([][]byte, error) {
	return func(from uint64) ([][]byte, error) {
		if from == 0 || from >= size {
			return nil, fmt.Errorf("a proof of %d from %d", size, from)
		}
		return l.Proof(from, size), nil
	}
}

// Signer is the log's key.
func (l *Log) Signer() note.Signer { return l.signer }
