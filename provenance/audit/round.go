package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// Round audits what is new. The report says what was found, also when there is an
// error: then something could not be checked, and the next round tries again.
func (a *Auditor) Round(ctx context.Context) (*Report, error) {
	var r *Report
	var err error
	for attempt := 0; ; attempt++ {
		r = &Report{From: a.ledger.head.ReportedNext}
		if a.torn {
			if err := a.fold(); err != nil {
				return r, err
			}
		}
		err = a.round(ctx, r)
		if attempt == maxMoves || !errors.Is(err, errMoved) && !a.moved(ctx, err) {
			break
		}
	}
	if f := found(err, r.Origin); f != nil && ctx.Err() == nil {
		r.Findings = append(r.Findings, *f)
		err = nil
	} else {
		r.Complete = err == nil && (a.index == nil || r.Log.Size == 0 || r.Index != nil && r.Index.Complete)
	}
	about, ledgerErr := a.ledger.findings()
	r.Findings = append(r.Findings, about...)
	a.summarise(r)
	return r, errors.Join(err, ledgerErr)
}

// maxMoves is how often a round begins anew because a log has moved on.
const maxMoves = 5

var errMoved = errors.New("the log moved on while it was read")

// moved tells whether a file is missing because its log has grown meanwhile: a plain
// web server over a log that is being written has the partial files of the newest
// checkpoints alone.
func (a *Auditor) moved(ctx context.Context, err error) bool {
	var missing *fetch.MissingError
	if !errors.As(err, &missing) {
		return false
	}
	for _, source := range []fetch.Source{a.options.Log, a.options.Index} {
		if source == nil {
			continue
		}
		signed, err := fetch.Checkpoint(ctx, source)
		if err != nil {
			continue
		}
		if c, _, err := checkpoint.Parse(signed); err == nil && c.Origin == missing.Checkpoint.Origin {
			return c.Size > missing.Checkpoint.Size
		}
	}
	return false
}

func (a *Auditor) round(ctx context.Context, r *Report) error {
	var genesis participant.Genesis
	log, err := a.readHead(ctx, "log", a.options.Log, a.options.Policy, func(log *fetch.Log) (key string, err error) {
		if log.Checkpoint().Size == 0 {
			return "", errors.New("the log is empty: nothing in it says with which key it is signed")
		}
		genesis, err = a.genesis(ctx, log)
		return genesis.LogKey, err
	})
	if err != nil {
		return err
	}
	if last, now := a.ledger.head.Origin, log.Checkpoint.Origin; last != "" && last != now {
		return fmt.Errorf("the folder %s is of the audit of %s, and this is %s: take another", a.options.Dir, last, now)
	}
	if err := a.expected(log.Checkpoint.Origin); err != nil {
		return err
	}
	r.Origin, r.Log = log.Checkpoint.Origin, reportHead(log)
	if f := a.stale(log); f != nil {
		r.Findings = append(r.Findings, *f)
	}
	r.Log.Seen = a.seenBefore(r.Origin)
	if err := a.compare(ctx, "log", a.options.Log, log); err != nil {
		return err
	}
	if log.Checkpoint.Size == 0 {
		return a.remember()
	}
	if genesis.Origin == "" {
		if genesis, err = a.genesis(ctx, log.log); err != nil {
			return err
		}
	}
	if a.ledger.head.Origin == "" { // the first time
		a.ledger.head.Origin, a.ledger.head.Began = r.Origin, log.Checkpoint.Size
		a.watchFrom = log.Checkpoint.Size
	}
	if err := a.remember(); err != nil {
		return err
	}
	if err := a.replay(ctx, r, log, genesis); err != nil {
		return err
	}
	if err := a.withdrawals(ctx, log.log); err != nil {
		return err
	}
	if a.options.OperatorKey != "" && !a.operatorSeen {
		r.Findings = append(r.Findings, Finding{Kind: Operator, Log: r.Origin, Problem: fmt.Sprintf("%s never was the operator's key", a.options.OperatorKey)})
	}
	return nil
}

// expected refuses a log that no policy names and the state file does not know, though
// it knows others: it stands in the place of one of those, or the file is another's.
func (a *Auditor) expected(origin string) error {
	if a.options.Policy != nil {
		return nil
	}
	known := a.memory.Origins()
	if len(known) == 0 || slices.Contains(known, origin) {
		return nil
	}
	return fmt.Errorf("%s remembers %s, and this is the log %s: if that is the one that is meant, say so with its key (--log-key or --policy), or take another state file (--state)",
		a.options.StateFile, strings.Join(known, ", "), origin)
}

// replay judges the log's entries and compares the index log's leaves.
func (a *Auditor) replay(ctx context.Context, r *Report, log *head, genesis participant.Genesis) (err error) {
	a.progress.total = log.Checkpoint.Size
	t := tee{log.log, newReplay(a.ledger.head.Next, a.window, a.judge)}
	defer func() {
		// What was fed is judged and written down, also after an interruption.
		if failed := t.replay.close(); !errors.Is(err, failed) {
			err = errors.Join(err, failed)
		}
	}()
	var index *head
	if a.options.Index != nil {
		var indexErr error
		if index, indexErr = a.auditIndex(ctx, r, t, genesis.IndexKey); indexErr != nil {
			if a.moved(ctx, indexErr) {
				return errMoved
			}
			f := found(indexErr, participant.IndexOrigin(r.Origin))
			if f == nil || ofLog(indexErr, r.Origin) {
				return indexErr
			}
			// The log itself is still to be read.
			r.Findings = append(r.Findings, *f)
			index = nil
		}
	}
	if err := t.read(ctx, log.Checkpoint.Size); err != nil {
		return err
	}
	if index == nil {
		return nil
	}
	r.Index.Complete = true
	if err := a.abreast(ctx, r, t, log, index, genesis); err != nil {
		if a.moved(ctx, err) {
			return errMoved
		}
		f := found(err, index.Checkpoint.Origin)
		if f == nil || ofLog(err, r.Origin) {
			r.Index.Complete = false
			return err
		}
		r.Index.Complete = f.Kind == IndexBehind
		r.Findings = append(r.Findings, *f)
	}
	return a.remember()
}

func (a *Auditor) auditIndex(ctx context.Context, r *Report, t tee, key string) (*head, error) {
	index, err := a.readIndex(ctx, key)
	if err != nil {
		return nil, err
	}
	if want := participant.IndexOrigin(r.Origin); index.Checkpoint.Origin != want {
		return nil, &Finding{
			Kind: Checkpoint, Log: want, Evidence: []string{string(index.signed)}, name: string(index.signed),
			Problem: fmt.Sprintf("the index log calls itself %q", index.Checkpoint.Origin),
		}
	}
	r.Index = &IndexReport{HeadReport: reportHead(index)}
	if f := a.stale(index); f != nil {
		r.Findings = append(r.Findings, *f)
	}
	r.Index.Seen = a.seenBefore(index.Checkpoint.Origin)
	if err := a.compare(ctx, "index log", a.options.Index, index); err != nil {
		return nil, err
	}
	if err := a.remember(); err != nil {
		return nil, err
	}
	return index, a.follow(ctx, t, index)
}

// seenBefore gives the size at which a log was seen last; 0 if it was not.
func (a *Auditor) seenBefore(origin string) (size uint64) {
	for _, memory := range []*verify.State{a.memory, a.seen} {
		if c, _, ok := memory.Last(origin); ok {
			size = max(size, c.Size)
		}
	}
	return size
}
