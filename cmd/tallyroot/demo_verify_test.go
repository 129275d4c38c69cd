package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/gs1"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// TestDemoVerifies asks the demonstration for every history and every journey that its
// story makes, and for each Digital Link's JSON. The reader's own code takes all of
// them, and misses nothing.
func TestDemoVerifies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	d := startDemo(t, "--data", dir, "--json")
	r := d.result()
	vkey := func(name string) string {
		line, err := readOneLine(filepath.Join(dir, name+".vkey"))
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	none := func(name string) *policy.Policy {
		p, err := policy.None(vkey(name))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	trust := verify.Trust{Policy: none("log"), IndexPolicy: none("index"), OperatorKey: vkey("operator")}
	keys := map[historyindex.Key]bool{}
	for index := 0; ; index++ {
		code, body := getJSON(t, fmt.Sprint(r.URL, "/v1/event?index=", index))
		if code == http.StatusNotFound {
			break
		}
		var found struct{ Entry []byte }
		if err := json.Unmarshal(body, &found); err != nil || code != http.StatusOK {
			t.Fatalf("entry %d: %d, %v", index, code, err)
		}
		e, err := entry.Parse(found.Entry)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range historyindex.Keys(e) {
			keys[key] = true
		}
	}
	if len(keys) < 30 {
		t.Fatalf("the story has only %d keys", len(keys))
	}
	for key := range keys {
		id := url.QueryEscape(key.Identifier)
		code, saved := getJSON(t, r.URL+"/v1/history?kind="+key.Kind.String()+"&id="+id)
		h, err := verify.History(saved, key, trust)
		if code != http.StatusOK || err != nil || h.Claim() != verify.CompleteByOperator || h.Unauthenticated() > 0 {
			t.Errorf("the history of %s: %d, %v, %v", key, code, h, err)
		}
		if key.Kind == historyindex.By || key.Kind == historyindex.Participant || key.Kind == historyindex.Operator {
			continue
		}
		addresses := []string{r.URL + "/v1/journey?id=" + id}
		if gs1.IsGS1(key.Identifier) {
			addresses = append(addresses, linkAt(r.URL, key.Identifier))
		}
		for _, address := range addresses {
			code, saved := getJSON(t, address)
			j, err := verify.Journey(saved, key.Identifier, trust)
			if code != http.StatusOK || err != nil || j.Claim() != verify.CompleteByOperator || len(j.NotFollowed) > 0 || len(j.Journey.Steps) == 0 && key.Kind != historyindex.Master {
				t.Errorf("the journey at %s: %d, %v, %v", address, code, j, err)
			}
		}
	}
}

func getJSON(t *testing.T, address string) (code int, body []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
