package mysql

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tallyroot/tallyroot/internal/durable"
)

const (
	sealFile = "seal.key"
	sealSize = 32 // bytes: AES-256
	// sealVersion begins what is sealed: AES-256-GCM with a random nonce, bound
	// to the service's origin and the participant.
	sealVersion = 1
)

// seal closes private keys with the key in a file: 32 random bytes in base64, on
// one line. It is made when the first private key is.
type seal struct {
	path, origin string

	mu   sync.Mutex
	aead cipher.AEAD // nil: the file is not there yet
}

func openSeal(dir, origin string) (*seal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	s := &seal{path: filepath.Join(dir, sealFile), origin: origin}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(key) != sealSize {
		return nil, fmt.Errorf("%s is not a key that seals managed keys: %s", s.path, putBack)
	}
	return s, s.use(key)
}

func (s *seal) use(key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	s.aead, err = cipher.NewGCMWithRandomNonce(block)
	return err
}

// context is what a sealed key is bound to: in another row it does not open.
func (s *seal) context(participant string) []byte {
	return []byte("tallyroot/managed/v1\x00" + s.origin + "\x00" + participant)
}

// putBack says what to do where the file is not the one that sealed.
const putBack = "put the right file back from a backup; if there is none, delete the log's rows of the table tallyroot_managed_keys, and `tallyroot token add` gives each participant a new key"

// close seals the participant's private key, and makes the key that seals where
// there is none.
func (s *seal) close(participant, private string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead == nil {
		key := make([]byte, sealSize)
		rand.Read(key)
		if err := durable.WriteFile(s.path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
			return nil, err
		}
		if err := s.use(key); err != nil {
			return nil, err
		}
	}
	return s.aead.Seal([]byte{sealVersion}, nil, []byte(private), s.context(participant)), nil
}

// open gives the participant's private key.
func (s *seal) open(participant string, sealed []byte) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead == nil {
		return "", fmt.Errorf("the managed key of %s in the database is sealed, and %s, which opens it, is missing: %s", participant, s.path, putBack)
	}
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return "", fmt.Errorf("the managed key of %s in the database was sealed by a newer version of this program: use that", participant)
	}
	private, err := s.aead.Open(nil, nil, sealed[1:], s.context(participant))
	if err != nil {
		return "", fmt.Errorf("the managed key of %s in the database was changed, or sealed with another key than %s: %s", participant, s.path, putBack)
	}
	return string(private), nil
}
