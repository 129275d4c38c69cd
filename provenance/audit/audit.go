// Package audit checks a whole log from outside: every entry of it and every leaf of
// its index log, without trust in who serves them.
//
// It reads both logs' files, verified against their checkpoints, and
//
//   - holds both checkpoints against a policy, and against those that were seen
//     before: the log has only grown;
//   - judges every signature by the state of the participants at its position, every
//     statement by the rules, and names what stands there without effect;
//   - makes the history index again from the entries, and compares every leaf of the
//     index log with it.
//
// What it has read is kept in a folder, with which a later audit, or one after an
// interruption, goes on where this one was. The memory that it takes does not grow
// with the entries: a little with the index's keys, and with the participants.
//
// The rules are those of other packages, which readers use too: participant, verify,
// historyindex. It never says that what an entry claims is true.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const (
	// DefaultIndexWait is Options.IndexWait where that is 0. A service's index is a
	// second behind its log, or two.
	DefaultIndexWait = time.Minute
	// DefaultMaxNamed is Options.MaxNamed where that is 0.
	DefaultMaxNamed = 1000

	indexCache = 64 << 20
)

// Options say what is audited, by whose keys, and where the work is kept.
type Options struct {
	// Log and Index are the files of the log and of its index log. Without an Index,
	// the log alone is audited.
	Log, Index fetch.Source
	// Dir is the folder of the audit's work; made if there is none. It may be deleted:
	// everything is then read again.
	Dir string
	// StateFile is the file of the newest checkpoints that were seen, as verify.State
	// writes it; "": they are in Dir alone.
	StateFile string

	// Policy and IndexPolicy say whose checkpoints are believed. Where they are nil,
	// the log's first entry says it, and no witness is asked for.
	Policy, IndexPolicy *policy.Policy
	// OperatorKey is the verifier key of the log's operator, the present one or a
	// former one; "": the log's first entry says it.
	OperatorKey string
	// MaxAge is how long ago a witnessed checkpoint may have been witnessed: 0 is
	// policy.DefaultMaxAge, verify.AnyAge is any time.
	MaxAge time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// IndexWait is how long the index log may be behind the log.
	IndexWait time.Duration
	// MaxNamed is how many findings of one kind are named, of those that are about an
	// entry. All are counted.
	MaxNamed uint64

	// Watch are the keys whose new entries are told, with what to call them.
	Watch map[historyindex.Key]string
	// Progress is told how far the replay is; may be nil. It must not block.
	Progress func(done, total uint64)
	// Logger is told what Pebble, the storage engine, has to say; nil: its default.
	Logger pebble.Logger
}

// An Auditor audits one log, again and again. One goroutine may use it.
type Auditor struct {
	options Options
	ledger  *ledger
	index   *store.Index  // nil: no Index in the options
	memory  *verify.State // of StateFile
	seen    *verify.State // of the ledger

	// What the ledger's statements come to.
	state        *participant.State
	masters      map[string]*participant.Master // by identifier; those in use
	operatorSeen bool                           // OperatorKey is or was the operator's
	torn         bool                           // they have more than the ledger
	watch        map[historyindex.Key]string
	watchFrom    uint64 // entries from there on are new
	progress     progress
	window       int   // entries that are judged at a time
	fault        error // what the next window cannot be written for, in tests
}

// Open prepares an audit. The folder must not be in use by another one.
func Open(o Options) (_ *Auditor, err error) {
	if o.MaxAge == 0 {
		o.MaxAge = policy.DefaultMaxAge
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.IndexWait == 0 {
		o.IndexWait = DefaultIndexWait
	}
	if o.MaxNamed == 0 {
		o.MaxNamed = DefaultMaxNamed
	}
	a := &Auditor{options: o, window: defaultWindow, watch: o.Watch, progress: progress{tell: o.Progress}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.memory, err = readState(o.StateFile); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if a.ledger, err = openLedger(filepath.Join(o.Dir, "replay"), o.Logger); err != nil {
		return nil, err
	}
	if a.seen, err = a.ledger.seen(); err != nil {
		return nil, fmt.Errorf("%s: %w; delete the folder, and everything is read again", o.Dir, err)
	}
	if err := a.fold(); err != nil {
		return nil, err
	}
	a.watchFrom = max(a.ledger.head.Next, a.ledger.head.Began)
	if o.Index != nil {
		a.index, err = openIndex(store.Options{Dir: filepath.Join(o.Dir, "index"), Cache: indexCache, Logger: o.Logger})
	}
	return a, err
}

// openIndex opens the index. It can be made again, so what cannot be used is deleted.
func openIndex(o store.Options) (*store.Index, error) {
	index, err := store.Open(o)
	if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrLeavesLost) {
		return index, err
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return nil, err
	}
	return store.Open(o)
}

// fold makes the state of the statements in the ledger.
func (a *Auditor) fold() error {
	a.state, a.masters, a.operatorSeen, a.torn = participant.NewState(), map[string]*participant.Master{}, false, false
	for p, err := range a.ledger.entries([]byte{statementRow}) {
		if err != nil {
			return fmt.Errorf("%s: a statement: %w; delete the folder, and everything is read again", a.options.Dir, err)
		}
		a.apply(p.index, p.entry)
	}
	return nil
}

// Close lets go of the folder.
func (a *Auditor) Close() (err error) {
	if a.index != nil {
		err = a.index.Close()
	}
	if a.ledger != nil {
		err = errors.Join(err, a.ledger.close())
	}
	return err
}

func readState(file string) (*verify.State, error) {
	if file == "" {
		return new(verify.State), nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return new(verify.State), nil
	}
	if err != nil {
		return nil, err
	}
	s, err := verify.ParseState(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// remember keeps the checkpoints that were seen.
func (a *Auditor) remember() error {
	err := a.ledger.change(func(*pebble.Batch) error {
		a.ledger.head.Seen = a.seen.Append(nil)
		return nil
	})
	if err != nil {
		return err
	}
	if a.options.StateFile == "" {
		return nil
	}
	if err := durable.WriteFile(a.options.StateFile, a.memory.Append(nil), 0o600); err != nil {
		return fmt.Errorf("remember the checkpoints that were seen: %w", err)
	}
	return nil
}

// Acknowledge says that somebody has the finding. One about an entry is not given
// again; one that is found anew in each round is, and a Monitor does not tell it again.
func (a *Auditor) Acknowledge(f *Finding) error {
	return a.ledger.change(func(b *pebble.Batch) error {
		if f.number > 0 {
			return b.Delete(row(findingRow, number(f.number)), nil)
		}
		return b.Set(knownKey(f), []byte{1}, nil)
	})
}

// Reported says that somebody has a report, with all its findings: the next one tells
// what is new since.
func (a *Auditor) Reported(r *Report) error {
	for i := range r.Findings {
		if err := a.Acknowledge(&r.Findings[i]); err != nil {
			return err
		}
	}
	return a.mark()
}

// progress tells how far the replay is.
type progress struct {
	tell  func(done, total uint64)
	total uint64
}

func (p *progress) entered(done uint64) {
	if p.tell != nil {
		p.tell(done, p.total)
	}
}

// sleep waits, or ends with the context.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
