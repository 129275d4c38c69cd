package mariadb

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

var shared struct {
	sync.Mutex
	server *Server
	dir    string
	err    error
}

// Main runs a package's tests, for its TestMain, and stops the server that they
// shared. It gives the exit status.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		_ = shared.server.Kill()
	}
	_ = os.RemoveAll(shared.dir)
	return code
}

// Shared gives the server that all tests of a package use; its TestMain calls
// [Main]. A test that ends the server, or changes it for others, makes its own
// with [Own].
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		if shared.dir, shared.err = os.MkdirTemp("", "mariadb"); shared.err == nil {
			shared.server, shared.err = New(shared.dir)
		}
	}
	check(t, shared.err)
	return shared.server
}

// Own gives a server for this test alone.
func Own(t testing.TB, flags ...string) *Server {
	t.Helper()
	s, err := New(t.TempDir(), flags...)
	check(t, err)
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

// check skips where MariaDB is not installed, except where TALLYROOT_TEST_ALL
// says that everything is.
func check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("TALLYROOT_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var databases atomic.Uint64

// Database makes an empty database that is dropped when the test ends, and
// gives its name.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1))
	if err := s.Exec("", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Exec("", "DROP DATABASE IF EXISTS "+name) })
	return name
}
