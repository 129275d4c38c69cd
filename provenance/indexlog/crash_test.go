package indexlog

import (
	"slices"
	"sync/atomic"
	"testing"
)

// A process that ends between any two steps leaves what the next one goes on from: the
// same leaves, and never two index checkpoints of one size.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"kept", "leaf durable", "tiles durable", "bound", "signed", "cosigned", "published"} {
		for _, witnessed := range []bool{false, true} {
			name := step
			if witnessed {
				name += ", witnessed"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				if witnessed {
					w.witnessed()
				}
				var texts []string
				for round := range 3 {
					var left atomic.Int64
					left.Store(int64(round%3) + 1)
					crashed := make(chan struct{})
					l := w.open(func(o *Options) {
						o.fault = func(at string) error {
							if at == step && left.Add(-1) == 0 {
								close(crashed)
								return errCrash
							}
							return nil
						}
					})
					for ended := false; !ended; {
						w.add(3, 2)
						l.LogPublished()
						size := w.log.Size()
						w.until(l, "it has crashed or shows it", func(st Status) bool {
							select {
							case <-crashed:
								ended = true
							default:
							}
							return ended || st.Covered == size
						})
					}
					l.done.Wait()
					now := w.leafTexts(l, l.index.Leaves())
					if !slices.Equal(texts, now[:len(texts)]) {
						t.Fatal("the leaves have changed")
					}
					texts = now
					w.close(l)
				}
				l := w.open()
				w.reaches(l, w.add(1, 2).Size)
				if !slices.Equal(texts, w.leafTexts(l, uint64(len(texts)))) {
					t.Error("the leaves have changed")
				}
				if st := l.Status(); st.Err != nil {
					t.Error(st.Err)
				}
			})
		}
	}
}
