package provenance

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// freeSpace gives the check that the log makes before each batch: an error when
// less than least bytes (0: see Config.MinFree) are free for this process where
// dir lies. Stopping early keeps every writer below, Trillian's store first, from
// meeting a full disk in the middle of a write.
func freeSpace(dir string, least uint64) func() error {
	return func() error {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			return fmt.Errorf("look for free space in %s: %w", dir, err)
		}
		least := least
		if least == 0 {
			least = min(DefaultMinFree, fs.Blocks*uint64(fs.Bsize)/10)
		}
		if free := fs.Bavail * uint64(fs.Bsize); free < least {
			return fmt.Errorf("%d MiB are free in %s and %d MiB must stay free: make room, and writing goes on by itself", free>>20, dir, least>>20)
		}
		return nil
	}
}

// both asks free, and then the back end if it has a Reserve of its own: a store
// that is damaged or broken says so there.
func both(free func() error, backend trillianlog.Backend) func() error {
	store, ok := backend.(interface{ Reserve() error })
	if !ok {
		return free
	}
	return func() error {
		if err := free(); err != nil {
			return err
		}
		return store.Reserve()
	}
}
