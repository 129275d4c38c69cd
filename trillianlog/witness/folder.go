package witness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallyroot/tallyroot/internal/durable"
)

// openKey reads the key and the role, or makes them if the folder is new. The folder
// of what was cosigned is made before the key: a key beside which it is missing has
// lost its memory.
func (s *Server) openKey() error {
	path := func(name string) string { return filepath.Join(s.options.Dir, name) }
	files, err := os.ReadDir(s.store.dir)
	hasMemory := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text, err := os.ReadFile(path("witness.key"))
	switch {
	case err == nil && !hasMemory:
		return fmt.Errorf("there is a key, but what it has cosigned is lost (%s): a witness that forgets may not go on under its name; start a new one in another folder, and put its key into the policies", s.store.dir)
	case errors.Is(err, os.ErrNotExist) && len(files) > 0:
		return fmt.Errorf("%s is missing, with which %s was cosigned: put the key back, or start a new witness in another folder", path("witness.key"), s.store.dir)
	case errors.Is(err, os.ErrNotExist):
		return s.makeKey(path)
	case err != nil:
		return err
	}
	if s.key, err = ParseKey(strings.TrimSuffix(string(text), "\n")); err != nil {
		return fmt.Errorf("%s: %w", path("witness.key"), err)
	}
	if name := s.options.Name; name != "" && name != s.key.Name() {
		return fmt.Errorf("the witness's name is %q, not %q: a name belongs to its key for life; give the other witness another folder", s.key.Name(), name)
	}
	role, err := os.ReadFile(path("role"))
	if err != nil {
		return err
	}
	if got := strings.TrimSuffix(string(role), "\n"); got != s.options.Role {
		return fmt.Errorf("its key cosigns as %q, and this is a %q: whoever trusts the key trusts it for the one; give the other another folder", got, s.options.Role)
	}
	return nil
}

func (s *Server) makeKey(path func(string) string) (err error) {
	if s.options.Name == "" {
		return errors.New("a new witness needs a name, such as --name witness.example.com/w1")
	}
	if s.key, err = NewKey(s.options.Name); err != nil {
		return err
	}
	if err := os.MkdirAll(s.store.dir, 0o700); err != nil {
		return err
	}
	for _, file := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"role", s.options.Role, 0o600},
		{"witness.vkey", s.key.Verifier(), 0o644},
		{"witness.key", s.key.Secret(), 0o600}, // last: it says that all is there
	} {
		if err := durable.WriteFile(path(file.name), []byte(file.text+"\n"), file.mode); err != nil {
			return err
		}
	}
	return durable.SyncDir(filepath.Dir(filepath.Clean(s.options.Dir)))
}
