package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/internal/liar"
	"github.com/tallyroot/tallyroot/provenance/audit"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const lotLink = "https://id.gs1.org/01/09506000134352/10/LOT-7"

// A lied is a service with two witnesses and an index-verifier, each a process of its
// own, whose operator begins to lie. Readers and the index-verifier always ask at one
// address, at which first the service answers and then the liar.
type lied struct {
	*killed
	witnesses []*killedWitness
	verifier  *runningVerifier
	url       string
	front     atomic.Pointer[http.Handler]
	logPolicy *policy.Policy
	index     *policy.Policy
	witnessed []string // the reader's flags: both policies
	onlyLog   []string // the log's policy alone
	onlyKey   []string // the log's key alone
}

func newLied(t *testing.T) *lied {
	l := &lied{killed: killedIn(t, t.TempDir())}
	data := filepath.Join(l.dir, "data")
	if out, err := exec.Command("tallyroot", "log", "key", "--data", data, "--origin", "kill.example/log").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.show(http.NotFoundHandler())
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*l.front.Load()).ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	l.url = front.URL
	logKey, indexKey := filepath.Join(data, "log.vkey"), filepath.Join(data, "index.vkey")
	l.verifier = &runningVerifier{t: t, dir: filepath.Join(l.dir, "verifier"), listen: "127.0.0.1:0", url: l.url, logKey: logKey, indexKey: indexKey}
	l.verifier.start()
	logText := "log " + l.read(logKey)
	for _, name := range []string{"one", "two"} {
		w := &killedWitness{t: t, name: name, dir: filepath.Join(l.dir, name), logKey: logKey, listen: "127.0.0.1:0"}
		w.start()
		l.witnesses = append(l.witnesses, w)
		logText += fmt.Sprintf("witness %s %s http://%s\n", name, w.key, w.listen)
	}
	logText += "group both all one two\nquorum both\n"
	indexText := "log " + l.read(indexKey) + fmt.Sprintf("witness verifier %s http://%s\nquorum verifier\n", l.verifier.key, l.verifier.listen)
	var logFile, indexFile string
	l.logPolicy, logFile = l.policyOf("log.policy", logText)
	l.index, indexFile = l.policyOf("index.policy", indexText)
	l.killed.flags = []string{"--policy", logFile, "--index-policy", indexFile}
	l.onlyKey, l.onlyLog = []string{"--log-key", logKey}, []string{"--policy", logFile}
	l.witnessed = []string{"--policy", logFile, "--index-policy", indexFile, "--index-verifier", "verifier"}
	l.start()
	service, err := url.Parse(l.client.Server())
	if err != nil {
		t.Fatal(err)
	}
	l.show(httputil.NewSingleHostReverseProxy(service))
	l.addParticipant()
	return l
}

