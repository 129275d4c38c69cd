package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// Cross holds a receipt against a history of the same log. If the receipt's entry
// has the history's key and stands below the history's size, the history must have
// it. covered says that this is so, and that it has; nothing can be said otherwise.
//
// Errors: ErrHidden, and ErrFork when both cannot be of one log. A history with an
// index proof that fails here shows that the operator, and whoever cosigned its
// index as its verifier, said what is not so: keep both files.
func Cross(r *ReceiptVerdict, h *HistoryVerdict) (covered bool, err error) {
	if r.Checkpoint.Origin != h.Checkpoint.Origin {
		return false, nil
	}
	if r.Checkpoint.Size == h.Checkpoint.Size && r.Checkpoint.Root != h.Checkpoint.Root {
		return false, fail(ErrFork, fmt.Errorf("at size %d it has the root %x in the receipt, and %x in the history", r.Checkpoint.Size, r.Checkpoint.Root, h.Checkpoint.Root))
	}
	at, listed := slices.BinarySearch(h.Positions, r.Index)
	if listed {
		at -= h.First
		if at >= 0 && at < len(h.Entries) && h.Entries[at].LeafHash != r.LeafHash || !historyindex.Has(r.Entry, h.Key) {
			return false, failAt(ErrFork, r.Index, errors.New("the receipt has another one there than the history"))
		}
		return true, nil
	}
	if r.Index >= h.Checkpoint.Size || !historyindex.Has(r.Entry, h.Key) {
		return false, nil
	}
	return false, failAt(ErrHidden, r.Index, fmt.Errorf("the receipt proves it, and it has the key %s", h.Key))
}
