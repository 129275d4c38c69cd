package quorum_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/witness"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// What witnesses of every kind say of their newest checkpoint, under a quorum of two
// of three. The first two are real ones.
func TestNewest(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(20)
	other := witnesstest.NewLog(t, "log.example/b")
	other.Grow(20)
	path := fmt.Sprintf("/prefix/%x/checkpoint", sha256.Sum256([]byte(l.Origin)))
	forged := witnesstest.NewLog(t, l.Origin) // another key
	forged.Grow(50)
	answers := map[string]http.HandlerFunc{
		"newer":         func(w http.ResponseWriter, _ *http.Request) { w.Write(l.Signed(17)) },
		"none":          http.NotFound,
		"another log's": func(w http.ResponseWriter, _ *http.Request) { w.Write(other.Signed(9)) },
		"forged":        func(w http.ResponseWriter, _ *http.Request) { w.Write(forged.Signed(50)) },
		"too long":      func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) },
		"failing":       func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	}
	for _, tt := range []struct {
		third string
		size  uint64
		err   string
	}{
		{"newer", 17, ""},
		{"none", 0, ""},
		{"another log's", 0, "the key is that of"},
		{"forged", 0, ""},
		{"too long", 0, "more than"},
		{"failing", 0, "500"},
		{"elsewhere", 0, "302"},
	} {
		t.Run(tt.third, func(t *testing.T) {
			servers := make([]string, 3)
			keys := make([]string, 3)
			for i := range 2 {
				s, err := witness.Open(witness.Options{Dir: t.TempDir(), Name: fmt.Sprintf("witness.example/%d", i), Logs: []witness.Log{{Key: l.Key}}, Logger: quiet})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				web := httptest.NewServer(http.StripPrefix("/prefix", s))
				defer web.Close()
				servers[i], keys[i] = web.URL, s.Verifier()
			}
			third, err := witness.NewKey("witness.example/2")
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != path {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				answers[tt.third](w, r)
			}))
			defer web.Close()
			servers[2], keys[2] = web.URL, third.Verifier()
			policyOf := func(n int, quorumLines string) quorum.Options {
				text := "log " + l.Key + "\n"
				for i := range n {
					text += fmt.Sprintf("witness w%d %s %s/prefix/\n", i, keys[i], servers[i])
				}
				return quorum.Options{Origin: l.Origin, Policy: parse(t, text+quorumLines), Logger: quiet, Timeout: deadline}
			}
			// The first one alone has cosigned something.
			o := policyOf(1, "quorum w0\n")
			client, err := quorum.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Cosign(t.Context(), l.Signed(12), l.Prover(12)); err != nil {
				t.Fatal(err)
			}
			client.Close()
			seen, err := quorum.Newest(t.Context(), policyOf(3, two))
			if err != nil || len(seen) != 3 {
				t.Fatalf("%+v, %v", seen, err)
			}
			if seen[0].Err != nil || seen[0].Checkpoint != l.At(12) || len(seen[0].Signed) == 0 {
				t.Errorf("the first: %+v", seen[0])
			}
			fails := tt.size == 0 && tt.third != "none"
			if s := seen[2]; s.Checkpoint.Size != tt.size || (s.Err != nil) != fails || fails && !strings.Contains(s.Err.Error(), tt.err) || len(s.Signed) > 0 != (tt.size > 0) {
				t.Errorf("the third: %+v", s)
			}
			// The third alone is a quorum: then what it has seen has to be known.
			_, err = quorum.Newest(t.Context(), policyOf(3, "group g 1 w0 w1 w2\nquorum g\n"))
			if (err != nil) != fails || fails && !strings.Contains(err.Error(), "w2: ") {
				t.Errorf("under a quorum of one: %v", err)
			}
		})
	}
}
