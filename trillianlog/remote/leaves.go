package remote

import "github.com/tallyroot/tallyroot/trillianlog"

// known is a stored leaf. The zero value is one that stood in the way, and was
// not read.
type known struct {
	identity, hash [32]byte
	bytes          int
}

func (k *known) isOther() bool { return k.hash == [32]byte{} }

// leaves are those that are stored and not in the index, as far as they are
// known. They are in memory, and bounded by [Backend.Reserve].
type leaves struct {
	first  uint64              // index of the first in tail: the one after the index's last
	tail   []known             // those that adjoin, in order; none is another's
	bytes  int                 // of those in tail
	beyond map[uint64]known    // those behind
	places map[[32]byte]uint64 // of both
}

func newLeaves(first uint64) leaves {
	return leaves{first: first, beyond: make(map[uint64]known), places: make(map[[32]byte]uint64)}
}

// next is the first index that tail has not.
func (l *leaves) next() uint64 { return l.first + uint64(len(l.tail)) }

// put adds a stored leaf, unless one is known at its index.
func (l *leaves) put(at uint64, leaf known) {
	if _, ok := l.beyond[at]; ok || at < l.next() {
		return
	}
	l.beyond[at] = leaf
	if !leaf.isOther() {
		l.places[leaf.identity] = at
	}
	for {
		leaf, ok := l.beyond[l.next()]
		if !ok || leaf.isOther() {
			return
		}
		delete(l.beyond, l.next())
		l.tail = append(l.tail, leaf)
		l.bytes += leaf.bytes
	}
}

// drop forgets the first n of tail, which the index has now.
func (l *leaves) drop(n int) {
	for _, leaf := range l.tail[:n] {
		delete(l.places, leaf.identity)
		l.bytes -= leaf.bytes
	}
	l.tail = l.tail[n:]
	l.first += uint64(n)
}

// end is the index after the last stored leaf, and those below it without one.
func (l *leaves) end() (next uint64, holes []uint64) {
	next = l.next()
	for at := range l.beyond {
		next = max(next, at+1)
	}
	for at := l.next(); at < next; at++ {
		if _, ok := l.beyond[at]; !ok {
			holes = append(holes, at)
		}
	}
	return next, holes
}

// all gives every leaf by its index.
func (l *leaves) all() map[uint64]known {
	all := make(map[uint64]known, len(l.tail)+len(l.beyond))
	for i, leaf := range l.tail {
		all[l.first+uint64(i)] = leaf
	}
	for at, leaf := range l.beyond {
		all[at] = leaf
	}
	return all
}

// unshown gives those that Trillian does not show: of an empty tree nothing,
// otherwise what adjoins.
func (l *leaves) unshown() map[uint64]known {
	if l.first == 0 {
		return l.all()
	}
	return l.beyond
}

func (l *leaves) find(identities [][32]byte, found map[[32]byte]trillianlog.Stored) {
	for _, id := range identities {
		at, ok := l.places[id]
		if !ok {
			continue
		}
		leaf, ok := l.beyond[at]
		if !ok {
			leaf = l.tail[at-l.first]
		}
		found[id] = trillianlog.Stored{Index: at, LeafHash: leaf.hash}
	}
}
