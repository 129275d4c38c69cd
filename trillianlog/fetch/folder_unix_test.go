//go:build unix

package fetch

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A folder is somebody else's: what is no file in it is refused, and nobody waits for it.
func TestFolderWithAPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "checkpoint")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := Folder(dir).Get(t.Context(), "checkpoint", 100)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a pipe was read")
		}
	case <-time.After(30 * time.Second):
		f, err := os.OpenFile(pipe, os.O_RDWR, 0) // lets go of who waits
		t.Errorf("it waits for a pipe (%v)", err)
		f.Close()
		<-done
	}
}
