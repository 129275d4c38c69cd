package gateway_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallyroot/tallyroot/gateway"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
)

// The routes are what others build on.
func TestRoutes(t *testing.T) {
	h := open(t, nil)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ Summary string }
	}
	a := h.get("/openapi.json")
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
		t.Fatal(a)
	}
	if err := json.Unmarshal(a.Body, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	var routes []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			routes = append(routes, strings.ToUpper(method)+" "+path)
			if op.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
		}
	}
	slices.Sort(routes)
	want := []string{
		"GET /docs", "GET /healthz", "GET /index/checkpoint", "GET /index/tile/entries/{index}", "GET /index/tile/{level}/{index}", "GET /log/checkpoint", "GET /log/tile/entries/{index}", "GET /log/tile/{level}/{index}",
		"GET /metrics", "GET /openapi.json", "GET /qr", "GET /readyz",
		"GET /v1/event", "GET /v1/events", "GET /v1/history", "GET /v1/journey", "GET /v1/participants", "GET /v1/proof/consistency", "GET /v1/proof/inclusion",
		"POST /v1/events", "POST /v1/events:batch", "POST /v1/events:validate", "POST /v1/participants", "POST /v1/participants/{id}/tokens",
		"POST /v1/participants/{id}/tokens/{number}:revoke", "POST /v1/participants/{id}:disable",
	}
	if !slices.Equal(routes, want) {
		t.Errorf("routes\n%s\nwant\n%s", strings.Join(routes, "\n"), strings.Join(want, "\n"))
	}
	// Each is there: none answers that it is not.
	for _, route := range want {
		method, path, _ := strings.Cut(route, " ")
		if strings.Contains(path, "{") || path == "/qr" {
			continue
		}
		if a := h.do(method, path, "", nil); a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed || a.Status == http.StatusNotImplemented {
			t.Errorf("%s: %v", route, a)
		}
	}
	for route, code := range map[string]int{
		"GET /": 404, "GET /v1": 404, "GET /v1/": 404, "GET /v1/nothing": 404, "DELETE /v1/event": 405, "POST /healthz": 405, "POST /v1/history": 405, "POST /v1/nothing": 404, "PUT /log/checkpoint": 405, "PUT /index/checkpoint": 405,
		"GET /v1/events:batch": 405, "GET /index/nothing": 404,
	} {
		method, path, _ := strings.Cut(route, " ")
		a := h.do(method, path, "", nil)
		if a.Status != code || a.object(t)["message"] == "" {
			t.Errorf("%s: %v, want %d", route, a, code)
		}
	}
}

