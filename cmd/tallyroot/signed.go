package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"golang.org/x/mod/sumdb/note"
)

// lastCheckpointFile is where the last signed checkpoint of the log in dir is.
func lastCheckpointFile(flag, dir string) string {
	if flag != "" {
		return flag
	}
	return filepath.Join(dir, "last-checkpoint")
}

// lastIndexCheckpointFile is where the index log's last checkpoint stands, given where
// the log's does.
func lastIndexCheckpointFile(flag, lastCheckpoint string) string {
	if flag != "" {
		return flag
	}
	return filepath.Join(filepath.Dir(lastCheckpoint), "last-index-checkpoint")
}

// logKey reads the key of the log whose data lies in dir; the key's name is the
// log's.
func logKey(dir string) (note.Verifier, error) { return verifierIn(filepath.Join(dir, "log.vkey")) }

// verifierIn reads a key that lies in a data directory.
func verifierIn(file string) (note.Verifier, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no log in %s: %w", filepath.Dir(file), err)
	}
	if err != nil {
		return nil, err
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// signedSize is how many entries the log of the data directory has at least, as
// far as what it signed and published says.
func signedSize(ctx context.Context, data, lastCheckpoint string) (uint64, error) {
	var size uint64
	text, err := os.ReadFile(filepath.Join(data, "log", "checkpoint"))
	switch {
	case err == nil:
		published, _, err := checkpoint.Parse(text)
		if err != nil {
			return 0, fmt.Errorf("read the published checkpoint: %w", err)
		}
		size = published.Size
	case !errors.Is(err, os.ErrNotExist):
		return 0, err
	}
	text, err = trillianlog.FileLastCheckpoint(lastCheckpoint).Load(ctx)
	switch {
	case err == nil:
		last, err := checkpoint.ParseBody(string(text))
		if err != nil {
			return 0, fmt.Errorf("read the last checkpoint: %w", err)
		}
		size = max(size, last.Size)
	case !errors.Is(err, trillianlog.ErrNoLastCheckpoint):
		return 0, err
	}
	return size, nil
}
