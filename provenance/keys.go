package provenance

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// keyring holds the service's own keys, which lie in the data directory: for
// each a private .key (mode 0600) and a public .vkey of one line.
type keyring struct {
	log, index, operator *entry.Key
	adminToken           string
}

// openKeyring reads the keys in dir. Those that are missing are made if the
// log is new; beside a log that has entries they are an error, since nobody
// could sign for it any more.
func openKeyring(dir, origin string, isNew bool) (*keyring, error) {
	k := &keyring{}
	for _, key := range []struct {
		file, name string
		into       **entry.Key
	}{
		{"log", origin, &k.log},
		{"index", participant.IndexOrigin(origin), &k.index},
		{"operator", entry.OperatorKeyName(origin), &k.operator},
	} {
		path := filepath.Join(dir, key.file+".key")
		text, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && isNew:
			if *key.into, err = entry.NewKey(rand.Reader, key.name); err != nil {
				return nil, err
			}
			if err := durable.WriteFile(path, []byte((*key.into).Secret()+"\n"), 0o600); err != nil {
				return nil, err
			}
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s is missing, and the log in %s has entries: put the key back from a backup", path, dir)
		case err != nil:
			return nil, err
		default:
			if *key.into, err = entry.ParseKey(strings.TrimSpace(string(text))); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
		if have := (*key.into).Verifier().Name; have != key.name {
			return nil, fmt.Errorf("the log in %s is %q, and --origin says %q: start it under its own name, or give the other log another directory", dir, strings.TrimSuffix(have, strings.TrimPrefix(key.name, origin)), origin)
		}
		if err := putVerifier(filepath.Join(dir, key.file+".vkey"), (*key.into).Verifier().String()+"\n"); err != nil {
			return nil, err
		}
	}
	return k, k.openAdminToken(filepath.Join(dir, "admin.token"))
}

// warnOfOpenKeys names the private keys in dir that others than their owner can use.
func warnOfOpenKeys(dir string, logger *slog.Logger) {
	var files []string
	for _, name := range []string{"log.key", "index.key", "operator.key"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			files = append(files, path)
		}
	}
	if len(files) > 0 {
		logger.Warn("private keys are open to others on this machine; run chmod 600 on the files", "files", strings.Join(files, " "))
	}
}

// putVerifier writes a key's public part where it is missing. One that is there and
// differs would be handed to verifiers, who would then believe nothing.
func putVerifier(path, vkey string) error {
	have, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return durable.WriteFile(path, []byte(vkey), 0o644)
	case err != nil:
		return err
	case string(have) != vkey:
		return fmt.Errorf("%s is not the public part of the private key beside it, which is %s: if the private key is the right one, delete the file, and it is written anew", path, strings.TrimSpace(vkey))
	}
	return nil
}

// openAdminToken reads the operator's token, or makes one: to change it, delete
// the file and start again.
func (k *keyring) openAdminToken(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		k.adminToken = credentials.NewSecret(entry.Operator, 0)
		return durable.WriteFile(path, []byte(k.adminToken+"\n"), 0o600)
	}
	if err != nil {
		return err
	}
	k.adminToken = strings.TrimSpace(string(text))
	if len(k.adminToken) < 32 {
		return fmt.Errorf("%s holds no token: delete it, and a new one is made at the next start", path)
	}
	return nil
}

// checkpointSigners are the log's key and the index log's as signers of notes.
func (k *keyring) checkpointSigners() (log, index note.Signer, err error) {
	if log, err = note.NewSigner(k.log.Secret()); err != nil {
		return nil, nil, err
	}
	index, err = note.NewSigner(k.index.Secret())
	return log, index, err
}
