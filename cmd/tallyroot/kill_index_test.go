package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/historyindex/store"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// seenIndex is all that a killed service ever showed of its index log.
type seenIndex struct {
	mu          sync.Mutex
	checkpoints map[uint64]checkpoint.Checkpoint
	leaves      []string
}

func (s *seenIndex) saw(t *testing.T, c checkpoint.Checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.checkpoints == nil {
		s.checkpoints = map[uint64]checkpoint.Checkpoint{}
	}
	if have, ok := s.checkpoints[c.Size]; ok && have != c {
		t.Errorf("two index checkpoints of size %d: %x and %x", c.Size, have.Root, c.Root)
	}
	s.checkpoints[c.Size] = c
}

// files reads one of the service's two logs from outside, as it is now.
func (k *killed) files(log string) (fetch.Source, checkpoint.Checkpoint, error) {
	source, err := fetch.HTTP(k.client.Server()+log, fetch.HTTPOptions{Attempts: 1})
	if err != nil {
		return nil, checkpoint.Checkpoint{}, err
	}
	signed, err := fetch.Checkpoint(context.Background(), source)
	if err != nil {
		return nil, checkpoint.Checkpoint{}, err
	}
	c, _, err := checkpoint.Parse(signed)
	return source, c, err
}

// watchIndex looks at the index checkpoint again and again, until it is told to stop.
func (k *killed) watchIndex() (stop func()) {
	stopping := make(chan struct{})
	var watching sync.WaitGroup
	server := k.client // the one that is to be killed
	watching.Go(func() {
		for {
			source, err := fetch.HTTP(server.Server()+"/index", fetch.HTTPOptions{Attempts: 1})
			if err == nil {
				if signed, err := fetch.Checkpoint(context.Background(), source); err == nil {
					if c, _, err := checkpoint.Parse(signed); err == nil {
						k.index.saw(k.t, c)
					}
				}
			}
			select {
			case <-stopping:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return func() { close(stopping); watching.Wait() }
}

// checkIndex waits until the index has all that the log has published, and finds that
// its leaves are those that were there before, that they give every checkpoint that was
// ever seen, and that each is what the log's entries give.
func (k *killed) checkIndex() {
	k.t.Helper()
	ctx := context.Background()
	log, published, err := k.files("/log")
	if err != nil {
		k.t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		source, c, err := k.files("/index")
		if err != nil {
			k.t.Fatal(err)
		}
		index := fetch.Open(source, c, fetch.Options{})
		newest, err := index.Entry(ctx, c.Size-1)
		if err != nil {
			k.t.Fatal(err)
		}
		leaf, err := historyindex.ParseLeaf(newest)
		if err != nil {
			k.t.Fatal(err)
		}
		if leaf.Checkpoint.Size >= published.Size {
			k.compareIndex(ctx, index, fetch.Open(log, published, fetch.Options{}))
			return
		}
		if time.Now().After(end) {
			k.t.Fatalf("the index stays at %d of %d entries", leaf.Checkpoint.Size, published.Size)
		}
	}
}

func (k *killed) compareIndex(ctx context.Context, index, log *fetch.Log) {
	k.t.Helper()
	k.index.saw(k.t, index.Checkpoint())
	var now []string
	for text, err := range index.Stream(ctx, 0, index.Checkpoint().Size) {
		if err != nil {
			k.t.Fatal(err)
		}
		now = append(now, string(text))
	}
	for i, was := range k.index.leaves {
		if i >= len(now) || now[i] != was {
			k.t.Fatalf("leaf %d of the index log was\n%s", i, was)
		}
	}
	k.index.leaves = now
	k.index.mu.Lock()
	defer k.index.mu.Unlock()
	for size, c := range k.index.checkpoints {
		if root, err := index.Root(ctx, size); err != nil || root != c.Root {
			k.t.Fatalf("the index checkpoint of size %d had the root %x, and its leaves give %x (%v)", size, c.Root, root, err)
		}
	}
	rebuilt, err := store.Open(store.Options{Dir: filepath.Join(k.dir, "rebuilt"), Logger: pebblelog.Logger{To: slog.New(slog.DiscardHandler)}})
	if err != nil {
		k.t.Fatal(err)
	}
	defer rebuilt.Close()
	have := rebuilt.Leaves()
	if err := rebuilt.Follow(ctx, index.Stream(ctx, have, uint64(len(now))-have), log); err != nil {
		k.t.Fatal(err)
	}
}
