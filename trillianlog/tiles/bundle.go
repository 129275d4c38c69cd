package tiles

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxEntrySize bounds an entry, in bytes: a bundle writes its length in two.
const MaxEntrySize = 65535

const (
	lengthSize    = 2
	maxBundleSize = Width * (lengthSize + MaxEntrySize)
)

var (
	// ErrEntryTooLarge says that an entry has more than MaxEntrySize bytes.
	ErrEntryTooLarge = errors.New("the entry is too large")
	// ErrBundle is what every error about the form of an entry bundle wraps.
	ErrBundle = errors.New("malformed entry bundle")
)

// AppendEntry appends an entry to a bundle: its length in two bytes, big-endian,
// and its bytes. The only error is ErrEntryTooLarge.
func AppendEntry(bundle, entry []byte) ([]byte, error) {
	if len(entry) > MaxEntrySize {
		return bundle, fmt.Errorf("%w: %d bytes; the limit is %d", ErrEntryTooLarge, len(entry), MaxEntrySize)
	}
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...), nil
}

// ParseBundle gives the entries of a bundle, 1 to 256, as slices of it. Appending
// them one by one with AppendEntry gives the bundle again.
func ParseBundle(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for pos := 0; pos < len(bundle); {
		if len(entries) == Width {
			return nil, fmt.Errorf("%w: more than %d entries", ErrBundle, Width)
		}
		end, err := nextEntry(bundle, pos, len(entries))
		if err != nil {
			return nil, err
		}
		entries = append(entries, bundle[pos+lengthSize:end:end])
		pos = end
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: no entry", ErrBundle)
	}
	return entries, nil
}

// nextEntry gives the end of the n-th entry, which begins at pos with its length.
func nextEntry(bundle []byte, pos, n int) (end int, err error) {
	if len(bundle)-pos < lengthSize {
		return 0, fmt.Errorf("%w: it ends before entry %d", ErrBundle, n)
	}
	end = pos + lengthSize + int(binary.BigEndian.Uint16(bundle[pos:]))
	if end > len(bundle) {
		return 0, fmt.Errorf("%w: entry %d is cut off", ErrBundle, n)
	}
	return end, nil
}

// entryEnds gives the ends of the first n entries of a bundle, which may go on.
func entryEnds(bundle []byte, n int) ([]int, error) {
	ends := make([]int, 0, Width)
	for pos := 0; len(ends) < n; {
		end, err := nextEntry(bundle, pos, len(ends))
		if err != nil {
			return nil, err
		}
		ends = append(ends, end)
		pos = end
	}
	return ends, nil
}

// A bundle is a list of up to 256 entries as it is stored. Copies of it share
// their bytes: a copy stays what it was while another is added to.
type bundle struct {
	data []byte
	ends []int // where each entry ends in data
}

// add appends an entry of at most MaxEntrySize bytes.
func (b *bundle) add(entry []byte) {
	if b.ends == nil {
		b.ends = make([]int, 0, Width)
	}
	b.data = binary.BigEndian.AppendUint16(b.data, uint16(len(entry)))
	b.data = append(b.data, entry...)
	b.ends = append(b.ends, len(b.data))
}

func (b *bundle) len() int { return len(b.ends) }

// entry gives the i-th entry, as a slice of the bundle.
func (b *bundle) entry(i int) []byte {
	begin := lengthSize
	if i > 0 {
		begin += b.ends[i-1]
	}
	return b.data[begin:b.ends[i]:b.ends[i]]
}
