package provenance_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
)

// TestNothingIsAcknowledgedThatDoesNotHold disables participants while they log.
// What was acknowledged stands before the statement that ends their rights: its
// signature holds at its own position.
func TestNothingIsAcknowledgedThatDoesNotHold(t *testing.T) {
	s := open(t, t.TempDir())
	var serial atomic.Int64
	for round := range 8 {
		farm := add(t, s, fmt.Sprint("Farm ", round))
		var logging sync.WaitGroup
		var mu sync.Mutex
		var places []uint64
		enough := make(chan struct{})
		var once sync.Once
		for range 8 {
			logging.Go(func() {
				for {
					logged, err := s.Log(t.Context(), farm, event(int(serial.Add(1)), ""))
					if errors.Is(err, provenance.ErrUnavailable) {
						continue // its keys are being changed
					}
					if errors.Is(err, provenance.ErrForbidden) {
						return
					}
					if err != nil {
						t.Error(err)
						once.Do(func() { close(enough) })
						return
					}
					mu.Lock()
					if places = append(places, logged.Index); len(places) == 50 {
						once.Do(func() { close(enough) })
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		if _, err := s.DisableParticipant(t.Context(), admin, farm.Participant); err != nil {
			t.Fatal(err)
		}
		logging.Wait()
		for _, index := range places {
			found, err := s.EventAt(t.Context(), index)
			if err != nil {
				t.Fatal(err)
			}
			e, err := entry.Parse(found.Entry)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.VerifyAt(index, e); err != nil {
				t.Fatalf("acknowledged at %d: %v", index, err)
			}
		}
	}
}
