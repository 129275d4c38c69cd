// Package quorum asks the witnesses of a policy to cosign a log's checkpoints
// (https://c2sp.org/tlog-witness), until the policy's quorum is met.
//
// It promises:
//
//   - A checkpoint that it gives back meets the policy; otherwise there is an error
//     that says of each witness what was wrong. It never fails open.
//   - Every cosignature was checked with the policy's own code, against the policy's
//     key and the checkpoint, before it is used.
//   - No two roots of one size, and no smaller size after a larger one, are ever sent
//     to a witness by one Client.
//   - A witness that has seen a larger checkpoint than the log ever asked for is told
//     of as trillianlog.ErrWitnessAhead, also when others meet the quorum.
//
// Once the quorum is met, it waits for a slow witness no longer than Options.Grace, but
// goes on with it in the background, so that it stays close to the log.
package quorum

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// Defaults of [Options].
const (
	DefaultTimeout   = 5 * time.Second
	DefaultPatience  = 15 * time.Second
	DefaultGrace     = 20 * time.Millisecond
	DefaultUserAgent = "tallyroot"
)

// keepAsking is how long a witness is asked for one checkpoint, from the time when the
// first one was. Afterwards it is asked again for the next one.
const keepAsking = time.Minute

// Options are what a Client is made of.
type Options struct {
	Origin string         // the log whose checkpoints are to be cosigned
	Policy *policy.Policy // its witnesses need an address to be asked

	// AllowHTTP lets witnesses be asked without TLS that are not on this machine: in a
	// network of one's own. A witness's answers are checked all the same.
	AllowHTTP bool
	// Transport is nil for one of the Client's own. Redirects are never followed.
	Transport http.RoundTripper
	UserAgent string // empty: DefaultUserAgent

	Timeout  time.Duration // of one request; 0: DefaultTimeout
	Patience time.Duration // of one Cosign; 0: DefaultPatience
	// Grace is how long Cosign waits, once the quorum is met, for witnesses that
	// answered last time: their cosignatures too are worth having. 0: DefaultGrace;
	// negative: none.
	Grace time.Duration

	Logger *slog.Logger // nil: slog.Default()
}

// Client asks the witnesses of one log. It is safe for concurrent use.
type Client struct {
	options   Options
	http      *http.Client
	logger    *slog.Logger
	followers []*follower // a goroutine each
	metrics   *metrics

	life    context.Context
	end     context.CancelFunc
	working sync.WaitGroup

	mu     sync.Mutex
	newest checkpoint.Checkpoint // the largest that was asked for; the zero value: none
	ahead  error                 // a witness has seen a larger one
	met    time.Time             // when Cosign last succeeded
	missed uint64                // how often it did not
	err    error                 // why it did not the last time
}

