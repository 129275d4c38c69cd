//go:build !linux

package durable

import (
	"errors"
	"os"
)

// exchange is not known here; the caller renames.
func exchange(a, b string) error { return errors.ErrUnsupported }

// SyncData makes a file's content and length durable.
func SyncData(file *os.File) error { return file.Sync() }
