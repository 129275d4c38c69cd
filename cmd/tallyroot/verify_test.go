package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const (
	jamLink = "https://id.gs1.org/01/09506000134352/10/J1/21/7"
	jamItem = "https://id.gs1.org/01/09506000134352/21/7"
	jamLot  = "https://id.gs1.org/01/09506000134352/10/J1"
)

// A verified is a world of which proofs lie in a folder, with the policies of a reader
// who asks for a witness of the log and an index-verifier of the index.
type verified struct {
	*verifytest.World
	t     *testing.T
	dir   string
	mill  *entry.Key
	trust verify.Trust
	flags []string // the trust
}

func newVerified(t *testing.T) *verified {
	v := &verified{World: verifytest.New(t, "v.example/log"), t: t, dir: t.TempDir()}
	rebuilds := verifytest.NewCosigner("iv.example")
	v.LogCosigners, v.IndexCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("w.example")}, []*verifytest.Cosigner{rebuilds}
	v.mill = v.Managed("mill", "")
	v.Register("mill", nil, v.mill)
	v.observe(jamLink)
	v.observe(jamLot)
	v.flags = []string{"--policy", v.file("log.policy", v.LogPolicy()), "--index-policy", v.file("index.policy", v.IndexPolicy()), "--index-verifier", "w1"}
	read := func(text string) *policy.Policy {
		p, err := policy.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	v.trust = verify.Trust{Policy: read(v.LogPolicy()), IndexPolicy: read(v.IndexPolicy()), IndexVerifiers: []string{rebuilds.Verifier()}}
	return v
}

// observe logs that a thing was seen.
func (v *verified) observe(id string) uint64 {
	return v.Sign(verifytest.JSON(v.t, fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:e:%d","eventTime":"2026-11-01T00:00:00Z","action":"OBSERVE","epcList":[%q]}`, v.Log.Size(), id)), v.mill)
}

func (v *verified) now() *verifytest.Snapshot { return v.Publish(uint64(time.Now().Unix())) }

func (v *verified) file(name, text string) string {
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return path
}

func (v *verified) journey(s *verifytest.Snapshot) string {
	return string(s.Journey(jamLink, v.trust).Append(nil))
}

func (v *verified) proof(s *verifytest.Snapshot) string {
	return string(history.AppendProof(nil, jamLink, []byte(v.journey(s))))
}

func (v *verified) receipt(s *verifytest.Snapshot, index uint64) string {
	text, err := json.Marshal(map[string]string{"entry": base64.StdEncoding.EncodeToString(v.Log.Leaves[index]), "receipt": string(s.Receipt(index))})
	if err != nil {
		v.t.Fatal(err)
	}
	return string(text)
}

// serve answers as a service with the files of both logs does.
func (v *verified) serve(answer func(path string) string) string {
	trees := map[string]*verifytest.Tree{"log": &v.Log, "index": &v.Index}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if tree := trees[name]; tree != nil {
			if data, ok := tree.File(path); ok {
				_, _ = w.Write(data)
				return
			}
		}
		if text := answer(r.URL.Path); text != "" {
			_, _ = w.Write([]byte(text))
		} else {
			http.NotFound(w, r)
		}
	}))
	v.t.Cleanup(server.Close)
	return server.URL
}

// run runs tallyroot verify, and wants an exit code and what it says.
func (v *verified) run(name string, code int, args []string, says ...string) {
	v.t.Helper()
	cmd := exec.Command("tallyroot", slices.Concat([]string{"verify"}, args, v.flags)...)
	out, err := cmd.CombinedOutput()
	if have := cmd.ProcessState.ExitCode(); have != code {
		v.t.Errorf("%s: it ends with %d (%v), want %d; it said %s", name, have, err, code, out)
	}
	for _, text := range says {
		if !strings.Contains(string(out), text) {
			v.t.Errorf("%s: it does not say %q:\n%s", name, text, out)
		}
	}
}