// New checks that the quorum can be met by witnesses that have an address, and gives
// a Client that must be closed.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	c := &Client{options: o, logger: o.Logger.With("log", o.Origin), metrics: newMetrics(o.Origin)}
	for _, w := range o.Policy.Witnesses() {
		if w.URL == "" {
			continue
		}
		f, err := c.newFollower(w)
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", w.Name, err)
		}
		c.followers = append(c.followers, f)
	}
	if !o.Policy.Met(func(name string) bool { return c.follower(name) != nil }) {
		return nil, errors.New("the policy's quorum needs witnesses that have no address: add it at the end of their lines (witness <name> <vkey> <address>)")
	}
	c.http = &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.life, c.end = context.WithCancel(context.Background())
	for _, f := range c.followers {
		c.working.Go(f.run)
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.UserAgent == "" {
		o.UserAgent = DefaultUserAgent
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (c *Client) follower(name string) *follower {
	for _, f := range c.followers {
		if f.witness.Name == name {
			return f
		}
	}
	return nil
}

// Close ends all asking.
func (c *Client) Close() {
	c.end()
	c.working.Wait()
	c.http.CloseIdleConnections()
}

// Cosign is a trillianlog.WitnessFunc: it asks all witnesses at once and returns the
// checkpoint with their cosignatures, in the policy's order, as soon as the quorum is
// met. signed is the log's checkpoint; cosignatures that it has already are replaced.
// prove gives the consistency proof from an older size, neither 0 nor the checkpoint's.
// It is called from several goroutines, and not any more when Cosign has returned.
//
// Errors: *Error if the quorum is not met in time, which wraps policy.ErrQuorum; one
// that wraps trillianlog.ErrWitnessAhead; ctx's.
func (c *Client) Cosign(ctx context.Context, signed []byte, prove func(from uint64) ([][]byte, error)) ([]byte, error) {
	start := time.Now()
	cosigned, err := c.cosign(ctx, signed, prove)
	if ctx.Err() != nil || c.life.Err() != nil {
		return cosigned, err // nobody waits for it, so nothing is missing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if err != nil {
		c.missed++
		return nil, err
	}
	c.met = time.Now()
	c.metrics.seconds.Observe(time.Since(start).Seconds())
	return cosigned, nil
}

func (c *Client) cosign(ctx context.Context, signed []byte, prove func(from uint64) ([][]byte, error)) ([]byte, error) {
	j, err := c.newJob(signed, prove)
	if err != nil {
		return nil, fmt.Errorf("ask witnesses: %w", err)
	}
	defer j.end()
	for _, f := range c.followers {
		f.ask(j)
	}
	patience := time.NewTimer(c.options.Patience)
	defer patience.Stop()
	var grace <-chan time.Time
	for {
		// What is looked at first may be older than what is looked at last.
		all, possible := c.options.Grace < 0 || !c.worthWaiting(j), c.possible(j)
		if err := c.isAhead(); err != nil {
			return nil, err
		}
		cosigned, err := j.cosigned(c.options.Policy)
		switch {
		case err == nil && all:
			return cosigned, nil
		case err == nil && grace == nil:
			timer := time.NewTimer(c.options.Grace)
			defer timer.Stop()
			grace = timer.C
		case err != nil && !errors.Is(err, policy.ErrQuorum):
			return nil, fmt.Errorf("check cosignatures: %w", err)
		case err != nil && !possible:
			return nil, c.newError(j)
		}
		select {
		case <-j.changed:
		case <-grace:
			return cosigned, nil
		case <-patience.C:
			if err == nil {
				return cosigned, nil
			}
			return nil, c.newError(j)
		case <-ctx.Done():
			return nil, fmt.Errorf("ask witnesses: %w", ctx.Err())
		case <-c.life.Done():
			return nil, errors.New("ask witnesses: the client is closed")
		}
	}
}

// worthWaiting tells whether a witness that answered last time has not yet answered.
func (c *Client) worthWaiting(j *job) bool {
	for i, f := range c.followers {
		if j.outcome(i) == nil && f.healthy() {
			return true
		}
	}
	return false
}

// possible tells whether the quorum can be met by those that have cosigned and those
// that are still asked.
func (c *Client) possible(j *job) bool {
	may := make(map[string]bool)
	for i, f := range c.followers {
		out := j.outcome(i)
		may[f.witness.Name] = out == nil || out.err == nil || !out.final
	}
	return c.options.Policy.Met(func(name string) bool { return may[name] })
}

func (c *Client) isAhead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// sees takes note of the size that a witness has cosigned, and tells whether it is
// larger than all that was ever asked for. Somebody else may bring a checkpoint of
// ours to a witness before we do, so what counts is not the one that was sent to it.
func (c *Client) sees(w policy.Witness, size uint64) (ahead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size <= c.newest.Size {
		return false
	}
	c.ahead = fmt.Errorf("%w: %s (%s) has cosigned size %d of %s, the largest that this log asked for is %d",
		trillianlog.ErrWitnessAhead, w.Name, w.URL, size, c.options.Origin, c.newest.Size)
	return true
}
