// Package fetch reads a tiled log (https://c2sp.org/tlog-tiles) from outside, over
// HTTP or from a folder.
//
// It believes nothing that a given checkpoint does not commit to: each hash, entry
// and proof that it gives fits the checkpoint's root, or there is an error that
// names the file. Whether the checkpoint is to be believed is for the caller to
// find out before: package fetch verifies no signature. It keeps a bounded number of
// tiles in memory, and nothing anywhere else.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// A Source is where a log's files are: "checkpoint", "tile/0/000",
// "tile/entries/000.p/3". It is safe for concurrent use.
type Source interface {
	// Get gives a file of at most limit bytes, of which nothing is believed. A file
	// that is not there is fs.ErrNotExist, a longer one ErrTooLarge. Errors name
	// the file's address.
	Get(ctx context.Context, path string, limit int64) ([]byte, error)
	// Address is where a file is, for people.
	Address(path string) string
}

// ErrTooLarge says that a file is larger than it can be.
var ErrTooLarge = errors.New("the file is larger than it can be")

// Checkpoint gives the newest checkpoint of a log as it is signed. Its form was
// checked, and nothing else.
func Checkpoint(ctx context.Context, s Source) ([]byte, error) {
	signed, err := s.Get(ctx, tiles.CheckpointPath, checkpoint.MaxSize)
	if err != nil {
		return nil, err
	}
	if _, _, err := checkpoint.Parse(signed); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Address(tiles.CheckpointPath), err)
	}
	return signed, nil
}

// Folder gives the log whose files lie in a folder, such as a mirror's.
func Folder(dir string) Source { return folder(dir) }

type folder string

func (f folder) Address(path string) string {
	return filepath.Join(string(f), filepath.FromSlash(path))
}

func (f folder) Get(ctx context.Context, path string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := tiles.ParsePath(path); err != nil {
		return nil, err
	}
	// To open a pipe would wait for who writes into it.
	info, err := os.Stat(f.Address(path))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: f.Address(path), Err: errors.New("it is not a file")}
	}
	file, err := os.Open(f.Address(path))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, info.Size(), limit, f.Address(path))
}

// readAll reads what has size bytes, as is said; that of an unknown size is -1.
func readAll(r io.Reader, size, limit int64, address string) ([]byte, error) {
	if size <= limit {
		// One byte more shows the end without another turn.
		data := make([]byte, 0, min(max(size, 512), limit)+1)
		for {
			n, err := r.Read(data[len(data):cap(data)])
			data = data[:len(data)+n]
			switch {
			case int64(len(data)) > limit:
				return nil, fmt.Errorf("%s: %w: more than %d bytes", address, ErrTooLarge, limit)
			case errors.Is(err, io.EOF):
				return data, nil
			case err != nil:
				return nil, fmt.Errorf("%s: %w", address, err)
			case len(data) == cap(data):
				data = append(data, 0)[:len(data)]
			}
		}
	}
	return nil, fmt.Errorf("%s: %w: %d bytes, and at most %d are right", address, ErrTooLarge, size, limit)
}
