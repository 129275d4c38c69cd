package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// exchange gives two files each other's names in one step.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// SyncData makes a file's content and length durable, but not its times.
func SyncData(file *os.File) error { return unix.Fdatasync(int(file.Fd())) }