func TestVerifyProof(t *testing.T) {
	v := newVerified(t)
	s := v.now()
	proof, journey := v.file("jam.proof.json", v.proof(s)), v.file("jam.json", v.journey(s))
	complete := "Complete up to entry 4, witnessed at "
	v.run("a proof", 0, []string{proof}, "verified\n  "+complete, "The file itself says what it is about", "rebuilt from the log by w1", "entry 2  2026-11-01T00:00:00Z  ObjectEvent OBSERVE  by mill")
	v.run("a proof of what was asked for", 0, []string{proof, "--id", "https://shop.example/01/09506000134352/10/J1/21/7?x=1"}, complete)
	v.run("a proof of something else", 1, []string{proof, "--id", jamLot}, "NOT VERIFIED: this is about something other than what was asked for")
	v.run("a journey", 0, []string{journey, "--id", jamLink}, complete, "batch")
	v.run("for programs", 0, []string{proof, "--json"}, `"ok":true`, `"type":"proof"`, `"claim":"complete"`, `"index":{"size":"1","witnesses":["w1"],"rebuilders":["w1"],"key":"given"}`, `"role":"batch"`)
	v.run("no such index-verifier", 2, []string{proof, "--index-verifier", "nobody"}, "is no witness of --index-policy, which has: w1")
	v.run("a negative age", 2, []string{proof, "--max-age", "-1s"}, "not negative")
	v.run("another operator", 1, []string{proof, "--operator-key", v.file("strange.vkey", verifytest.Key(t, v.Operator.Name(), "strange").Verifier().String())}, "the log's operator is not the one that is trusted")
	v.run("the operator's key", 0, []string{proof, "--operator-key", v.file("operator.vkey", v.Operator.Verifier().String()), "--json"}, `"operatorKey":"given"`)

	cut := s.Journey(jamLink, v.trust)
	cut.Histories = slices.DeleteFunc(cut.Histories, func(h history.History) bool { return h.ID == jamLot })
	v.run("a history left out", 1, []string{v.file("cut.json", string(cut.Append(nil))), "--id", jamLink}, "NOT VERIFIED: the journey is incomplete", "JOURNEY INCOMPLETE", "object "+jamLot)
	v.run("a history left out, for programs", 1, []string{v.file("cut.json", string(cut.Append(nil))), "--id", jamLink, "--json"}, `"reason":"incomplete"`, `"missing":[{"kind":"object","id":"`+jamLot+`"}]`)

	v.run("what is none of them", 1, []string{v.file("none", `{"a":1}`)}, "neither a saved proof")
	v.run("another version", 1, []string{v.file("v2", strings.Replace(v.proof(s), "proof/v1", "proof/v2", 1))}, "only tallyroot/proof/v1 is known here")
	v.run("nothing there, and something wrong", 1, []string{filepath.Join(v.dir, "nowhere"), v.file("none", `{"a":1}`)}, "NOT CHECKED", "NOT VERIFIED")

	old := v.Publish(uint64(time.Now().Add(-400 * 24 * time.Hour).Unix()))
	v.run("an old proof", 0, []string{v.file("old.proof.json", v.proof(old))}, complete)
	v.run("an old proof, where a day is asked for", 1, []string{v.file("old.proof.json", v.proof(old)), "--max-age", "24h"}, "not witnessed recently enough")
	v.run("an old journey", 1, []string{v.file("old.json", v.journey(old)), "--id", jamLink}, "not witnessed recently enough")
}

// TestVerifyCross: an index that leaves out what a receipt proves.
func TestVerifyCross(t *testing.T) {
	v := newVerified(t)
	index := v.observe(jamItem)
	s := v.now()
	hiding := v.PublishIndex(uint64(time.Now().Unix()), func() map[historyindex.Key][]uint64 {
		postings := v.Postings(v.Log.Size())
		key := historyindex.Key{Kind: historyindex.Object, Identifier: jamItem}
		postings[key] = slices.DeleteFunc(postings[key], func(p uint64) bool { return p == index })
		return postings
	}())
	receipt := v.file("4.json", v.receipt(s, index))
	v.run("honest", 0, []string{v.file("good.json", v.journey(s)), receipt})
	// Nothing in the journey itself shows it.
	lie := v.file("lie.json", v.journey(hiding))
	v.run("a hidden entry", 0, []string{lie}, "Complete up to entry 5")
	v.run("a hidden entry, with its receipt", 1, []string{lie, receipt}, "lie.json with", "NOT VERIFIED: entry 4: the history leaves out an entry that the log holds")
}

