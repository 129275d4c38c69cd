package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/participant"
)

// ErrApart says that pages of a history are not proved at one checkpoint of each log,
// so that each is a page and no more.
var ErrApart = errors.New("the pages are of different checkpoints")

// Join makes one history of pages that follow one another: what its entries make of one
// another, such as duplicates and withdrawals, is then told across pages too. It is
// complete if all entries are there. There is at least one page; the pages are not
// changed.
//
// Errors: ErrPage if they do not follow one another; ErrApart.
func Join(pages []*HistoryVerdict) (*HistoryVerdict, error) {
	if len(pages) == 1 {
		return pages[0], nil
	}
	whole := *pages[0]
	whole.Entries = slices.Clone(whole.Entries)
	for i, page := range pages[1:] {
		switch {
		case page.Key != whole.Key || page.First != whole.First+len(whole.Entries):
			return nil, fail(ErrPage, fmt.Errorf("page %d of %d does not follow the one before it", i+2, len(pages)))
		case page.Signed != whole.Signed || page.SignedIndex != whole.SignedIndex:
			return nil, ErrApart
		}
		whole.Entries = append(whole.Entries, page.Entries...)
	}
	Relate(whole.Entries)
	if whole.Master != nil {
		whole.Master = new(participant.Master)
	}
	for i := range whole.Entries {
		j := &whole.Entries[i]
		if whole.Master != nil && j.Signature == nil {
			effect := whole.Master.ApplyVerified(whole.Key.Identifier, j.Index, j.Entry, whole.State)
			j.Effect = &effect
		}
		if j.Effect != nil && j.Effect.Applied {
			j.DuplicateOf = nil
		}
	}
	return &whole, nil
}
