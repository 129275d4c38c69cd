package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/gateway/web/verifier"
	"github.com/tallyroot/tallyroot/internal/liar"
)

// TestPanel opens the pages of the demonstration as shoppers do, with witnesses and
// without: each says what was proved, and no more.
func TestPanel(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes a while")
	}
	ctx := startBrowser(t)
	t.Run("without witnesses", func(t *testing.T) {
		d := startDemo(t, "--data", filepath.Join(t.TempDir(), "demo"), "--json")
		r := d.result()
		waitReady(t, r.URL)
		visit(t, ctx, r.Page).is(t, "part", "", "Checked on your device, in part", "Nothing was changed. Only the operator says that nothing is missing.",
			"according to the operator’s index; not independently rebuilt.", "no witness vouches for it (quorum none)", "All 43 entries stand in the log")
		visit(t, ctx, r.URL+"/01/09506000134352").is(t, "part", "", "Nothing is logged about this, says the log’s operator.")
		d.end()
	})
	d := startDemo(t, "--data", filepath.Join(t.TempDir(), "demo"), "--witnesses", "--json")
	r := d.result()
	waitReady(t, r.URL)
	whole := []string{
		"Nothing is missing, and nothing was changed.", "Complete up to entry ", ", witnessed at ", "by the keys that this server names",
		"demo.tallyroot.example/witness-verifier, not the operator, went through the whole log: it holds nothing else about this.",
		"They are: demo.tallyroot.example/witness-one, demo.tallyroot.example/witness-two.", "every signature holds",
	}
	visit(t, ctx, r.Page).is(t, "good", "", append(whole, "All 43 entries stand in the log")...)
	for _, path := range []string{"/01/09506000100340/10/PUR-1002", "/01/09506000100104/10/A-0914", "/00/095060000000003016", "/id?id=https%3A%2F%2Fid.gs1.org%2F01%2F09506000100272%2F10%2FP-0918"} {
		t.Run(path, func(t *testing.T) { visit(t, ctx, r.URL+path).is(t, "good", "", whole...) })
	}
	visit(t, ctx, r.URL+"/01/09506000134352").is(t, "part", "", "Nothing is logged about this, and that is proved.", "Complete up to entry ")
	visit(t, ctx, r.URL+"/414/9520001000034").is(t, "good", "", "The one entry stands in the log") // a place

	// What the page saves, the program takes.
	visit(t, ctx, r.Page)
	saved := evaluate[string](t, ctx, `new Promise((resolve) => {
		URL.createObjectURL = (blob) => { resolve(blob.text()); return "#"; };
		[...document.querySelectorAll("#verification button")].find((b) => b.textContent === "Save the proof").click();
	})`)
	file := filepath.Join(t.TempDir(), "jar.proof.json")
	if err := os.WriteFile(file, []byte(saved), 0o600); err != nil {
		t.Fatal(err)
	}
	trust := []string{"--policy", r.Policy, "--index-policy", r.IndexPolicy, "--index-verifier", r.IndexVerifier, "--id", r.ID}
	if out, err := exec.Command("tallyroot", append([]string{"verify", file}, trust...)...).CombinedOutput(); err != nil || !strings.Contains(string(out), "Complete up to entry ") {
		t.Errorf("verify: %v: %s", err, out)
	}
	d.end()
}