func TestDocs(t *testing.T) {
	h := open(t, nil)
	a := h.get("/docs")
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Fatal(a)
	}
	page := string(a.Body)
	for _, want := range []string{"POST", "/v1/events:batch", "application/vnd.tallyroot.entry", "LogEventResponse", "leafHash", "tokenExpires", "ownKeys", "Retry-After", "admin.token"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if outside := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|url\(|@import|(src|href)="[^#/]`).FindString(page); outside != "" {
		t.Errorf("the page asks elsewhere, or has a script: %q", outside)
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if anchors[m[1]] {
			t.Errorf("the anchor %s stands twice", m[1])
		}
		anchors[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !anchors[m[1]] {
			t.Errorf("the link #%s leads nowhere", m[1])
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	sum := sha256.Sum256([]byte(style[1]))
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "'sha256-"+b64(string(sum[:]))+"'") {
		t.Errorf("the policy %q does not allow the page's style", policy)
	}
}

func TestHeaders(t *testing.T) {
	h := open(t, nil)
	for _, path := range []string{"/healthz", "/v1/event?index=0", "/v1/event?index=99", "/log/checkpoint", "/docs", "/nothing", "/v1/participants"} {
		a := h.get(path)
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "default-src 'none'", "X-Request-Id": ""} {
			if got := a.Header.Get(name); got == "" || !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if a.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS over plain text", path)
		}
	}
	tls := open(t, func(o *gateway.Options) { o.TLS = certificate(t) })
	if a := tls.get("/healthz"); a.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over TLS")
	}

	// Any page may read what is public, and nothing else.
	for path, want := range map[string]string{
		"/v1/event?index=0": "*", "/v1/history?id=urn:x:1": "*", "/log/checkpoint": "*", "/v1/events": "*", "/openapi.json": "*",
		"/v1/participants": "", "/v1/participants/farm/tokens": "", "/metrics": "",
	} {
		if got := h.get(path, "Origin", "https://elsewhere.example").Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("GET %s: Access-Control-Allow-Origin is %q, want %q", path, got, want)
		}
		a := h.do("OPTIONS", path, "", nil, "Origin", "https://elsewhere.example", "Access-Control-Request-Method", "POST")
		if strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "POST") || want == "*" && a.Status != http.StatusNoContent {
			t.Errorf("OPTIONS %s: %v %v", path, a, a.Header)
		}
	}
	if a := h.log(event(1)); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a write may be read from another origin")
	}

	if got := h.get("/healthz", "X-Request-Id", "client-chose_1").Header.Get("X-Request-Id"); got != "client-chose_1" {
		t.Errorf("the client's request id became %q", got)
	}
	for _, bad := range []string{"short", strings.Repeat("x", 65), "spaces in it"} {
		if got := h.get("/healthz", "X-Request-Id", bad).Header.Get("X-Request-Id"); got == bad || len(got) != 16 {
			t.Errorf("the request id %q became %q", bad, got)
		}
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	h := open(t, nil)
	h.log(event(1))
	h.get("/v1/events?participant=query-secret")
	h.do("POST", "/v1/events?timeout=1s", h.farm, []byte("x"), "Content-Type", "application/json", "Cookie", "c=cookie-secret", "X-Request-Id", "the-one-request")
	h.do("GET", "/v1/participants", h.admin, nil)
	a := h.do("POST", "/v1/participants/farm/tokens", h.admin, nil)
	added := a.object(t)["token"].(string)
	log := h.logs.String()
	for _, secret := range []string{h.farm, h.admin, added, "query-secret", "cookie-secret", "Bearer"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if !regexp.MustCompile(`level=INFO msg=served request=the-one-request method=POST path=/v1/events status=400 .*participant=farm`).MatchString(log) {
		t.Errorf("the log lacks the refused request:\n%s", log)
	}
	if !regexp.MustCompile(`level=DEBUG msg=served .* status=201 `).MatchString(log) {
		t.Errorf("the log lacks the good request:\n%s", log)
	}
}

func TestLogFiles(t *testing.T) {
	h := open(t, nil)
	var batch bytes.Buffer
	for n := range 300 {
		batch.WriteString(event(n) + "\n")
	}
	if a := h.do("POST", "/v1/events:batch", h.farm, batch.Bytes(), "Content-Type", "application/x-ndjson"); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	published, text := h.service.Published()
	a := h.get("/log/checkpoint")
	if string(a.Body) != string(text) || a.Header.Get("Cache-Control") != "no-cache" || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("checkpoint: %v %v", a, a.Header)
	}
	if again := h.get("/log/checkpoint", "If-None-Match", a.Header.Get("ETag")); again.Status != http.StatusNotModified || len(again.Body) != 0 {
		t.Errorf("unchanged checkpoint: %v", again)
	}
	full := h.get("/log/tile/0/000")
	if full.Status != http.StatusOK || len(full.Body) != 256*32 || !strings.Contains(full.Header.Get("Cache-Control"), "immutable") || full.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("full tile: %d, %d bytes, %v", full.Status, len(full.Body), full.Header)
	}
	partial := h.get("/log/tile/0/001.p/40")
	if partial.Status != http.StatusOK || len(partial.Body) != 40*32 || !strings.Contains(partial.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("partial tile: %d, %d bytes, %v", partial.Status, len(partial.Body), partial.Header)
	}
	if part := h.get("/log/tile/0/000", "Range", "bytes=32-63"); part.Status != http.StatusPartialContent || !bytes.Equal(part.Body, full.Body[32:64]) {
		t.Errorf("a range: %d, %d bytes", part.Status, len(part.Body))
	}
	for _, path := range []string{"/log/", "/log/tile/0/0", "/log/tile/0/001", "/log/tile/0/001.p/256", "/log/tile/9/000", "/log/../admin.token", "/log/..%2fadmin.token", "/log/tile/entries/002", "/log//checkpoint", "/log/checkpoint.tmp"} {
		if a := h.get(path); a.Status != http.StatusNotFound {
			t.Errorf("%s: %.200s", path, a)
		}
	}

	// A reader that is not ours proves an entry from the files alone.
	tree := tlog.Tree{N: int64(published.Size), Hash: tlog.Hash(published.Root)}
	read := tlog.TileHashReader(tree, &tileClient{h, "/log/"})
	proof, err := tlog.ProveRecord(tree.N, 100, read)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := tlog.TileHashReader(tree, &tileClient{h, "/log/"}).ReadHashes([]int64{tlog.StoredHashIndex(0, 100)})
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, 100, hash[0]); err != nil {
		t.Error(err)
	}
	var ours struct{ Proof [][]byte }
	if err := json.Unmarshal(h.get("/v1/proof/inclusion?index=100").Body, &ours); err != nil {
		t.Fatal(err)
	}
	for i := range proof {
		if len(ours.Proof) != len(proof) || string(ours.Proof[i]) != string(proof[i][:]) {
			t.Errorf("the proof that is answered differs from the one made of the tiles")
			break
		}
	}
}

