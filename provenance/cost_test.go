package provenance_test

import (
	"fmt"
	"testing"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

func name(thing int) string { return fmt.Sprint("urn:x:thing:", thing) }

// TestHistoriesCostWhatTheyHold: what a history allocates grows with its entries, and
// not with the log.
func TestHistoriesCostWhatTheyHold(t *testing.T) {
	s := open(t, t.TempDir())
	farm := add(t, s, "Farm")
	fill := func(things, from, to int) {
		var subs []provenance.Submission
		for i := from; i < to; i++ {
			for thing := range things {
				subs = append(subs, seen(i, i%60, name(thing)))
			}
		}
		logAll(t, s, farm, subs)
		indexed(t, s)
	}
	allocations := func() float64 {
		return testing.AllocsPerRun(50, func() {
			if _, err := s.History(t.Context(), historyindex.Object, name(0), 0, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
	fill(50, 0, 20) // most of them in full bundles already
	small := allocations()
	fill(250, 20, 40)
	if twice := allocations(); twice > 3*small {
		t.Errorf("a history of 20 entries makes %.0f allocations, and one of 40, in a log 6 times as large, %.0f", small, twice)
	}
	if small > 20*25 {
		t.Errorf("a history of 20 entries makes %.0f allocations", small)
	}
}
