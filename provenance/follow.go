package provenance

import (
	"cmp"
	"context"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/journey"
)

const (
	// positionSize is what a history's position takes in JSON, at most, in bytes.
	positionSize = 24
	// minEntrySize is less than any entry has, in bytes: a signature alone takes as
	// much.
	minEntrySize = 92
)

// followed is a journey and the histories through which it was followed.
type followed struct {
	*question
	journey   *journey.Journey
	histories map[historyindex.Key]*followedHistory
	entries   map[uint64]located // many stand in several histories
	room      int                // bytes that may still be read

	// forReaders says that the histories are for others to verify: of one that is
	// longer than a page there is a page, and of others nobody takes a part.
	forReaders bool
}

// followedHistory is one that there was room for.
type followedHistory struct {
	count     uint64
	positions []uint64 // all of them for readers
	proof     historyindex.Proof
	entries   []Seen // all of them, or the first ones
}

func (h *followedHistory) whole() bool { return uint64(len(h.entries)) == h.count }

// source gives the histories, as far as there is room.
func (f *followed) source(ctx context.Context) journey.Source {
	return func(key historyindex.Key) ([]journey.Entry, bool, error) {
		h, err := f.read(ctx, key)
		if err != nil || h == nil {
			return nil, false, err
		}
		f.histories[key] = h
		entries := make([]journey.Entry, len(h.entries))
		for i, e := range h.entries {
			entries[i] = journey.Entry{Index: e.Index, JSON: e.Entry.JSON, Effect: e.HasEffect()}
		}
		return entries, h.whole(), nil
	}
}

// read reads a history; nil when there is no room for it.
func (f *followed) read(ctx context.Context, key historyindex.Key) (*followedHistory, error) {
	hash := key.Hash()
	answer, err := f.View.Prove(hash)
	if err != nil {
		return nil, err
	}
	h := &followedHistory{count: answer.Count, proof: answer.Proof}
	room, limit, cut := f.room, min(h.count, uint64(f.room/minEntrySize)), true
	if f.forReaders {
		if limit = h.count; limit > uint64(room/positionSize) {
			return nil, nil
		}
		room -= positionSize * int(limit)
		cut = limit > history.PageLimit
	}
	if h.positions, err = f.View.Positions(hash, 0, int(limit)); err != nil {
		return nil, err
	}
	page := h.positions
	if f.forReaders {
		page = page[:min(len(page), history.PageLimit)]
	}
	var entries []located
	for _, index := range page {
		e, err := f.entry(ctx, index)
		if err != nil {
			return nil, err
		}
		if len(e.bytes) > room {
			if !cut || f.forReaders && len(entries) == 0 {
				return nil, nil // there is no page without entries
			}
			break
		}
		room -= len(e.bytes)
		entries = append(entries, e)
	}
	f.room = room
	h.entries = f.see(entries)
	return h, nil
}

// entry reads an entry, once.
func (f *followed) entry(ctx context.Context, index uint64) (located, error) {
	if e, ok := f.entries[index]; ok {
		return e, nil
	}
	e, err := f.question.entry(ctx, index)
	if err == nil {
		f.entries[index] = e
	}
	return e, err
}

// seen gives the entry of a step.
func (f *followed) seen(s journey.Step) Seen {
	entries := f.histories[s.Key].entries
	i, _ := slices.BinarySearchFunc(entries, s.Index, func(e Seen, index uint64) int { return cmp.Compare(e.Index, index) })
	return entries[i]
}

// identifiers gives those of the keys, each once.
func identifiers(keys []historyindex.Key) (ids []string) {
	have := make(map[string]bool, len(keys))
	for _, key := range keys {
		if !have[key.Identifier] {
			have[key.Identifier] = true
			ids = append(ids, key.Identifier)
		}
	}
	return ids
}