func TestVerifyState(t *testing.T) {
	v := newVerified(t)
	state := filepath.Join(v.dir, "seen.json")
	first := v.now()
	one := v.file("one.proof.json", v.proof(first))
	v.run("the first time", 0, []string{one, "--state", state}, "The log v.example/log was not seen before", "The log v.example/log/index was not seen before")
	v.run("again", 0, []string{one, "--state", state})
	v.observe(jamItem)
	v.now()
	v.observe(jamItem)
	third := v.now()
	three := v.file("three.proof.json", v.proof(third))
	v.run("nowhere to read the proof", 2, []string{three, "--state", state}, "NOT COMPARED", "--server URL", "Complete up to entry 6")
	honest := v.serve(func(path string) string {
		if path == strings.TrimPrefix(jamLink, "https://id.gs1.org") {
			return v.journey(third)
		}
		return ""
	})
	v.run("by another's service", 0, []string{three, "--state", state, "--server", honest}, "The log v.example/log at size 6 continues the one that was seen at size 4.", "The log v.example/log/index at size 3 continues")
	v.run("an older one", 0, []string{one, "--state", state, "--server", honest}, "size 4 is the beginning of the one that was seen at size 6")
	saved := filepath.Join(v.dir, "saved.proof.json")
	link := honest + strings.TrimPrefix(jamLink, "https://id.gs1.org")
	v.run("by the product's link", 0, []string{link, "--state", state, "--save", saved}, "Complete up to entry 6")
	v.run("what was saved", 0, []string{saved, "--id", jamLink}, "Complete up to entry 6")
	if text, err := os.ReadFile(saved); err != nil || !bytes.Equal(text, []byte(v.proof(third))) {
		t.Errorf("it saved %.200s (%v)", text, err)
	}

	// The same keys and cosigners, and another log from position 4 on.
	fork := *v
	fork.World = &verifytest.World{
		T: t, Origin: v.Origin, LogKey: v.LogKey, IndexKey: v.IndexKey, Operator: v.Operator, LogCosigners: v.LogCosigners, IndexCosigners: v.IndexCosigners,
	}
	for _, leaf := range v.Log.Leaves[:4] {
		fork.Log.Add(leaf)
	}
	for range 2 {
		fork.observe(jamLot)
	}
	same := fork.now()
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	v.run("a fork of one size", 1, []string{v.file("fork.proof.json", fork.proof(same)), "--state", state}, "NOT VERIFIED: the log was shown in two versions", "they are evidence", "Seen before:\n    v.example/log\n    6\n")
	v.run("a fork of one size, for programs", 1, []string{v.file("fork.proof.json", fork.proof(same)), "--state", state, "--json"}, `"reason":"fork"`, `"evidence":{"seen":"v.example/log\n6\n`)
	v.run("two files of two logs", 1, []string{three, v.file("fork.proof.json", fork.proof(same))}, "the log was shown in two versions")
	fork.observe(jamLot)
	longer := fork.now()
	liar := fork.serve(func(path string) string { return fork.journey(longer) })
	v.run("a longer fork", 1, []string{liar + strings.TrimPrefix(jamLink, "https://id.gs1.org"), "--state", state}, "NOT VERIFIED: the checkpoints are not proved to be of one log", "they are evidence")
	v.run("a longer fork, of which a service has nothing", 2, []string{v.file("longer.proof.json", fork.proof(longer)), "--state", state, "--server", honest}, "NOT COMPARED")
	v.run("a server and no state", 2, []string{one, "--server", honest}, "there is no --state")
	if after, err := os.ReadFile(state); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a fork was remembered: %s (%v)", after, err)
	}
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state's mode: %v, %v", info, err)
	}
	v.run("a damaged state", 2, []string{one, "--state", v.file("damaged.json", "x")}, "--state")
}

// TestVerifyURL: what the URL names was asked for, whatever the answer says.
func TestVerifyURL(t *testing.T) {
	v := newVerified(t)
	s := v.now()
	index := v.Log.Size() - 1
	url := v.serve(func(path string) string {
		switch path {
		case "/v1/history":
			return string(s.History(historyindex.Key{Kind: historyindex.By, Identifier: "mill"}).Append(nil))
		case "/v1/event":
			return v.receipt(s, index)
		case "/nothing":
			return ""
		}
		return v.journey(s)
	})
	v.run("a journey", 0, []string{url + "/v1/journey?id=" + jamItem}, "Complete up to entry 4")
	v.run("a page's address", 0, []string{url + "/id?id=" + jamLink}, "Complete up to entry 4")
	v.run("a link", 0, []string{url + "/01/09506000134352/10/J1/21/7"}, "Complete up to entry 4")
	v.run("a link of another thing", 1, []string{url + "/01/09506000134352/10/OTHER"}, "NOT VERIFIED", "OTHER")
	v.run("a history", 0, []string{url + "/v1/history?id=mill&kind=by"}, "entries about by mill are here")
	v.run("a history of another kind", 1, []string{url + "/v1/history?id=mill&kind=participant"}, "something other than what was asked for")
	v.run("a history by default of kind object", 1, []string{url + "/v1/history?id=mill"}, "something other than what was asked for")
	v.run("an event", 0, []string{url + "/v1/event?id=urn:e:" + fmt.Sprint(index)}, "position 3 of 4")
	v.run("another event", 1, []string{url + "/v1/event?id=urn:e:9"}, "it is the event urn:e:3, and the question was urn:e:9")
	// A server that answers with less than was asked for.
	old := v.Publish(uint64(time.Now().Add(-48 * time.Hour).Unix()))
	saved := history.Proof{ID: jamLink, Journey: *old.Journey(jamLink, verify.Trust{Policy: v.trust.Policy})}
	for _, c := range []struct{ name, answer, path string }{
		{"a history for a journey", string(s.History(historyindex.Key{Kind: historyindex.Object, Identifier: jamItem}).Append(nil)), "/v1/journey?id=" + jamItem},
		{"a history for a link", string(s.History(historyindex.Key{Kind: historyindex.Object, Identifier: jamItem}).Append(nil)), "/01/09506000134352/10/J1/21/7"},
		{"an old proof for a journey", string(saved.Append(nil)), "/v1/journey?id=" + jamLink},
		{"a receipt for a journey", v.receipt(s, index), "/v1/journey?id=" + jamItem},
		{"a journey for an event", v.journey(s), "/v1/event?id=urn:e:3"},
		{"a journey for a history", v.journey(s), "/v1/history?id=" + jamItem},
	} {
		less := v.serve(func(string) string { return c.answer })
		v.run(c.name, 1, []string{less + c.path}, "NOT VERIFIED", "something other than what was asked for")
	}
	v.run("nothing there", 2, []string{url + "/nothing"}, "NOT CHECKED")
	v.run("nobody there", 2, []string{"http://127.0.0.1:1/01/09506000134352/10/J1"}, "NOT CHECKED")
}
