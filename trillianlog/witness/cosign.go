package witness

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

// refusal is an answer without a cosignature.
type refusal struct {
	status int
	text   string        // a sentence for a person
	size   *uint64       // of what was cosigned last: the body of a 409
	retry  time.Duration // after which to ask again
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

func later(wait time.Duration, format string, args ...any) *refusal {
	r := refuse(http.StatusServiceUnavailable, format, args...)
	r.retry = wait
	return r
}

func emptyCheckpoint(origin string) checkpoint.Checkpoint {
	return checkpoint.Checkpoint{Origin: origin, Root: sha256.Sum256(nil)}
}

// add is add-checkpoint. When it returns a cosignature, that is the log's newest one
// and durable. All errors are *refusal.
func (s *Server) add(ctx context.Context, body []byte) (checkpoint.Signature, error) {
	var none checkpoint.Signature
	r, err := ParseRequest(body)
	if err != nil {
		return none, refuse(http.StatusBadRequest, "%v", err)
	}
	keys, st, ok := s.follows(r.Checkpoint.Origin)
	if !ok {
		return none, refuse(http.StatusNotFound, "this witness does not follow the log %.255q", r.Checkpoint.Origin)
	}
	sigs, err := signedBy(r.Note, keys)
	if err != nil {
		return none, refuse(http.StatusForbidden, "%v", err)
	}
	if r.Old > r.Checkpoint.Size {
		return none, refuse(http.StatusBadRequest, "the old size %d is larger than the checkpoint's, %d", r.Old, r.Checkpoint.Size)
	}
	// The note as it is kept and handed on: the log's own signatures and no others.
	r.Note = &checkpoint.Note{Text: r.Note.Text, Signatures: sigs}
	if s.options.Verify != nil {
		if err := s.verify(ctx, st, r); err != nil {
			return none, err
		}
	}
	if err := s.take(ctx, st.turn); err != nil {
		return none, err
	}
	defer give(st.turn)
	return s.cosign(st, r)
}

// continues tells whether the request continues what was cosigned last.
func (s *Server) continues(last *memory, r Request) error {
	if r.Old != last.Size {
		conflict := refuse(http.StatusConflict, "the size that was cosigned last is %d, not %d", last.Size, r.Old)
		conflict.size = &last.Size
		return conflict
	}
	err := r.Checkpoint.Follows(last.Checkpoint, r.Proof)
	if err == nil {
		return nil
	}
	if last.signed != nil && r.Checkpoint.Size == last.Size && r.Checkpoint.Root != last.Root {
		s.forked(last, r)
		return refuse(http.StatusUnprocessableEntity, "another root was cosigned at the size %d: the log has forked", last.Size)
	}
	s.logger.Warn("a checkpoint was refused", "log", r.Checkpoint.Origin, "size", r.Checkpoint.Size, "cosigned", last.Size, "error", err)
	return refuse(http.StatusUnprocessableEntity, "%v", err)
}

// forked keeps the proof that a log signed two histories.
func (s *Server) forked(last *memory, r Request) {
	s.metrics.forks.WithLabelValues(last.Origin).Inc()
	s.keeping.Lock()
	defer s.keeping.Unlock()
	path, err := keepFork(filepath.Join(s.options.Dir, "forks"), last.Origin, last.signed, r.Note.Append(nil))
	s.logger.Error("A LOG HAS SIGNED TWO HISTORIES; publish the proof", "log", last.Origin, "size", last.Size, "proof", path, "error", err)
}

// cosign is called by who has the turn: from the comparison with what was cosigned
// last until that is replaced, nobody else of this log gets in between.
//
// After a crash at any point the log stands where it stood before, or at this
// checkpoint. A cosignature leaves only after that is durable.
func (s *Server) cosign(st *state, r Request) (checkpoint.Signature, error) {
	last := st.last.Load()
	if err := s.continues(last, r); err != nil {
		return checkpoint.Signature{}, err
	}
	at, err := s.time(last)
	if err != nil {
		return checkpoint.Signature{}, err
	}
	if last.has(r.Checkpoint) && last.time == at {
		return last.sig, nil
	}
	if r.Checkpoint.Size > last.Size && !st.growth.Allow() {
		busy := refuse(http.StatusTooManyRequests, "the log grows by more than %d checkpoints a second", s.options.MaxRate)
		busy.retry = time.Second
		return checkpoint.Signature{}, busy
	}
	sig := s.key.Cosign(r.Note.Text, at)
	r.Note.Signatures = append(r.Note.Signatures, sig)
	next := &memory{r.Checkpoint, at, sig, r.Note.Append(nil)}
	if err := s.store.put(next); err != nil {
		s.logger.Error("a checkpoint cannot be stored, so it is not cosigned", "log", last.Origin, "size", r.Checkpoint.Size, "error", err)
		return checkpoint.Signature{}, refuse(http.StatusInternalServerError, "the witness cannot store the checkpoint")
	}
	st.last.Store(next)
	return sig, nil
}

// time is that of the next cosignature: never before the last one's.
func (s *Server) time(last *memory) (uint64, error) {
	now := s.options.Now().Unix()
	if now <= 0 {
		return 0, later(time.Minute, "the witness's clock is not set")
	}
	if at := uint64(now); at >= last.time {
		return at, nil
	} else if behind := time.Duration(last.time-at) * time.Second; behind > MaxClockBack {
		s.logger.Error("the clock stands behind the last cosignature; nothing is cosigned until it is right", "log", last.Origin, "behind", behind)
		return 0, later(time.Minute, "the witness's clock stands %s behind its last cosignature", behind)
	}
	return last.time, nil
}

// take waits for a token.
func (s *Server) take(ctx context.Context, token chan struct{}) error {
	select {
	case <-token:
		return nil
	case <-ctx.Done():
	case <-s.life.Done():
	}
	return later(time.Second, "the witness is busy or closing")
}

func give(token chan struct{}) { token <- struct{}{} }
