package trillianlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tallyroot/tallyroot/internal/durable"
)

// LastCheckpoint remembers the text of the last checkpoint that the log bound
// itself to, whether or not it came to sign and publish it. It is what stands
// between the log and a second history, so it must not be restored together
// with the back end: it lives elsewhere.
//
// Load and Swap are linearisable, also between processes. A Swap that returns
// nil survives a crash of the machine.
type LastCheckpoint interface {
	// Load gives the text, or ErrNoLastCheckpoint if there has been none.
	Load(ctx context.Context) ([]byte, error)
	// Swap replaces old by new. A nil old stands for none. If the store holds
	// anything but old, Swap changes nothing and returns an error that wraps
	// ErrLastCheckpointChanged. After any other error it may hold old or new.
	Swap(ctx context.Context, old, new []byte) error
}

var (
	// ErrNoLastCheckpoint: the store holds no checkpoint.
	ErrNoLastCheckpoint = errors.New("no last checkpoint")
	// ErrLastCheckpointChanged: the store does not hold what Swap expected.
	ErrLastCheckpointChanged = errors.New("the last checkpoint was changed by somebody else")
)

// SwapLast is last.Swap, made safe to repeat after an error. If somebody else has
// changed the store, the error is a *StopError.
func SwapLast(ctx context.Context, last LastCheckpoint, old, new []byte) error {
	err := last.Swap(ctx, old, new)
	if !errors.Is(err, ErrLastCheckpointChanged) {
		return err
	}
	// An earlier attempt may have got through without saying so.
	now, loadErr := last.Load(ctx)
	if loadErr == nil && bytes.Equal(now, new) {
		return last.Swap(ctx, new, new) // makes it durable
	}
	if loadErr != nil && !errors.Is(loadErr, ErrNoLastCheckpoint) {
		return loadErr
	}
	return stop(LastCheckpointTaken, "%v; if another process publishes this log, stop one of the two, then start again", err)
}

// FileLastCheckpoint keeps the last checkpoint in a file of two slots. A Swap
// overwrites the slot with the older text, in place, and syncs that: no name
// changes, so it costs one write of data and none of the file system's journal. A
// write that is cut off leaves a slot that is not whole, and the other one holds.
// A file that holds a text and nothing else is taken as that text.
//
// Processes take turns by a lock on FILE.lock.
func FileLastCheckpoint(path string) LastCheckpoint { return fileLast(path) }

type fileLast string

// Load gives the text of the newest slot.
func (f fileLast) Load(context.Context) ([]byte, error) {
	held, err := f.read()
	return held.text, err
}

// Swap gives one writer after the other its turn.
func (f fileLast) Swap(_ context.Context, old, new []byte) (err error) {
	if len(new) > maxLastCheckpoint {
		return fmt.Errorf("the last checkpoint would have %d bytes; the limit is %d", len(new), maxLastCheckpoint)
	}
	lock, err := os.OpenFile(string(f)+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the last checkpoint: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the last checkpoint: %w", err)
	}
	now, err := f.read()
	if err != nil && !errors.Is(err, ErrNoLastCheckpoint) {
		return err
	}
	if !bytes.Equal(now.text, old) {
		return fmt.Errorf("%w: %s holds %q, not %q", ErrLastCheckpointChanged, f, now.text, old)
	}
	next := slot{now.number + 1, new}
	if now.number == 0 { // none yet, or a text alone
		err = durable.WriteFile(string(f), append(next.format(), make([]byte, slotSize)...), 0o600)
	} else {
		err = f.overwrite(next)
	}
	if err != nil {
		return fmt.Errorf("write the last checkpoint: %w", err)
	}
	return nil
}

func (f fileLast) overwrite(s slot) error {
	file, err := os.OpenFile(string(f), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	// The first number is 1 and stands in the first slot.
	_, err = file.WriteAt(s.format(), int64((s.number-1)%2*slotSize))
	if err == nil {
		err = durable.SyncData(file)
	}
	return errors.Join(err, file.Close())
}

// read gives the newest whole slot; its number is 0 if the file holds a text alone.
func (f fileLast) read() (slot, error) {
	file, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return slot{}, fmt.Errorf("%w in %s", ErrNoLastCheckpoint, f)
	}
	if err != nil {
		return slot{}, fmt.Errorf("read the last checkpoint: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, 2*slotSize+1))
	if err != nil {
		return slot{}, fmt.Errorf("read the last checkpoint: %w", err)
	}
	if len(content) == 2*slotSize {
		first, second := parseSlot(content[:slotSize]), parseSlot(content[slotSize:])
		if newest := max(first.number, second.number); newest == 0 {
			return slot{}, fmt.Errorf("%s is damaged: neither of its two texts is whole", f)
		} else if newest == second.number {
			return second, nil
		}
		return first, nil
	}
	if len(content) == 0 || len(content) > maxLastCheckpoint {
		return slot{}, fmt.Errorf("%s holds %d bytes, which is no checkpoint's text", f, len(content))
	}
	return slot{0, content}, nil
}

const (
	// slotSize is that of a page, which no file system writes together with
	// another one's bytes.
	slotSize = 4096
	// maxLastCheckpoint bounds the text: an origin, a size and a root.
	maxLastCheckpoint = slotSize - 128
)

// slot is one of the two texts: "number length hash", a line end, the text, and
// line ends up to slotSize. The hash is the SHA-256 of the first two and the text.
type slot struct {
	number uint64 // 1, 2, 3 … with every Swap
	text   []byte
}

func (s slot) hash() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d %d\n%s", s.number, len(s.text), s.text))
}

func (s slot) format() []byte {
	b := fmt.Appendf(make([]byte, 0, slotSize), "%d %d %x\n%s", s.number, len(s.text), s.hash(), s.text)
	return append(b, bytes.Repeat([]byte("\n"), slotSize-len(b))...)
}

// parseSlot gives the zero slot for one that is not whole.
func parseSlot(b []byte) slot {
	var s slot
	var length int
	var hash []byte
	header, rest, _ := bytes.Cut(b, []byte("\n"))
	if n, err := fmt.Sscanf(string(header), "%d %d %x", &s.number, &length, &hash); n != 3 || err != nil || length < 0 || length > len(rest) {
		return slot{}
	}
	s.text = rest[:length]
	if want := s.hash(); !bytes.Equal(hash, want[:]) {
		return slot{}
	}
	return s
}
