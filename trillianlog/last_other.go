//go:build !linux

package trillianlog

import (
	"errors"
	"os"
)

// exchange is not known here; the caller renames.
func exchange(a, b string) error { return errors.ErrUnsupported }

func syncData(file *os.File) error { return file.Sync() }
