package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// An Anchor is what all histories of one file are proved at.
type Anchor struct {
	policy.Verdict        // of the log's checkpoint; its size is M
	Signed         string // that checkpoint

	Index       policy.Verdict    // of the index log's checkpoint, whose newest leaf is about the log's
	SignedIndex string            // that checkpoint
	MapRoot     historyindex.Hash // in that leaf

	// Independent says that the index log's quorum cannot be met without an
	// index-verifier.
	Independent bool

	// Rebuilders are the index-verifiers that cosigned the index log's checkpoint, by
	// their names in the policy and in its order.
	Rebuilders []string

	// IndexFromGenesis says that the index log's key was taken from the log's
	// first entry, since the reader had no policy for it.
	IndexFromGenesis bool

	// OperatorTrusted says that the reader's own key of the operator vouches for
	// the participants' keys; otherwise the log's first entry does.
	OperatorTrusted bool
}

// same tells whether the histories are proved at one checkpoint of each log.
func same(a, b *history.History) bool {
	return a.LogCheckpoint == b.LogCheckpoint && a.Index.Checkpoint == b.Index.Checkpoint && a.Index.Leaf == b.Index.Leaf &&
		slices.Equal(a.Index.LeafProof, b.Index.LeafProof)
}

// anchor makes the first three checks. h is any of the histories, all of which are
// the same there; operator is the operator's, or nil.
func (t Trust) anchor(h, operator *history.History) (*Anchor, error) {
	a := &Anchor{Signed: h.LogCheckpoint, SignedIndex: h.Index.Checkpoint, Independent: t.independent()}
	indexPolicy := t.IndexPolicy
	if indexPolicy == nil {
		a.IndexFromGenesis = true
		if err := a.log(t); err != nil {
			return nil, err
		}
		var err error
		if indexPolicy, err = a.genesisPolicy(operator); err != nil {
			return nil, err
		}
	}
	leaf, err := a.index(indexPolicy, &h.Index)
	if err != nil {
		return nil, err
	}
	if !a.IndexFromGenesis {
		if err := a.log(t); err != nil {
			return nil, err
		}
	}
	if a.Checkpoint != leaf.Checkpoint {
		return nil, fail(ErrLogLeaf, fmt.Errorf("the leaf says size %d and root %x, and the checkpoint size %d and root %x",
			leaf.Checkpoint.Size, leaf.Checkpoint.Root, a.Checkpoint.Size, a.Checkpoint.Root))
	}
	a.MapRoot, a.Rebuilders = leaf.MapRoot, t.rebuilders(a.Index)
	return a, t.fresh(a.Verdict, t.maxAge())
}

// index makes checks 1 and 2.
func (a *Anchor) index(p *policy.Policy, from *history.Index) (leaf historyindex.Leaf, err error) {
	if a.Index, err = indexRole.check(p, from.Checkpoint); err != nil {
		return leaf, err
	}
	size := a.Index.Checkpoint.Size
	if size == 0 {
		return leaf, fail(ErrIndexEmpty, nil)
	}
	if leaf, err = historyindex.ParseLeaf([]byte(from.Leaf)); err != nil {
		return leaf, fail(ErrLeafForm, err)
	}
	if participant.IndexOrigin(leaf.Checkpoint.Origin) != a.Index.Checkpoint.Origin {
		return leaf, fail(ErrLeafLog, fmt.Errorf("it is about %q, and the index log is %q", leaf.Checkpoint.Origin, a.Index.Checkpoint.Origin))
	}
	if err = included(a.Index.Checkpoint, size-1, entry.LeafHash([]byte(from.Leaf)), from.LeafProof); err != nil {
		return leaf, fail(ErrLeafInclusion, err)
	}
	return leaf, nil
}

// log makes check 3, without the comparison with the leaf and the time: those come
// after it.
func (a *Anchor) log(t Trust) (err error) {
	a.Verdict, err = logRole.check(t.Policy, a.Signed)
	return err
}

// genesisPolicy gives the policy that trusts the index log's key in the log's
// first entry.
func (a *Anchor) genesisPolicy(operator *history.History) (*policy.Policy, error) {
	if operator == nil || len(operator.Entries) == 0 || operator.Entries[0].Index != 0 {
		return nil, failAt(ErrGenesis, 0, errors.New("the index log's key was not given, and the log's first entry, which names it, is not there"))
	}
	first := operator.Entries[0]
	if err := included(a.Checkpoint, 0, entry.LeafHash(first.Entry), first.Proof); err != nil {
		return nil, within(failAt(ErrInclusion, 0, err), operatorKey)
	}
	e, err := entry.Parse(first.Entry)
	if err != nil {
		return nil, failAt(ErrGenesis, 0, err)
	}
	g, err := participant.ParseGenesis(e.JSON)
	if err != nil {
		return nil, failAt(ErrGenesis, 0, err)
	}
	p, err := policy.None(g.IndexKey)
	if err != nil {
		return nil, failAt(ErrGenesis, 0, err)
	}
	return p, nil
}

var operatorKey = historyindex.Key{Kind: historyindex.Operator, Identifier: entry.Operator}
