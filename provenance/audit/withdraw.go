package audit

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// withdrawals looks at the error declarations whose event was found by now.
func (a *Auditor) withdrawals(ctx context.Context, log *fetch.Log) error {
	for {
		found, err := a.declarations()
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := a.withdraw(ctx, log, d); err != nil {
				return err
			}
		}
		if len(found) < a.window {
			return nil
		}
	}
}

// A declaration is one whose event is in the log.
type declaration struct{ index, event uint64 }

// declarations gives those that were not looked at yet, at most a window of them.
func (a *Auditor) declarations() (found []declaration, err error) {
	for r, err := range a.ledger.rows([]byte{declarationRow}) {
		var index uint64
		if err == nil {
			index, err = lastNumber(r[0])
		}
		if err == nil && len(r[1]) != 32 {
			err = fmt.Errorf("the row %x has no identity", r[0])
		}
		if err != nil {
			return nil, err
		}
		event, ok, err := a.ledger.first([32]byte(r[1]))
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, declaration{index, event})
		}
		if len(found) == a.window {
			break
		}
	}
	return found, nil
}

func (a *Auditor) withdraw(ctx context.Context, log *fetch.Log, d declaration) error {
	pair := make([]verify.Judged, 0, 2)
	for _, index := range []uint64{min(d.event, d.index), max(d.event, d.index)} {
		leaf, err := log.Entry(ctx, index)
		if err != nil {
			return err
		}
		e, err := entry.Parse(leaf)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		pair = append(pair, verify.Judged{Index: index, Entry: e})
	}
	verify.Relate(pair)
	return a.settle(d.index, pair)
}

// settle writes down what became of an error declaration.
func (a *Auditor) settle(index uint64, pair []verify.Judged) error {
	head := &a.ledger.head
	return a.ledger.change(func(b *pebble.Batch) error {
		for i := range pair {
			j := &pair[i]
			if j.Index != index {
				continue
			}
			if j.Withdraws != nil {
				head.Totals.Withdrawn++
				continue
			}
			head.Totals.Ineffective++
			it := item{index: index, entry: j.Entry}
			f := &Finding{Kind: Ineffective, Problem: "the error declaration has no effect: it differs from the event that it names"}
			if err := a.name(b, head.Totals.Ineffective-head.ReportedTotals.Ineffective, f, &it); err != nil {
				return err
			}
		}
		return b.Delete(row(declarationRow, number(index)), nil)
	})
}