// The index log's files are those of a log, and its newest leaf is about the log's
// newest checkpoint.
func TestIndexFiles(t *testing.T) {
	h := open(t, nil)
	h.log(event(1))
	published, _ := h.service.Published()
	eventually(t, "the index is there", func() bool { return h.service.IndexStatus().Covered >= published.Size })
	a := h.get("/index/checkpoint")
	if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-cache" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("checkpoint: %v %v", a, a.Header)
	}
	c, _, err := checkpoint.Parse(a.Body)
	if err != nil || c.Origin != h.service.Origin()+"/index" {
		t.Fatalf("%+v, %v", c, err)
	}
	bundle := h.get(fmt.Sprintf("/index/tile/entries/000.p/%d", c.Size))
	if !strings.Contains(bundle.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("bundle: %v", bundle.Header)
	}
	leaves, err := tiles.ParseBundle(bundle.Body)
	if err != nil || uint64(len(leaves)) != c.Size {
		t.Fatalf("%d leaves, %v", len(leaves), err)
	}
	newest, err := historyindex.ParseLeaf(leaves[c.Size-1])
	if err != nil || newest.Checkpoint != published {
		t.Errorf("the newest leaf is about %+v, %v", newest.Checkpoint, err)
	}
	tree := tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Root)}
	hashes, err := tlog.TileHashReader(tree, &tileClient{h, "/index/"}).ReadHashes([]int64{tlog.StoredHashIndex(0, tree.N-1)})
	if err != nil || hashes[0] != tlog.RecordHash(leaves[c.Size-1]) {
		t.Errorf("the tiles: %v", err)
	}
	for _, path := range []string{"/index/", "/index/tile/0/000", fmt.Sprintf("/index/tile/0/000.p/%d", c.Size+1), "/index/../index.key", "/index/log-checkpoint.0"} {
		if a := h.get(path); a.Status != http.StatusNotFound {
			t.Errorf("%s: %.200s", path, a)
		}
	}
}

// tileClient reads tiles over HTTP for x/mod's tlog.
type tileClient struct {
	h      *host
	prefix string
}

func (c *tileClient) Height() int { return 8 }
func (c *tileClient) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		path := c.prefix + strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		a := c.h.get(path)
		if a.Status != http.StatusOK {
			return nil, errors.New(path + ": " + a.String())
		}
		out = append(out, a.Body)
	}
	return out, nil
}
func (c *tileClient) SaveTiles([]tlog.Tile, [][]byte) {}

