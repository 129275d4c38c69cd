package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/stock"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
)

// TestReadsWithoutTrillian ends Trillian's own servers and their database. What was
// logged is there all the same, and proved: from the files of both logs and the map.
func TestReadsWithoutTrillian(t *testing.T) {
	t.Parallel()
	db := mariadb.Own(t)
	servers := stock.Own(t, stock.Options{DSN: prepared(t, db, "log")})
	k := newKilled(t, "--trillian", servers.Server.Address)
	for n := range 20 {
		k.lost[n] = true
		if !k.post(n) {
			t.Fatalf("event %d is refused", n)
		}
	}
	k.sent = 20
	k.checkIndex()
	for what, kill := range map[string]func() error{"log server": servers.Server.Kill, "signer": servers.Signer.Kill, "database": db.Kill} {
		if err := kill(); err != nil {
			t.Fatalf("the %s: %v", what, err)
		}
	}
	k.lost[20] = true
	if k.sent++; k.post(20) {
		t.Fatal("an event is taken by nobody")
	}

	k.check(0) // entries, receipts, consistency proofs
	k.checkIndex()
	key, err := readOneLine(filepath.Join(k.dir, "data", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := verify.LogKey(key)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, query url.Values) []byte {
		t.Helper()
		resp, err := k.client.Do(context.Background(), client.Request{Method: http.MethodGet, Path: path, Query: query})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return resp.Body
	}
	for id, entries := range map[string]int{"urn:example:crate:7": 1, "urn:example:crate:nobody-knows": 0} {
		thing := url.Values{"id": {id}}
		h, err := verify.History(get("/v1/history", thing), historyindex.Key{Kind: historyindex.Object, Identifier: id}, trust)
		if err != nil || len(h.Positions) != entries {
			t.Errorf("the history of %s: %+v, %v", id, h, err)
		}
		if _, err := verify.Journey(get("/v1/journey", thing), id, trust); err != nil {
			t.Errorf("the journey of %s: %v", id, err)
		}
	}
	if page := get("/", nil); !strings.Contains(string(page), "<html") {
		t.Errorf("the page: %.200s", page)
	}
	fsck(t, k.client.Server()+"/log/", filepath.Join(k.dir, "data", "log.vkey"))
	fsck(t, k.client.Server()+"/index/", filepath.Join(k.dir, "data", "index.vkey"))
	get("/v1/proof/inclusion", url.Values{"index": {"7"}})
	get("/v1/events", nil)
	get("/readyz", url.Values{"of": {"histories"}})
	get("/readyz", url.Values{"of": {"reads"}})
}

// fsck has tessera's own program read all of a log.
func fsck(t *testing.T, url, key string) {
	t.Helper()
	program := os.Getenv("TALLYROOT_FSCK")
	if program == "" {
		program = filepath.Join("..", "..", "build", "bin", "fsck")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Logf("tessera's fsck is not here, so it did not read %s: %v", url, err)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// Its exit status says nothing; its line does.
	out, _ := exec.CommandContext(ctx, program, "-ui=false", "-storage_url="+url, "-public_key="+key).CombinedOutput()
	if !strings.Contains(string(out), "Successfully fsck'd") {
		t.Errorf("%s:\n%s", url, out)
	}
}
