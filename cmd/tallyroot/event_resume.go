package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// A cursor says how far an interrupted `event log --resume FILE` came. It is a
// matter of speed alone: the service recognises an event that it has, so to send
// everything again is always right.
type cursor struct {
	Events int    `json:"events"` // answered for, from the beginning of the input
	Digest string `json:"digest"` // of these events: another input is noticed
}

// A resumer skips what the cursor file says is done, and writes it anew as more
// is. One without a file skips and writes nothing.
type resumer struct {
	file  string
	from  cursor
	seen  int
	chain [sha256.Size]byte
}

func openResumer(file string) (*resumer, error) {
	r := &resumer{file: file}
	if file == "" {
		return r, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &r.from); err != nil || r.from.Events < 0 {
		return nil, fmt.Errorf("%s is not a file that --resume wrote: name another one, or remove it to begin at the first event", file)
	}
	return r, nil
}

// skip takes the next event of the input and tells whether it is done already.
// The cursor is the one to save once this event is answered for.
func (r *resumer) skip(e inputEvent) (done bool, at cursor, err error) {
	if r.file == "" {
		return false, cursor{}, nil
	}
	h := sha256.New()
	h.Write(r.chain[:])
	if e.problem != nil {
		h.Write(e.raw)
	} else {
		h.Write(e.value.AppendCanonical(nil))
	}
	h.Sum(r.chain[:0])
	r.seen++
	at = cursor{r.seen, hex.EncodeToString(r.chain[:])}
	if r.seen == r.from.Events && at.Digest != r.from.Digest {
		return false, at, r.otherInput()
	}
	return r.seen <= r.from.Events, at, nil
}

// end is called when the input has no more events.
func (r *resumer) end() error {
	if r.seen < r.from.Events {
		return r.otherInput()
	}
	if r.file == "" {
		return nil
	}
	if err := os.Remove(r.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (r *resumer) otherInput() error {
	return fmt.Errorf("%s was written for another input than this one; remove it to begin at the first event (what is logged already is recognised)", r.file)
}

// save replaces the file in one step, so that it is never half written.
func (r *resumer) save(at cursor) error {
	if r.file == "" {
		return nil
	}
	text, err := json.Marshal(at)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.file+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(r.file+".new", r.file)
}
