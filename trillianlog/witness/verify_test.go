package witness

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// Who repeats a checkpoint that waits to be verified, as often at once as there are
// slots, keeps out neither the log itself nor anybody else.
func TestReplay(t *testing.T) {
	l, other := witnesstest.NewLog(t, "log.example/a/index"), witnesstest.NewLog(t, "log.example/b/index")
	for _, l := range []*witnesstest.Log{l, other} {
		l.Grow(3)
	}
	synctest.Test(t, func(t *testing.T) {
		verified, asked := make(chan struct{}), 0
		s, err := Open(Options{
			Dir: filepath.Join(t.TempDir(), "witness"), Name: "witness.example/w1", Logger: quiet,
			Logs: []Log{{Key: l.Key}, {Key: other.Key}},
			Verify: func(ctx context.Context, c checkpoint.Checkpoint, _ []byte) error {
				if c.Origin == other.At(3).Origin {
					return nil
				}
				asked++
				select {
				case <-verified:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		post := func(ctx context.Context, body string) int {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
			return w.Code
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		got := map[int]int{}
		ask := func() {
			wait.Go(func() {
				status := post(t.Context(), grow(l, 0, 3))
				mu.Lock()
				defer mu.Unlock()
				got[status]++
			})
		}
		for range DefaultMaxRequests {
			ask()
		}
		synctest.Wait()
		ask() // the log itself
		synctest.Wait()
		if len(got) > 0 {
			t.Errorf("answered before it was verified: %v", got)
		}
		if status := post(t.Context(), grow(other, 0, 3)); status != http.StatusOK {
			t.Errorf("another log meanwhile: %d", status)
		}
		wait.Wait()
		if got[http.StatusServiceUnavailable] != DefaultMaxRequests+1 || asked != 1 {
			t.Errorf("not verified in time: %v, asked %d times", got, asked)
		}

		// Who asks first and goes takes the answer from nobody.
		clear(got)
		asked = 0
		ctx, leaves := context.WithCancel(t.Context())
		wait.Go(func() { post(ctx, grow(l, 0, 3)) })
		synctest.Wait()
		for range DefaultMaxRequests {
			ask()
		}
		synctest.Wait()
		leaves()
		synctest.Wait()
		close(verified)
		wait.Wait()
		if got[http.StatusOK]+got[http.StatusConflict] != DefaultMaxRequests || asked != 1 {
			t.Errorf("verified: %v, asked %d times", got, asked)
		}
		if status := post(t.Context(), grow(l, 3, 3)); status != http.StatusOK || asked != 1 {
			t.Errorf("cosigned again: %d, asked %d times", status, asked)
		}
	})
}
