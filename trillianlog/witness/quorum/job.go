package quorum

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// job is one checkpoint for which witnesses are asked.
type job struct {
	checkpoint.Checkpoint
	note    *checkpoint.Note // with the log's signatures alone
	start   time.Time
	prove   func(from uint64) ([][]byte, error)
	changed chan struct{} // holds a token when there is a new outcome

	mu       sync.Mutex
	ended    bool           // Cosign returns: prove is not called any more
	proving  sync.WaitGroup // calls of prove
	proofs   map[uint64]func() ([][sha256.Size]byte, error)
	outcomes []*outcome // of the followers, in their order; nil: none yet
}

// errEnded: a proof was not asked for in time.
var errEnded = errors.New("no more proofs are given for this checkpoint")

// outcome is what came of asking a witness.
type outcome struct {
	sig checkpoint.Signature
	at  time.Time // of the cosignature, by the witness's clock

	err    error
	result string        // for metrics: one of the results
	final  bool          // asking again for the same checkpoint is of no use
	retry  time.Duration // the witness wants to be left alone so long
}

// harmless tells whether nothing is wrong with a witness that did not cosign.
func (o *outcome) harmless() bool {
	return o.result == resultOvertaken || o.result == resultBehind
}

// newJob checks that the checkpoint may be sent out.
func (c *Client) newJob(signed []byte, prove func(from uint64) ([][]byte, error)) (*job, error) {
	v, err := c.options.Policy.Check(signed)
	if err != nil && !errors.Is(err, policy.ErrQuorum) {
		return nil, err
	}
	if v.Checkpoint.Origin != c.options.Origin {
		return nil, fmt.Errorf("the checkpoint is of the log %q; these witnesses are asked for %q", v.Checkpoint.Origin, c.options.Origin)
	}
	_, n, err := checkpoint.Parse(signed)
	if err != nil {
		return nil, err
	}
	own := &checkpoint.Note{Text: n.Text}
	for _, s := range n.Signatures {
		if s.Name == c.options.Origin {
			own.Signatures = append(own.Signatures, s)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := v.Checkpoint; next.Size < c.newest.Size || next.Size == c.newest.Size && c.newest.Origin != "" && next.Root != c.newest.Root {
		return nil, fmt.Errorf("size %d with the root %x does not continue what was asked for before, size %d with the root %x", next.Size, next.Root, c.newest.Size, c.newest.Root)
	}
	c.newest = v.Checkpoint
	return &job{
		Checkpoint: v.Checkpoint, note: own, start: time.Now(), prove: prove,
		changed: make(chan struct{}, 1), proofs: make(map[uint64]func() ([][sha256.Size]byte, error)),
		outcomes: make([]*outcome, len(c.followers)),
	}, nil
}

func (j *job) put(i int, out *outcome) {
	j.mu.Lock()
	j.outcomes[i] = out
	j.mu.Unlock()
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

func (j *job) outcome(i int) *outcome {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.outcomes[i]
}

// cosigned gives the checkpoint with the cosignatures that there are, and says with
// the reader's own code whether they meet the policy.
func (j *job) cosigned(p *policy.Policy) ([]byte, error) {
	n := checkpoint.Note{Text: j.note.Text, Signatures: append([]checkpoint.Signature(nil), j.note.Signatures...)}
	j.mu.Lock()
	for _, out := range j.outcomes {
		if out != nil && out.err == nil {
			n.Signatures = append(n.Signatures, out.sig)
		}
	}
	j.mu.Unlock()
	signed := n.Append(nil)
	_, err := p.Check(signed)
	return signed, err
}

// proof gives the proof from a size. It is asked for once for all witnesses of that
// size, and kept; an error is not. When the job has ended, it is errEnded.
func (j *job) proof(from uint64) ([][sha256.Size]byte, error) {
	if from == 0 || from == j.Size {
		return nil, nil
	}
	get := j.prover(from)
	if get == nil {
		return nil, errEnded
	}
	hashes, err := get()
	if err != nil {
		j.mu.Lock()
		delete(j.proofs, from)
		j.mu.Unlock()
	}
	return hashes, err
}

// prover gives what waits for the proof from a size, nil if the job has ended without.
func (j *job) prover(from uint64) func() ([][sha256.Size]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	get := j.proofs[from]
	if get != nil || j.ended {
		return get
	}
	get = sync.OnceValues(func() ([][sha256.Size]byte, error) {
		defer j.proving.Done()
		return j.newProof(from)
	})
	j.proving.Add(1)
	go get()
	j.proofs[from] = get
	return get
}

// end returns when prove is not called any more.
func (j *job) end() {
	j.mu.Lock()
	j.ended = true
	j.mu.Unlock()
	j.proving.Wait()
}

func (j *job) newProof(from uint64) ([][sha256.Size]byte, error) {
	proof, err := j.prove(from)
	switch {
	case err != nil:
		return nil, fmt.Errorf("no proof from size %d to %d: %w", from, j.Size, err)
	case len(proof) == 0 || len(proof) > witness.MaxProof:
		return nil, fmt.Errorf("the proof from size %d to %d has %d hashes; want 1 to %d", from, j.Size, len(proof), witness.MaxProof)
	}
	hashes := make([][sha256.Size]byte, len(proof))
	for i, h := range proof {
		if len(h) != sha256.Size {
			return nil, fmt.Errorf("the proof from size %d to %d has a hash of %d bytes", from, j.Size, len(h))
		}
		hashes[i] = [sha256.Size]byte(h)
	}
	return hashes, nil
}

// Error says why a checkpoint was not cosigned by a quorum, witness by witness.
type Error struct {
	Checkpoint checkpoint.Checkpoint
	Waited     time.Duration
	Witnesses  []Failure // those that did not cosign
}

// A Failure is why one witness did not cosign.
type Failure struct {
	Name, URL string // as in the policy
	Err       error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "size %d of %s was not cosigned by a quorum within %s", e.Checkpoint.Size, e.Checkpoint.Origin, e.Waited.Round(time.Millisecond))
	for i, f := range e.Witnesses {
		fmt.Fprintf(&b, "%s%s (%s): %v", map[bool]string{true: ": ", false: "; "}[i == 0], f.Name, f.URL, f.Err)
	}
	return b.String()
}

// Unwrap makes errors.Is(err, policy.ErrQuorum) hold, and that for each witness's error.
func (e *Error) Unwrap() []error {
	all := []error{policy.ErrQuorum}
	for _, f := range e.Witnesses {
		all = append(all, f.Err)
	}
	return all
}

func (c *Client) newError(j *job) error {
	e := &Error{Checkpoint: j.Checkpoint, Waited: time.Since(j.start)}
	for i, f := range c.followers {
		out := j.outcome(i)
		switch {
		case out == nil && f.lastError() != nil:
			e.Witnesses = append(e.Witnesses, Failure{f.witness.Name, f.witness.URL, fmt.Errorf("not asked again yet: %w", f.lastError())})
		case out == nil:
			e.Witnesses = append(e.Witnesses, Failure{f.witness.Name, f.witness.URL, errors.New("no answer yet")})
		case out.err != nil:
			e.Witnesses = append(e.Witnesses, Failure{f.witness.Name, f.witness.URL, out.err})
		}
	}
	return e
}
