package indexlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// kept is the folder where the log's signed checkpoints are kept that the newest
// leaves are about: a leaf has no signatures, and when it is read again after a
// start, the log has published another checkpoint long since.
//
// There are two files, taken in turns: the next leaf's text is written while the one
// before is still served.
type kept string

func (k kept) file(leaf uint64) string {
	return filepath.Join(string(k), fmt.Sprintf("log-checkpoint.%d", leaf%2))
}

// put keeps a checkpoint for the leaf with that number, durably.
func (k kept) put(leaf uint64, signed []byte) error {
	if err := durable.WriteFile(k.file(leaf), signed, 0o600); err != nil {
		return fmt.Errorf("keep the log's checkpoint: %w", err)
	}
	return nil
}

// get gives the checkpoint that the leaf is about; nil: it is not there.
func (k kept) get(leaf store.Leaf) ([]byte, error) {
	f, err := os.Open(k.file(leaf.Number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	signed, err := io.ReadAll(io.LimitReader(f, checkpoint.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if c, _, err := checkpoint.Parse(signed); err != nil || c != leaf.Checkpoint {
		return nil, nil // another leaf's, or none at all: the next leaf mends it
	}
	return signed, nil
}