func TestGzip(t *testing.T) {
	h := open(t, nil)
	for n := range 10 {
		h.log(event(n))
	}
	for path, want := range map[string]string{
		"/docs": "gzip", "/openapi.json": "gzip", "/v1/history?kind=by&id=farm": "gzip",
		"/v1/proof/inclusion?index=1": "", "/healthz": "", "/log/tile/0/000.p/12": "", "/log/checkpoint": "",
	} {
		plain := h.get(path)
		zipped := h.get(path, "Accept-Encoding", "br, gzip;q=0.8")
		if got := zipped.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: Content-Encoding %q, want %q (%d bytes)", path, got, want, len(plain.Body))
			continue
		}
		body := zipped.Body
		if want == "gzip" {
			if !strings.Contains(strings.Join(zipped.Header["Vary"], ","), "Accept-Encoding") || zipped.Header.Get("ETag") != "" && !strings.HasPrefix(zipped.Header.Get("ETag"), "W/") {
				t.Errorf("%s: header %v", path, zipped.Header)
			}
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, plain.Body) {
			t.Errorf("%s: the compressed answer differs", path)
		}
		if refused := h.get(path, "Accept-Encoding", "gzip;q=0"); refused.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed for a client that takes no gzip", path)
		}
	}
	etag := h.get("/docs", "Accept-Encoding", "gzip").Header.Get("ETag")
	if a := h.get("/docs", "Accept-Encoding", "gzip", "If-None-Match", etag); a.Status != http.StatusNotModified {
		t.Errorf("an unchanged page: %d", a.Status)
	}
}

func TestHead(t *testing.T) {
	h := open(t, nil)
	for _, path := range []string{"/healthz", "/v1/event?index=0", "/log/checkpoint", "/docs", "/v1/event?index=99"} {
		get, head := h.get(path), h.do("HEAD", path, "", nil)
		if head.Status != get.Status || len(head.Body) != 0 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("%s: %d %q, GET %d %q", path, head.Status, head.Header.Get("Content-Type"), get.Status, get.Header.Get("Content-Type"))
		}
	}
}

func TestReadQuestions(t *testing.T) {
	h := open(t, nil)
	for path, want := range map[string]int{
		"/v1/event": 400, "/v1/event?id=x&index=1": 400, "/v1/event?index=-1": 400, "/v1/event?index=1.5": 400, "/v1/event?index=99": 404, "/v1/event?id=urn:x:1": 404,
		"/v1/events?limit=1000": 200, "/v1/events?limit=1001": 400, "/v1/events?limit=-1": 400, "/v1/events?participant=nobody": 200,
		"/v1/history": 400, "/v1/history?id=nonsense": 400, "/v1/history?id=urn:x:1&kind=tea": 400, "/v1/history?kind=operator": 200, "/v1/history?id=urn:x:1&limit=1000": 200,
		"/v1/history?id=urn:x:1&limit=1001": 400, "/v1/history?id=urn:x:1&offset=9": 200, "/v1/history?id=https%3A%2F%2Fid.gs1.org%2F01%2F09506000134353": 400,
		"/v1/journey": 400, "/v1/journey?id=nonsense": 400, "/v1/journey?id=urn:x:1": 200,
		"/v1/proof/inclusion": 400, "/v1/proof/inclusion?index=0": 200, "/v1/proof/inclusion?index=0&size=1": 200, "/v1/proof/inclusion?index=1&size=1": 404,
		"/v1/proof/inclusion?index=0&size=0": 400, "/v1/proof/inclusion?index=0&size=99": 404, "/v1/proof/inclusion?index=99": 404,
		"/v1/proof/consistency": 400, "/v1/proof/consistency?from=1": 200, "/v1/proof/consistency?from=1&to=3": 200, "/v1/proof/consistency?from=3&to=1": 400,
		"/v1/proof/consistency?from=0&to=0": 200, "/v1/proof/consistency?from=1&to=99": 404, "/v1/proof/consistency?from=99": 400,
	} {
		a := h.get(path)
		if a.Status != want {
			t.Errorf("%s: %v, want %d", path, a, want)
		}
		if a.Status >= 400 && a.object(t)["message"] == "" {
			t.Errorf("%s: no sentence: %v", path, a)
		}
	}
}
