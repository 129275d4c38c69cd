package checkpoint

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// ErrInconsistent says that a log's newer checkpoint was not shown to be a
// continuation of an older one.
var ErrInconsistent = errors.New("the newer checkpoint is not proved to continue the older one")

// Follows tells whether the proof shows that c's log begins with all that older
// commits to (RFC 6962, section 2.1.2): same origin, and no entry changed, lost or
// put in between. It verifies no signature. The error is ErrInconsistent.
func (c Checkpoint) Follows(older Checkpoint, path [][sha256.Size]byte) error {
	if c.Origin != older.Origin {
		return fmt.Errorf("%w: one is of the log %q, the other of %q", ErrInconsistent, c.Origin, older.Origin)
	}
	for _, one := range []Checkpoint{older, c} {
		if one.Size == 0 && one.Root != sha256.Sum256(nil) {
			return fmt.Errorf("%w: size 0 with the root %x, which is not that of an empty log", ErrInconsistent, one.Root)
		}
	}
	hashes := make([][]byte, len(path))
	for i := range path {
		hashes[i] = path[i][:]
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, older.Size, c.Size, hashes, older.Root[:], c.Root[:]); err != nil {
		return fmt.Errorf("%w: %s, sizes %d and %d", ErrInconsistent, c.Origin, older.Size, c.Size)
	}
	return nil
}