// TestPanelOfLiar puts a dishonest operator in front of a real service: its pages stay
// as they are, and the proofs beside them lie as well as they can.
func TestPanelOfLiar(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes a while")
	}
	ctx := startBrowser(t)
	l := newLied(t)
	for _, step := range []string{"commissioning", "packing", "shipping"} {
		l.log(step)
	}
	before := l.take()
	page := l.url + strings.TrimPrefix(lotLink, "https://id.gs1.org")
	_, oldPage := get(t, page)
	pinned := "#policy=" + l.fragment("")
	visit(t, ctx, page+pinned).is(t, "good", "", "All 3 entries stand in the log")
	l.log("receiving")
	l.log("retail_selling")
	now := l.take()
	address, err := url.Parse(l.client.Server())
	if err != nil {
		t.Fatal(err)
	}
	service := httputil.NewSingleHostReverseProxy(address)
	hidden := now.Find(lotLink)[2]

	visit(t, ctx, page+pinned).is(t, "good", "", "Nothing is missing, and nothing was changed.", "All 5 entries stand in the log", "from the link that led here",
		"It continues the log as this device saw it on ", "It continues the log’s index as this device saw it on ")
	// The service does not say who rebuilds its index, and so its keys show less.
	visit(t, ctx, page).is(t, "part", "", "not independently rebuilt")

	for _, c := range []struct {
		face   *liar.Face
		reason string
		text   string
	}{
		{now.ForkedLog(hidden, 1), "index-quorum", "too few vouch that nothing was left out"},
		{now.HiddenEntry(hidden), "index-quorum", "too few vouch that nothing was left out"},
		{now.FrozenIndex(before.World.Log.Size()), "index-quorum", "too few vouch that nothing was left out"},
		{now.OtherIndex(other(t)), "index-quorum", "too few vouch that nothing was left out"},
	} {
		t.Run(c.face.Name, func(t *testing.T) {
			l.tell(c.face)
			l.show(c.face.Handler(service))
			visit(t, ctx, page+pinned).is(t, "bad", c.reason, "Do not rely on this", c.text)
		})
	}
	t.Run("replayed log checkpoint", func(t *testing.T) {
		l.show(now.OldLogCheckpoint(before).Handler(service)) // cosigned as it was
		visit(t, ctx, page+pinned).is(t, "bad", "log-leaf", "Do not rely on this", "newer entries may be hidden")
	})
	t.Run("hidden from the page alone", func(t *testing.T) {
		l.show(changedPage(service, func(text string) string {
			before, after, _ := strings.Cut(text, fmt.Sprintf(`" id="e%d">`, hidden))
			_, after, _ = strings.Cut(after, "\n</div></li>")
			return before[:strings.LastIndex(before, "<li")] + after
		}))
		visit(t, ctx, page+pinned).is(t, "bad", "page-hides", "it hides 1 entry that stands in the log", "The proofs themselves hold", fmt.Sprintf("entry %d", hidden))
	})
	// Everything that is replayed was good once.
	replayed := before.Replayed().Handler(service)
	l.show(changedPage(replayed, func(string) string { return oldPage }))
	t.Run("replayed to a device that was here", func(t *testing.T) {
		visit(t, ctx, page+pinned).is(t, "bad", "inconsistent", "the log is not shown to continue what this device saw on ")
	})
	evaluate[bool](t, ctx, "localStorage.clear(), true")
	t.Run("replayed to a newcomer", func(t *testing.T) {
		visit(t, ctx, page+pinned).is(t, "good", "", "All 3 entries stand in the log") // it was so, not long ago
		waitFor(t, "age of more than a second", func() bool { return visit(t, ctx, page+"#policy="+l.fragment("1")).Reason == "stale" })
	})
	t.Run("replayed beside the newest page", func(t *testing.T) {
		l.show(replayed)
		visit(t, ctx, page+pinned).is(t, "part", "newer", "2 steps of this page are newer than the proof, and not checked.")
	})
}

// fragment is the trust in both policies and the index-verifier as a link has it.
func (l *lied) fragment(maxAge string) string {
	var key string
	for _, w := range l.index.Witnesses() {
		key = w.Key
	}
	b, err := json.Marshal(verifier.Trust{LogPolicy: l.logPolicy.String(), IndexPolicy: l.index.String(), IndexVerifiers: []string{key}, MaxAge: maxAge})
	if err != nil {
		l.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// changedPage changes the pages that a service makes, and nothing else that it says.
func changedPage(service http.Handler, change func(string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/01/") {
			service.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Accept-Encoding")
		r.Header.Del("If-None-Match")
		record := httptest.NewRecorder()
		service.ServeHTTP(record, r)
		text := change(record.Body.String())
		for name := range record.Header() {
			if name != "Content-Length" && name != "Etag" {
				w.Header()[name] = record.Header()[name]
			}
		}
		_, _ = io.WriteString(w, text)
	})
}
