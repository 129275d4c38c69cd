package liar

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/journey"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

// Handler serves the lie: both logs' files, histories, journeys and proofs of
// consistency, under the addresses of a service. All else, the pages among it, the
// service behind it answers; without one, it is not found.
//
// Put it in front of a product's page, and the reader's browser is lied to:
//
//	service := httputil.NewSingleHostReverseProxy(address)
//	server := httptest.NewServer(face.Handler(service))
func (f *Face) Handler(service http.Handler) http.Handler {
	if service == nil {
		service = http.NotFoundHandler()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /log/{path...}", f.files(&f.World.Log, func() string { return f.Snapshot.LogCheckpoint() }))
	mux.HandleFunc("GET /index/{path...}", f.files(&f.World.Index, func() string { return string(f.Snapshot.Index.Append(nil)) }))
	mux.HandleFunc("GET /v1/journey", func(w http.ResponseWriter, r *http.Request) { f.journey(w, r.URL.Query().Get("id")) })
	mux.HandleFunc("GET /v1/history", f.history)
	mux.HandleFunc("GET /v1/proof/consistency", f.consistency)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		link, err := gs1.Canonical("https://" + r.Host + r.URL.EscapedPath())
		if err == nil && gs1.IsGS1(link) && strings.Contains(r.Header.Get("Accept"), "application/json") {
			f.journey(w, link)
			return
		}
		service.ServeHTTP(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		mux.ServeHTTP(w, r)
	})
}

func (f *Face) files(tree *verifytest.Tree, signed func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path := r.PathValue("path")
		data, ok := tree.File(path)
		if path == "checkpoint" {
			data, ok = []byte(signed()), true
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}
}

func (f *Face) consistency(w http.ResponseWriter, r *http.Request) {
	tree := &f.World.Log
	if r.URL.Query().Get("log") == "index" {
		tree = &f.World.Index
	}
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 63)
	to, err2 := strconv.ParseUint(r.URL.Query().Get("to"), 10, 63)
	if err != nil || err2 != nil || from > to || to > tree.Size() {
		http.Error(w, "no such sizes", http.StatusNotFound)
		return
	}
	proof := []string{}
	for _, h := range tree.Consistency(from, to) {
		proof = append(proof, base64.StdEncoding.EncodeToString(h[:]))
	}
	answer(w, must(json.Marshal(map[string]any{"from": strconv.FormatUint(from, 10), "to": strconv.FormatUint(to, 10), "proof": proof})))
}

func (f *Face) history(w http.ResponseWriter, r *http.Request) {
	kind := historyindex.Object
	if name := r.URL.Query().Get("kind"); name != "" {
		var err error
		if kind, err = historyindex.ParseKind(name); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	f.answerHistory(w, historyindex.Key{Kind: kind, Identifier: r.URL.Query().Get("id")})
}

func (f *Face) answerHistory(w http.ResponseWriter, key historyindex.Key) {
	if canonical, err := gs1.Canonical(key.Identifier); err == nil && key.Kind == historyindex.Object {
		key.Identifier = gs1.Identifiers(canonical)[0]
	}
	answer(w, f.Snapshot.History(key).Append(nil))
}

func (f *Face) journey(w http.ResponseWriter, id string) {
	if f.histories {
		f.answerHistory(w, historyindex.Key{Kind: historyindex.Object, Identifier: id})
		return
	}
	j, err := f.Journey(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, j.Append(nil))
}

// Journey is what the liar answers for a thing: all histories to which it leads by the
// entries that are shown, and those of their signers.
func (f *Face) Journey(id string) (*history.Journey, error) {
	followed, err := journey.Follow(id, func(key historyindex.Key) (entries []journey.Entry, whole bool, err error) {
		for _, position := range f.Snapshot.Postings[key] {
			if e, err := entry.Parse(f.World.Log.Leaves[position]); err == nil {
				entries = append(entries, journey.Entry{Index: position, JSON: e.JSON, Effect: true})
			}
		}
		return entries, true, nil
	})
	if err != nil {
		return nil, err
	}
	var j history.Journey
	for _, key := range followed.Keys {
		j.Histories = append(j.Histories, f.Snapshot.Bare(key))
	}
	for _, key := range verifytest.Signers(j.Histories...) {
		j.Histories = append(j.Histories, f.Snapshot.Bare(key))
	}
	return &j, nil
}

func answer(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(b)
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
