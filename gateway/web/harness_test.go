package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/gateway/web"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	secrets "github.com/tallyroot/tallyroot/provenance/credentials/embedded"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
)

// site is the whole gateway with its pages, on a real service.
type site struct {
	t       testing.TB
	handler http.Handler
	pages   http.Handler
	service *provenance.Service
	farm    provenance.Caller
	shop    provenance.Caller
}

const publicURL = "https://trace.example.org"

const origin = "log.example.org"

func open(t testing.TB) *site { return openIn(t, t.TempDir(), nil) }

// openIn opens a site on a folder, under a policy; nil is quorum none.
func openIn(t testing.TB, dir string, policy []byte) *site {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	service, err := provenance.Open(context.Background(), provenance.Config{
		Dir: dir, Origin: origin, MinFree: 1, IndexEvery: time.Millisecond, Logger: quiet, Policy: policy, Witnessing: provenance.Witnessing{Patience: time.Second},
		Backend: func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			return embedded.Open(ctx, dir, embedded.Options{Logger: quiet, MinFree: 1})
		},
		Credentials: func(dir string) (credentials.Store, error) { return secrets.Open(dir, quiet) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{t: t, service: service}
	admin, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	operator, err := service.Authenticate(strings.TrimSpace(string(admin)))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New(web.Options{Service: service, PublicURL: publicURL, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Service: service, Pages: pages, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s.handler, s.pages = g.Handler(), pages
	if published, _ := service.Published(); published.Size > 1 { // the participants are there
		return s
	}
	add := func(id, name string, grants ...string) provenance.Caller {
		if _, _, err := service.AddParticipant(context.Background(), operator, provenance.NewParticipant{ID: id, Name: name, Grants: grants}); err != nil {
			t.Fatal(err)
		}
		return provenance.Caller{Participant: id}
	}
	s.farm = add("farm", "Green <i>Valley</i> Farm", "9506000", "https://example.org/")
	s.shop = add("shop", "Corner Shop")
	return s
}

// log logs one event or statement and gives its index.
func (s *site) log(caller provenance.Caller, v map[string]any) uint64 {
	s.t.Helper()
	if t, _ := v["type"].(string); !strings.HasPrefix(t, "tallyroot:") {
		for name, value := range map[string]any{"type": "ObjectEvent", "eventTime": "2026-03-01T10:00:00+01:00", "eventTimeZoneOffset": "+01:00", "action": "OBSERVE"} {
			if _, ok := v[name]; !ok && !(name == "action" && t == "TransformationEvent") {
				v[name] = value
			}
		}
	}
	body, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	logged, err := s.service.Log(context.Background(), caller, provenance.Submission{Body: body})
	if err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	return logged.Index
}

// newest is the index of the log's last entry.
func (s *site) newest() uint64 {
	published, _ := s.service.Published()
	return published.Size - 1
}

// indexed waits until journeys have all that is published.
func (s *site) indexed() {
	s.t.Helper()
	published, _ := s.service.Published()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		st := s.service.IndexStatus()
		if st.Readable == nil && st.Covered >= published.Size {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the index covers %d of %d entries: %+v", st.Covered, published.Size, st)
		}
	}
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func (s *site) get(target string, headers ...string) answer {
	s.t.Helper()
	return s.do("GET", target, headers...)
}

func (s *site) do(method, target string, headers ...string) answer {
	s.t.Helper()
	s.indexed()
	r := httptest.NewRequest(method, target, bytes.NewReader(nil))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{w.Code, w.Header(), string(body)}
}

// holds fails the test for each text that is not in the page.
func (a answer) holds(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page does not hold %q", text)
		}
	}
}

// lacks fails the test for each text that is in the page.
func (a answer) lacks(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page holds %q", text)
		}
	}
}