func (l *lied) read(file string) string {
	l.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

func (l *lied) policyOf(name, text string) (*policy.Policy, string) {
	l.t.Helper()
	p, err := policy.Parse([]byte(text))
	if err != nil {
		l.t.Fatal(err)
	}
	return p, l.write(name, text)
}

func (l *lied) write(name, text string) string {
	l.t.Helper()
	file := filepath.Join(l.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return file
}

func (l *lied) show(h http.Handler) { l.front.Store(&h) }

// log logs an event about a lot.
func (l *lied) log(step string) {
	l.t.Helper()
	body := fmt.Appendf(nil, `{"type":"ObjectEvent","eventTime":"2026-09-14T09:00:00Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":[],"quantityList":[{"epcClass":"urn:epc:class:lgtin:9506000.013435.LOT-7"}],"bizStep":%q}`, step)
	_, err := l.client.Do(context.Background(), client.Request{Method: http.MethodPost, Path: "/v1/events", Type: client.TypeJSON, Body: body})
	if err != nil {
		l.t.Fatal(err)
	}
}

// take takes what the service has, once its index has caught up.
func (l *lied) take() (o *liar.Operator) {
	l.t.Helper()
	waitFor(l.t, "index of the whole log", func() (ok bool) {
		o, ok = liar.Take(l.t, filepath.Join(l.dir, "data"))
		return ok
	})
	return o
}

// tell shows a face, after its operator asked all witnesses to cosign. It gives how
// they answered, by their names.
func (l *lied) tell(f *liar.Face) map[string]int {
	l.t.Helper()
	l.show(f.Handler(nil))
	answers, err := f.AskLog(l.t.Context(), l.logPolicy)
	if err != nil {
		l.t.Fatalf("%s: %v", f.Name, err)
	}
	more, err := f.AskIndex(l.t.Context(), l.index)
	if err != nil {
		l.t.Fatalf("%s: %v", f.Name, err)
	}
	said := map[string]int{}
	for _, a := range append(answers, more...) {
		said[a.Witness] = a.Status
	}
	return said
}

// refused wants answers of two witnesses and the index-verifier.
func (l *lied) answers(f *liar.Face, said map[string]int, one, two, verifier int) {
	l.t.Helper()
	for name, want := range map[string]int{"one": one, "two": two, "verifier": verifier} {
		if said[name] != want {
			l.t.Errorf("%s: %s answers %d, want %d", f.Name, name, said[name], want)
		}
	}
}

// verify runs `tallyroot verify` on what the liar answers about the lot, and wants an
// exit code and a reason, and what it says.
func (l *lied) verify(f *liar.Face, trust []string, code int, reason string, more ...string) finding {
	l.t.Helper()
	args := slices.Concat([]string{"verify", l.url + strings.TrimPrefix(lotLink, "https://id.gs1.org"), "--json"}, trust, more)
	cmd := exec.Command("tallyroot", args...)
	out, err := cmd.Output()
	var all []finding
	for line := range strings.Lines(string(out)) {
		var found finding
		if err := json.Unmarshal([]byte(line), &found); err != nil {
			l.t.Fatalf("%s: %v: %s", f.Name, err, out)
		}
		all = append(all, found)
	}
	if len(all) == 0 {
		l.t.Fatalf("%s: verify %q says nothing (%v)", f.Name, args, err)
	}
	last := all[len(all)-1]
	if have := cmd.ProcessState.ExitCode(); have != code || last.Reason != reason {
		l.t.Errorf("%s: verify %q ends with %d (%q), want %d (%q): %s", f.Name, trust, have, last.Reason, code, reason, out)
	}
	return all[0]
}

// audit runs `tallyroot audit` on the liar's logs, and wants an exit code and the kind
// of a finding.
func (l *lied) audit(f *liar.Face, trust []string, code int, kind audit.Kind, more ...string) {
	l.t.Helper()
	if i := slices.Index(trust, "--index-verifier"); i >= 0 { // it rebuilds the index itself
		trust = slices.Delete(slices.Clone(trust), i, i+2)
	}
	cmd := exec.Command("tallyroot", slices.Concat([]string{"audit", l.url, "--json", "--index-wait", "1s"}, trust, more)...)
	out, err := cmd.Output()
	var report struct{ Findings []audit.Finding }
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		l.t.Fatalf("%s: audit: %v, %v: %s", f.Name, err, jsonErr, out)
	}
	is := func(f audit.Finding) bool { return f.Kind == kind }
	if have := cmd.ProcessState.ExitCode(); have != code || kind != "" && !slices.ContainsFunc(report.Findings, is) || kind == "" && len(report.Findings) > 0 {
		l.t.Errorf("%s: audit %q ends with %d, want %d, %q: %s", f.Name, trust, have, code, kind, out)
	}
}

// receipt writes the entry at a position with its receipt into a file.
func (l *lied) receipt(f *liar.Face, index uint64) string {
	l.t.Helper()
	text, err := json.Marshal(map[string]string{"entry": base64.StdEncoding.EncodeToString(f.World.Log.Leaves[index]), "receipt": string(f.Snapshot.Receipt(index))})
	if err != nil {
		l.t.Fatal(err)
	}
	return l.write(fmt.Sprintf("%d.json", index), string(text))
}

// TestLiar lets the operator of a real service lie in one way after the other, as well
// as it can with all of its keys and data, and asks who notices.
func TestLiar(t *testing.T) {
	l := newLied(t)
	for _, step := range []string{"commissioning", "packing", "shipping"} {
		l.log(step)
	}
	before := l.take()
	l.log("receiving")
	l.log("retail_selling")
	now := l.take()
	service := &liar.Face{Name: "the service itself"}
	if found := l.verify(service, l.witnessed, 0, ""); found.Claim != "complete" || found.Total != 5 {
		t.Errorf("the service itself: %+v", found)
	}
	if err := l.kill(); err != nil { // from now on the operator answers itself
		t.Fatal(err)
	}
	positions := now.Find(lotLink)
	if len(positions) != 5 {
		t.Fatalf("the lot's entries: %v", positions)
	}
	hidden := positions[2]
	size := now.World.Log.Size()

	// What is true passes, so that what follows is noticed for what it is.
	truth := now.Truth()
	l.answers(truth, l.tell(truth), 200, 200, 200)
	state, lonely := filepath.Join(l.dir, "seen.json"), filepath.Join(l.dir, "lonely.json")
	found := l.verify(truth, l.witnessed, 0, "", "--state", state)
	if found.Claim != "complete" || found.Size != size || found.Total != 5 || strings.Join(found.Witnesses, " ") != "one two" || found.Index == nil || strings.Join(found.Index.Rebuilders, "") != "verifier" {
		t.Errorf("the truth: %+v", found)
	}
	l.verify(truth, l.onlyKey, 0, "", "--state", lonely)
	audited, lonelyAudit := filepath.Join(l.dir, "audited.json"), filepath.Join(l.dir, "lonely-audit.json")
	l.audit(truth, l.witnessed, 0, "", "--state", audited)
	l.audit(truth, l.onlyKey, 0, "", "--state", lonelyAudit)
	receipts := []string{l.receipt(truth, hidden), l.receipt(truth, positions[4])}

	t.Run("forked log", func(t *testing.T) {
		f := now.ForkedLog(hidden, 1)
		// Its index log is the shorter one.
		l.answers(f, l.tell(f), 422, 422, 409)
		l.verify(f, l.witnessed, 1, "index-quorum")
		l.verify(f, l.onlyLog, 1, "log-quorum")
		for _, w := range l.witnesses {
			if kept, err := os.ReadDir(filepath.Join(w.dir, "forks")); err != nil || len(kept) == 0 {
				t.Errorf("the witness %s keeps no proof of the fork (%v)", w.name, err)
			}
		}
		// Whoever asks for no witness sees nothing, unless it was here before.
		if found := l.verify(f, l.onlyKey, 0, ""); found.Claim != "complete-by-operator" || found.Total != 4 {
			t.Errorf("without witnesses: %+v", found)
		}
		if found := l.verify(f, l.onlyKey, 1, "fork", "--state", lonely); found.Evidence == nil {
			t.Errorf("no evidence: %+v", found)
		}
		l.audit(f, l.witnessed, 1, audit.Checkpoint)
		l.audit(f, l.onlyLog, 1, audit.Checkpoint, "--state", audited)
		l.audit(f, l.onlyKey, 0, "")
		l.audit(f, l.onlyKey, 1, audit.Fork, "--state", lonelyAudit)
		now.Moved(f)
		l.verify(f, l.witnessed, 1, "index-signature")
		l.verify(f, l.onlyLog, 1, "log-signature")
		l.audit(f, l.witnessed, 1, audit.Checkpoint)
	})
	t.Run("forked log, longer", func(t *testing.T) {
		f := now.ForkedLog(hidden, 3)
		l.answers(f, l.tell(f), 422, 422, 409)
		l.verify(f, l.onlyLog, 1, "log-quorum")
		l.verify(f, l.onlyKey, 1, "inconsistent", "--state", lonely)
		l.audit(f, l.onlyKey, 1, audit.Fork, "--state", lonelyAudit)
	})
	for _, c := range []struct {
		face    *liar.Face
		entries int // those that it shows
	}{
		{now.HiddenEntry(hidden), 4},
		{now.FrozenIndex(before.World.Log.Size()), 3},
		{now.OtherIndex(other(t)), 0},
	} {
		t.Run(c.face.Name, func(t *testing.T) {
			// The log is as it should be: its witnesses have nothing against it.
			l.answers(c.face, l.tell(c.face), 200, 200, 422)
			l.verify(c.face, l.witnessed, 1, "index-quorum")
			// Nobody rebuilds the index for those who ask for no index-verifier: only
			// who holds a receipt sees what is not shown.
			if found := l.verify(c.face, l.onlyLog, 0, ""); found.Claim != "complete-by-operator" || found.Total != c.entries {
				t.Errorf("without an index-verifier: %+v", found)
			}
			l.verify(c.face, l.onlyLog, 1, "hidden", receipts...)
			// An audit rebuilds it.
			l.audit(c.face, l.onlyLog, 1, audit.IndexLeaf)
			l.audit(c.face, l.witnessed, 1, audit.Checkpoint)
		})
	}
	if _, err := os.Stat(filepath.Join(l.verifier.dir, "rebuilt", "refuted", "reason")); err != nil {
		t.Errorf("the index-verifier keeps no proof: %v", err)
	}
	t.Run("another log's leaf", func(t *testing.T) {
		f := now.OtherLogsLeaf(other(t))
		l.answers(f, l.tell(f), 200, 200, 422)
		l.verify(f, l.witnessed, 1, "index-quorum")
		l.verify(f, l.onlyLog, 1, "leaf-log")
		l.audit(f, l.onlyLog, 1, audit.IndexLeaf)
	})
	t.Run("replayed log checkpoint", func(t *testing.T) {
		f := now.OldLogCheckpoint(before)
		l.show(f.Handler(nil))
		l.verify(f, l.witnessed, 1, "log-leaf")
		l.verify(f, l.onlyKey, 1, "inclusion") // of the first entry, which names the index log's key
		l.audit(f, l.witnessed, 1, audit.RolledBack, "--state", audited)
	})
	t.Run("leaf ahead of the log", func(t *testing.T) {
		f := now.LeafAhead()
		l.show(f.Handler(nil))
		// The entries may still come.
		if said, err := f.AskIndex(t.Context(), l.index); err != nil || len(said) != 1 || said[0].Status != http.StatusServiceUnavailable {
			t.Errorf("the index-verifier answers %+v, %v", said, err)
		}
		l.verify(f, l.witnessed, 1, "index-quorum")
		l.verify(f, l.onlyLog, 1, "inclusion") // of an entry, in the tree that the leaf is about
		l.audit(f, l.onlyLog, 1, audit.IndexLeaf)
	})
	t.Run("history for a journey", func(t *testing.T) {
		f := now.HistoryForJourney()
		l.show(f.Handler(nil))
		l.verify(f, l.witnessed, 1, "asked")
		l.verify(f, l.onlyKey, 1, "asked")
		l.audit(f, l.witnessed, 0, "") // which reads the logs themselves
	})
	t.Run("replayed", func(t *testing.T) {
		f := before.Replayed()
		l.show(f.Handler(nil))
		found := l.verify(f, l.witnessed, 0, "")
		if found.Total != 3 || found.Time == nil {
			t.Fatalf("a good proof of a while ago: %+v", found)
		}
		l.verify(f, l.witnessed, 1, reasonOlder, "--state", state)
		waitFor(t, "age of two seconds", func() bool { return time.Since(*found.Time) > 2*time.Second })
		l.verify(f, l.witnessed, 1, "stale", "--max-age", "1s")
		l.audit(f, l.witnessed, 0, "")
		l.audit(f, l.witnessed, 1, audit.Stale, "--max-age", "1s")
		l.audit(f, l.witnessed, 1, audit.RolledBack, "--state", audited)
	})
	t.Run("truth again", func(t *testing.T) {
		f := now.Grown()
		l.answers(f, l.tell(f), 200, 200, 200)
		l.verify(f, l.witnessed, 0, "", append([]string{"--state", state, "--server", l.url}, receipts...)...)
		l.verify(f, l.onlyKey, 0, "", "--state", lonely)
		l.audit(f, l.witnessed, 0, "", "--state", audited)
		l.audit(f, l.onlyKey, 0, "", "--state", lonelyAudit)
	})
}

// other is another operator's log, about other things.
func other(t testing.TB) *verifytest.World {
	w := verifytest.New(t, "other.example/log")
	key := w.Managed("mill", "")
	w.Register("mill", nil, key)
	for n := range 5 {
		w.Sign(verifytest.JSON(t, fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:e:%d","eventTime":"2026-11-01T00:00:00Z","action":"OBSERVE","epcList":["urn:other:%d"]}`, n, n)), key)
	}
	return w
}
