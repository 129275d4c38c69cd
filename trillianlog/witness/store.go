package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// memory is what a witness remembers of a log: the last checkpoint that it
// cosigned. The zero value is that of a log that it has not seen.
type memory struct {
	checkpoint.Checkpoint
	time   uint64               // of the cosignature, in seconds of the Unix epoch
	sig    checkpoint.Signature // the cosignature
	signed []byte               // the note, with the log's signatures and the cosignature
}

// has tells whether c is what was cosigned last.
func (m *memory) has(c checkpoint.Checkpoint) bool { return m.signed != nil && m.Checkpoint == c }

// store keeps the memory: in one folder a file for each log, which holds the note
// that was cosigned. A file is named by the SHA-256 of the log's origin, in
// hexadecimal, and is replaced in one step: a crash or a power cut leaves the note
// before or the note after, whole.
type store struct {
	dir  string
	sync func(*os.File) error // makes a file's content, or a folder's names, durable
}

const spareSuffix = ".spare" // durable.Replace's

// fileName is a log's file, and its name in the monitoring address.
func fileName(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}

// load reads all of it. Each note must have been cosigned with the key: nobody
// else's word is taken for what the witness has vouched for.
func (s *store) load(key *Key) ([]*memory, error) {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var all []*memory
	for _, file := range files {
		if strings.HasSuffix(file.Name(), spareSuffix) {
			continue
		}
		m, err := s.read(file.Name(), key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, file.Name()), err)
		}
		all = append(all, m)
	}
	return all, nil
}

func (s *store) read(name string, key *Key) (*memory, error) {
	signed, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	c, n, err := checkpoint.Parse(signed)
	if err != nil {
		return nil, fmt.Errorf("damaged, or no file of a witness: %w", err)
	}
	last := n.Signatures[len(n.Signatures)-1]
	at, ok := key.cosigned(n.Text, last)
	switch {
	case !ok:
		return nil, fmt.Errorf("not cosigned with the key %s: it was changed, or belongs to another witness", key.Verifier())
	case name != fileName(c.Origin):
		return nil, errors.New("its name is not the digest of its log's origin: it was renamed or copied")
	}
	return &memory{c, at, last, signed}, nil
}

// put replaces the memory of a log. When it returns nil, that is durable; after an
// error the file holds the note before or this one.
func (s *store) put(m *memory) error {
	return durable.Replace(filepath.Join(s.dir, fileName(m.Origin)), m.signed, 0o600, s.sync)
}

// keepFork stores two notes of one size and different roots, both signed by the log:
// the one that was cosigned and the one that was refused. They prove to everybody
// that the log has forked. The first pair of a log stays.
func keepFork(folder, origin string, cosigned, refused []byte) (path string, err error) {
	path = filepath.Join(folder, fileName(origin))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return path, err
	}
	return path, durable.WriteFile(path, bytes.Join([][]byte{cosigned, refused}, []byte("\n")), 0o600)
}
