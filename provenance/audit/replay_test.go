package audit

import (
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

// However large the entries are that somebody logs, few bytes of them are parsed at a
// time.
func TestWindows(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 100, "large": entry.MaxSize} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const parts, width = 40, 256
			e := make([]byte, size)
			var next uint64
			r := newReplay(0, defaultWindow, func(first uint64, entries [][]byte) error {
				if n := len(entries); first != next || n == 0 || n > defaultWindow || n*size >= windowBytes+size {
					t.Errorf("%d entries of %d bytes at %d, after %d", n, size, first, next)
				}
				next = first + uint64(len(entries))
				return nil
			})
			for i := range uint64(parts) {
				part := make([][]byte, width)
				for j := range part {
					part[j] = e
				}
				if err := r.feed(t.Context(), i*width, part); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.close(); err != nil || next != parts*width {
				t.Errorf("%d judged, %v", next, err)
			}
		})
	}
}
