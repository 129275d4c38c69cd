package quorum

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// Pauses between attempts at one witness.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	maxRetry   = 30 * time.Second // that a witness may ask for with Retry-After
)

// follower keeps one witness up to date: it asks it for the newest checkpoint, one
// request after the other. While a witness is away or slow, older checkpoints are
// skipped.
type follower struct {
	client  *Client
	index   int // among the client's followers
	witness policy.Witness
	url     string         // of add-checkpoint
	name    string         // of the witness's key
	keyID   uint32         // of it
	alone   *policy.Policy // asks for this witness's cosignature and no other's
	wake    chan struct{}  // holds a token when there is a new job

	pause time.Duration // owned by run

	mu     sync.Mutex
	newest *job
	busy   *job   // for which it is being asked
	size   uint64 // that it has cosigned, as far as is known; changed by run alone
	status WitnessStatus
}

func (c *Client) newFollower(w policy.Witness) (*follower, error) {
	url, err := address(w.URL, c.options.AllowHTTP)
	if err != nil {
		return nil, err
	}
	f := &follower{client: c, index: len(c.followers), witness: w, url: url + "/add-checkpoint", wake: make(chan struct{}, 1)}
	f.status = WitnessStatus{Name: w.Name, URL: w.URL}
	parts := strings.SplitN(w.Key, "+", 3) // the policy has checked it
	id, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	f.name, f.keyID = parts[0], uint32(id)
	text := "witness w " + w.Key + "\nquorum w\n"
	for _, l := range c.options.Policy.Logs() {
		text += "log " + l.Key + "\n"
	}
	f.alone, err = policy.Parse([]byte(text))
	return f, err
}

// ask makes the job the one that the witness is asked for. The proof that it will need
// is begun now: when the witness has time, the job may have ended.
func (f *follower) ask(j *job) {
	f.mu.Lock()
	if f.newest == nil || j.Size >= f.newest.Size {
		f.newest = j
	}
	from := f.size
	if f.busy != nil {
		from = f.busy.Size
	}
	if f.status.Err == nil && from != 0 && from != j.Size {
		j.prover(from)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *follower) run() {
	var last *job // done with
	for {
		j := f.next(last)
		if j == nil {
			return
		}
		out := f.attempt(j)
		f.record(j, out)
		j.put(f.index, out)
		if out.err == nil || out.final || time.Since(j.start) > max(keepAsking, f.client.options.Patience) {
			last = j
		}
		if out.err == nil || out.harmless() {
			f.pause = 0
		} else if !f.rest(out.retry) {
			return
		}
	}
}

// next waits for a job other than the one that is done with; nil: the client closes.
func (f *follower) next(done *job) *job {
	for {
		f.mu.Lock()
		j := f.newest
		if j == done || f.client.life.Err() != nil {
			j = nil
		}
		f.busy = j
		f.mu.Unlock()
		if j != nil {
			return j
		}
		select {
		case <-f.wake:
		case <-f.client.life.Done():
			return nil
		}
	}
}

// rest waits after a failure: longer each time, and as long as the witness wants.
// false: the client closes.
func (f *follower) rest(wanted time.Duration) bool {
	var wait time.Duration
	f.pause, wait = nextPause(f.pause, wanted)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.client.life.Done():
		return false
	}
}

// nextPause gives the pause that follows another, and how long to wait in fact, if the
// witness wants to be left alone for a time.
func nextPause(pause, wanted time.Duration) (next, wait time.Duration) {
	next = min(max(2*pause, firstPause), lastPause)
	return next, max(next, min(wanted, maxRetry))
}

func (f *follower) setSize(size uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size = size
}

// record keeps what the status and the metrics tell.
func (f *follower) record(j *job, out *outcome) {
	f.client.metrics.answer(f.label(), out.result)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = nil
	if out.harmless() {
		return
	}
	s, now := &f.status, time.Now()
	if out.err == nil {
		if s.Err != nil {
			f.client.logger.Info("a witness cosigns again", "witness", f.witness.Name, "size", j.Size)
		}
		s.Size, s.Time, s.CosignedAt, s.Err = j.Size, out.at, now, nil
		s.Cosigned++
		return
	}
	if s.Err == nil || s.Err.Error() != out.err.Error() {
		f.client.logger.Warn("a witness does not cosign", "witness", f.witness.Name, "url", f.witness.URL, "size", j.Size, "error", out.err)
	}
	s.Err, s.FailedAt = out.err, now
	s.Failed++
}

// healthy tells whether the witness cosigned the last time, or was never asked.
func (f *follower) healthy() bool { return f.lastError() == nil }

func (f *follower) lastError() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status.Err
}

// label is the witness's name as a label: UTF-8, which a name in a policy need not be.
func (f *follower) label() string {
	if utf8.ValidString(f.witness.Name) {
		return f.witness.Name
	}
	return strconv.QuoteToASCII(f.witness.Name)
}

func failed(result string, final bool, format string, args ...any) *outcome {
	return &outcome{err: fmt.Errorf(format, args...), result: result, final: final}
}
