package tiles

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// million makes a log of 1,000,000 short entries, without a test's comparisons.
func million(b *testing.B) (*Store, string) {
	b.Helper()
	dir := b.TempDir()
	s := mustOpen(b, dir)
	const size = 1_000_000
	batch := make([][]byte, 50_000)
	for s.Size() < size {
		for i := range batch {
			batch[i] = fmt.Appendf(nil, "entry %d", s.Size()+uint64(i))
		}
		if err := s.Extend(batch, nil); err != nil {
			b.Fatal(err)
		}
	}
	publish(b, s)
	return s, dir
}

// One publication: 64 entries of 850 bytes, durable.
func BenchmarkPublish(b *testing.B) {
	s := mustOpen(b, b.TempDir())
	entries := make([][]byte, 64)
	for i := range entries {
		entries[i] = make([]byte, 850)
	}
	b.Run("extend", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Extend(entries, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("extend and publish", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Extend(entries, nil); err != nil {
				b.Fatal(err)
			}
			publish(b, s)
		}
	})
}

func BenchmarkMillion(b *testing.B) {
	s, dir := million(b)
	size := s.Size()
	b.Run("inclusion of a fresh leaf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.InclusionProof(size-1, size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("inclusion of a fresh leaf, appended", func(b *testing.B) {
		b.ReportAllocs()
		dst := make([]Hash, 0, 64)
		for b.Loop() {
			if _, err := s.AppendInclusionProof(dst, size-3, size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("inclusion of any leaf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.InclusionProof(rand.Uint64N(size), size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("any entry", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Entry(b.Context(), rand.Uint64N(size)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("root with 64 leaves", func(b *testing.B) {
		leaves := make([]Hash, 64)
		for b.Loop() {
			s.RootWith(leaves)
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			again, err := Open(dir)
			if err != nil {
				b.Fatal(err)
			}
			again.Close()
		}
	})
	b.Run("open after a power failure", func(b *testing.B) {
		for b.Loop() {
			e := edge{size: size}
			if err := s.rebuildUpper(&e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
