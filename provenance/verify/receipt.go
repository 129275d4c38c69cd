package verify

import (
	"fmt"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

// A ReceiptVerdict is what a good receipt proves: the entry stands in the log.
type ReceiptVerdict struct {
	Entry    *entry.Entry
	Index    uint64
	LeafHash [32]byte
	policy.Verdict
	Signed string // the checkpoint
}

// Receipt checks a receipt (https://c2sp.org/tlog-proof) for an entry. It needs
// the entry's bytes: the receipt holds nothing of them but the path from their
// hash to the log's root.
//
// It does not judge the entry's signatures, since the keys that held then stand
// in the log and not in the receipt: History does.
func Receipt(entryBytes, receiptText []byte, trust Trust) (*ReceiptVerdict, error) {
	if err := trust.Check(); err != nil {
		return nil, err
	}
	r, err := receipt.Parse(receiptText)
	if err != nil {
		return nil, fail(ErrMalformed, err)
	}
	v := &ReceiptVerdict{Index: r.Index, LeafHash: entry.LeafHash(entryBytes), Signed: string(r.Checkpoint)}
	if v.Verdict, err = logRole.check(trust.Policy, v.Signed); err != nil {
		return nil, err
	}
	maxAge := trust.MaxAge
	if maxAge == 0 {
		maxAge = AnyAge
	}
	if err := trust.fresh(v.Verdict, maxAge); err != nil {
		return nil, err
	}
	if r.Index >= v.Checkpoint.Size {
		return nil, failAt(ErrBeyond, r.Index, fmt.Errorf("the size is %d", v.Checkpoint.Size))
	}
	if err := included(v.Checkpoint, r.Index, v.LeafHash, r.Proof); err != nil {
		return nil, failAt(ErrInclusion, r.Index, err)
	}
	if v.Entry, err = entry.Parse(entryBytes); err != nil {
		return nil, failAt(ErrEntry, r.Index, err)
	}
	if v.Entry.Origin != v.Checkpoint.Origin {
		return nil, failAt(ErrOrigin, r.Index, fmt.Errorf("it names %q, and the log is %q", v.Entry.Origin, v.Checkpoint.Origin))
	}
	return v, nil
}
