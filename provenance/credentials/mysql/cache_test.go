package mysql

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// However many use a token at once and how often, it is asked for once in the
// fresh time.
func TestOneQuestionForAll(t *testing.T) {
	var asked atomic.Int64
	at := clock{at: time.Now()}
	c := newCache(func(k key) (credentials.Token, bool, error) {
		asked.Add(1)
		return credentials.Token{Participant: k.participant, Number: k.number}, true, nil
	}, DefaultFresh, DefaultStale, quiet)
	c.now = at.now
	for round := range 3 {
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 100 {
					if tok, ok, err := c.token(key{"farm", 1}); tok.Number != 1 || !ok || err != nil {
						t.Error(tok, ok, err)
					}
				}
			})
		}
		wg.Wait()
		if n := asked.Load(); n != int64(round+1) {
			t.Errorf("asked %d times in %d rounds", n, round+1)
		}
		at.pass(DefaultFresh)
	}
}

// Guesses neither fill memory nor reach the database faster than the limit, nor
// do they push out what is known.
func TestGuesses(t *testing.T) {
	asked := 0
	at := clock{at: time.Now()}
	c := newCache(func(k key) (credentials.Token, bool, error) {
		asked++
		return credentials.Token{}, k.participant == "farm", nil
	}, DefaultFresh, DefaultStale, quiet)
	c.now = at.now
	if _, ok, err := c.token(key{"farm", 1}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	turnedAway := 0
	const seconds = 60
	for second := range seconds {
		for i := range 2 * newBurst {
			_, ok, err := c.token(key{"nobody", uint64(second*2*newBurst + i)})
			switch {
			case ok:
				t.Fatal("found")
			case errors.Is(err, credentials.ErrUnavailable):
				turnedAway++
			case err != nil:
				t.Fatal(err)
			}
		}
		if _, ok, err := c.token(key{"farm", 1}); !ok || err != nil {
			t.Errorf("second %d: a known token: %v, %v", second, ok, err)
		}
		at.pass(time.Second)
	}
	if most := newBurst + seconds*newPerSecond + seconds + 1; asked > most || asked+turnedAway < 2*newBurst*seconds {
		t.Errorf("asked %d times, want at most %d; %d turned away", asked, most, turnedAway)
	}
	if n := len(c.unknown.young) + len(c.unknown.old); n > 2*maxUnknown {
		t.Errorf("%d unknown numbers are remembered", n)
	}
}

// A change here is seen at once, also when an older answer comes after it.
func TestForget(t *testing.T) {
	asking := make(chan chan uint64)
	c := newCache(func(k key) (credentials.Token, bool, error) {
		answer := make(chan uint64)
		asking <- answer
		return credentials.Token{Number: <-answer}, true, nil
	}, DefaultFresh, DefaultStale, quiet)
	token := func() <-chan uint64 {
		got := make(chan uint64, 1)
		go func() {
			tok, _, _ := c.token(key{"farm", 1})
			got <- tok.Number
		}()
		return got
	}
	early := token()
	before := <-asking
	c.forget(key{"farm", 1})
	late := token()
	after := <-asking
	after <- 2
	if n := <-late; n != 2 {
		t.Errorf("who asked after the change got %d", n)
	}
	before <- 1
	<-early
	if tok, _, err := c.token(key{"farm", 1}); tok.Number != 2 || err != nil {
		t.Errorf("remembered is %d, %v", tok.Number, err)
	}
}

func TestGenerations(t *testing.T) {
	g := generations{limit: 3}
	for i := range uint64(100) {
		g.put(key{"farm", i}, entry{found: true})
		if _, ok := g.get(key{"farm", 0}); !ok {
			t.Fatalf("what is used all the time was lost after %d", i)
		}
		if n := len(g.young) + len(g.old); n > 2*g.limit {
			t.Fatalf("%d entries", n)
		}
	}
	if _, ok := g.get(key{"farm", 1}); ok {
		t.Error("what was not used stayed")
	}
	g.remove(key{"farm", 0})
	if _, ok := g.get(key{"farm", 0}); ok {
		t.Error("it was removed")
	}
}
