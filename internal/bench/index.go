package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// steady is the rate of entries at which the history index must keep up.
const steady = 10_000

// paced goes on no faster than so many entries a second, all clients together.
func paced(perSecond, each int, more func() bool) func() bool {
	begin := time.Now()
	var turns atomic.Int64
	return func() bool {
		n := turns.Add(1)
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second * time.Duration(each) / time.Duration(perSecond))))
		return more()
	}
}

// lag is by how much histories are older than the log, asked again and again: at each
// moment, the time since the log published the first entry that histories do not have.
type lag struct {
	stopping chan struct{}
	watching sync.WaitGroup
	all      []time.Duration
	err      error
}

func watchLag(s *server) *lag {
	l := &lag{stopping: make(chan struct{})}
	l.watching.Go(func() { l.watch(s) })
	return l
}

func (l *lag) watch(s *server) {
	type sample struct {
		at   time.Time
		size uint64
	}
	var published []sample // in rising order, each larger than the one before
	for {
		var now struct {
			Reads struct {
				Size uint64 `json:",string"`
			}
			Histories struct {
				Entries uint64 `json:",string"`
			}
		}
		if l.err = s.ready(&now); l.err != nil {
			return
		}
		at := time.Now()
		if len(published) == 0 || now.Reads.Size > published[len(published)-1].size {
			published = append(published, sample{at, now.Reads.Size})
		}
		for len(published) > 0 && published[0].size <= now.Histories.Entries {
			published = published[1:]
		}
		var behind time.Duration
		if len(published) > 0 {
			behind = at.Sub(published[0].at)
		}
		l.all = append(l.all, behind)
		select {
		case <-l.stopping:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop gives the middle and the largest.
func (l *lag) stop() (string, error) {
	close(l.stopping)
	l.watching.Wait()
	if l.err != nil {
		return "", l.err
	}
	slices.Sort(l.all)
	return fmt.Sprintf("p50 %v   p99 %v   max %v", round(l.all[len(l.all)/2]), round(l.all[len(l.all)*99/100]), round(l.all[len(l.all)-1])), nil
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// ready reads what the service says of itself, whether or not it is ready.
func (s *server) ready(into any) error {
	req, _ := http.NewRequest("GET", "http://"+s.host+"/readyz", nil)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}
