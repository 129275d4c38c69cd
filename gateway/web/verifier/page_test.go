package verifier_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/tallyroot/tallyroot/gateway/web/verifier"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

const (
	origin = "page.example/log"
	juice  = "https://id.gs1.org/01/09506000134352/10/JUICE-1"
	path   = "/01/09506000134352/10/JUICE-1"

	patience = time.Minute
)

// A story is a log with witnesses and an index-verifier, and what a service answers
// from it.
type story struct {
	*verifytest.World
	snapshot *verifytest.Snapshot
	trust    verifier.Trust
}

// tell logs ten lots of fruit and the juice that was made from them: 60 entries, among
// others that are not about it.
func tell(t testing.TB) *story {
	t.Helper()
	return tellWith(t, "urn:x:other")
}

// tellWith makes the other entries be about something of that name; all keys are the
// same.
func tellWith(t testing.TB, other string) *story {
	t.Helper()
	w := verifytest.New(t, origin)
	w.LogCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("witness.example/1"), verifytest.NewCosigner("witness.example/2")}
	w.IndexCosigners = []*verifytest.Cosigner{verifytest.NewCosigner("rebuilder.example/1")}
	var farms []*entry.Key
	for i := range 4 {
		id := fmt.Sprintf("farm-%d", i)
		farms = append(farms, w.Own(id, ""))
		w.Register(id, []string{"9506000"}, w.Own(id, ""))
	}
	mill, shop := w.Managed("mill", ""), w.Managed("shop", "")
	w.Register("mill", []string{"9506000"}, mill)
	w.Register("shop", nil, shop)
	n := 0
	log := func(text string, keys ...*entry.Key) {
		n++
		at := time.Date(2026, 3, 1, 8, n, 0, 0, time.UTC).Format(time.RFC3339)
		w.Sign(verifytest.JSON(t, fmt.Sprintf(`{"eventID":"urn:uuid:%04d","eventTime":"%s","eventTimeZoneOffset":"+00:00",%s}`, n, at, text)), keys...)
	}
	var lots []string
	for i := range 10 {
		lot := fmt.Sprintf("https://id.gs1.org/01/09506000100340/10/LOT-%d", i)
		lots = append(lots, `{"epcClass":"`+lot+`","quantity":100,"uom":"KGM"}`)
		for step := range 5 {
			action := "OBSERVE"
			if step == 0 {
				action = "ADD"
			}
			log(`"type":"ObjectEvent","action":"`+action+`","bizStep":"storing","quantityList":[`+lots[i]+`]`, farms[i%len(farms)])
			for range 10 {
				log(fmt.Sprintf(`"type":"ObjectEvent","action":"OBSERVE","epcList":["%s:%d"]`, other, n), mill)
			}
		}
	}
	log(`"type":"TransformationEvent","inputQuantityList":[`+strings.Join(lots, ",")+`],"outputQuantityList":[{"epcClass":"`+juice+`"}]`, mill)
	log(`"type":"AggregationEvent","action":"ADD","parentID":"urn:epc:id:sscc:9506000.0000000301","childQuantityList":[{"epcClass":"`+juice+`"}]`, mill)
	for range 4 {
		log(`"type":"ObjectEvent","action":"OBSERVE","bizStep":"shipping","epcList":["urn:epc:id:sscc:9506000.0000000301"]`, mill, shop)
	}
	for range 4 {
		log(`"type":"ObjectEvent","action":"OBSERVE","bizStep":"retail_selling","quantityList":[{"epcClass":"`+juice+`"}]`, shop)
	}
	s := &story{World: w, trust: verifier.Trust{
		LogPolicy: w.LogPolicy(), IndexPolicy: w.IndexPolicy(), IndexVerifiers: []string{w.IndexCosigners[0].Verifier()}, OperatorKey: w.Operator.Verifier().String(),
	}}
	s.snapshot = w.Publish(uint64(time.Now().Unix()))
	return s
}

// goTrust is the same trust for the Go verifier.
func (s *story) goTrust() verify.Trust {
	read := func(text string) *policy.Policy {
		p, err := policy.Parse([]byte(text))
		if err != nil {
			s.T.Fatal(err)
		}
		return p
	}
	return verify.Trust{Policy: read(s.trust.LogPolicy), IndexPolicy: read(s.trust.IndexPolicy), IndexVerifiers: s.trust.IndexVerifiers, OperatorKey: s.trust.OperatorKey}
}

func (s *story) journey() *history.Journey { return s.snapshot.Journey(juice, s.goTrust()) }

// A step is one of a page.
type step struct {
	Index       uint64
	Class, Time string
}

// page gives the steps of an honest page about what the journey is about.
func (s *story) page(j *history.Journey) (steps []step) {
	v, err := verify.Journey(j.Append(nil), juice, s.goTrust())
	if err != nil {
		s.T.Fatal(err)
	}
	for _, each := range v.Journey.Steps {
		e := v.Entry(each)
		at, _ := e.Entry.JSON.Get("eventTime")
		steps = append(steps, step{Index: each.Index, Time: at.Text()})
	}
	return steps
}

// A host serves one page with the panel, and what the test says is the journey.
type host struct {
	*httptest.Server
	story *story

	mu      sync.Mutex
	journey []byte
	status  int
	trust   verifier.Trust
	workers string // a directive that stands before the others
	steps   []step // that the page shows
	size    uint64 // the log's, by the page's word
	cut     int    // how many steps the page says that it left out
	alert   string
	service string // the host that has the journey, if it is another one
	proofs  int    // the status with which consistency proofs are answered
	served  func() // called before a page is answered; may be nil
	asked   []string
}

// serve serves what is honest about the story.
func serve(t testing.TB, s *story) *host {
	t.Helper()
	j := s.journey()
	h := &host{story: s, status: http.StatusOK, proofs: http.StatusOK, journey: j.Append(nil), trust: s.trust, steps: s.page(j), size: s.snapshot.Size}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r.URL.Path)
	w.Header().Set("Content-Security-Policy", h.workers+"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "+verifier.ContentSecurityPolicy+" "+h.service)
	switch r.URL.Path {
	case "/v1/journey":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*") // as the service has it
		w.WriteHeader(h.status)
		_, _ = w.Write(h.journey)
	case "/v1/proof/consistency":
		h.consistency(w, r)
	case "/blank":
	case "/assets/verifier.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(verifier.Script)
	case "/assets/panel.css":
		w.Header().Set("Content-Type", "text/css")
		_, _ = w.Write(verifier.Style)
	default:
		if h.served != nil {
			h.served()
		}
		panel, err := verifier.Panel{
			ID: juice, Journey: h.service + "/v1/journey?id=" + juice, Consistency: h.service + "/v1/proof/consistency", Script: "/assets/verifier.js",
			Trust: h.trust, Size: h.size, Cut: h.cut,
		}.HTML()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Juice</title><link rel="stylesheet" href="/assets/panel.css"><main><h1>Juice</h1><p class="alert">%s</p><ol>`, h.alert)
		for _, step := range h.steps {
			fmt.Fprintf(w, `<li class="step %s" id="e%d"><time datetime="%s"></time><details class="proof"><summary>Entry</summary><p class="read"></p></details></li>`, step.Class, step.Index, step.Time)
		}
		fmt.Fprintf(w, "</ol>%s</main>", panel)
	}
}

// consistency answers as the service does, for both logs.
func (h *host) consistency(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.ParseUint(r.FormValue("from"), 10, 64)
	to, _ := strconv.ParseUint(r.FormValue("to"), 10, 64)
	tree := &h.story.Log
	if r.FormValue("log") == "index" {
		tree = &h.story.Index
	}
	if h.proofs != http.StatusOK || from > to || to > tree.Size() {
		http.Error(w, "no", max(h.proofs, http.StatusBadRequest))
		return
	}
	proof := [][]byte{}
	for _, hash := range tree.Consistency(from, to) {
		proof = append(proof, hash[:])
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"from": r.FormValue("from"), "to": r.FormValue("to"), "proof": proof})
}

// browser starts Chromium, for all tests of this process that run in it one after the
// other.
func browser(t testing.TB) context.Context {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("TALLYROOT_TEST_ALL") != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("chromium is not installed (make tools installs it)")
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*patience)
	t.Cleanup(cancel)
	count := page.AddScriptToEvaluateOnNewDocumentParams{Source: countWorkers}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, count); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// countWorkers counts what workers answer.
const countWorkers = `var workerAnswers = 0;
if (window.Worker) window.Worker = class extends Worker {
	constructor(address) {
		super(address);
		this.addEventListener("message", ({ data }) => data === "ready" || workerAnswers++);
	}
};`

// A seen is what the panel says.
type seen struct {
	Tone, Reason, Text string
	First              bool // it stands before all else in the page
}

const look = `(async () => {
	let panel;
	while ((panel = document.getElementById("verification"))?.ariaBusy !== "false") await new Promise((resolve) => setTimeout(resolve, 20));
	return { Tone: panel.classList[1], Reason: panel.dataset.reason ?? "", Text: [...panel.querySelectorAll("h2, p, li, summary")].map((e) => e.textContent).join("\n"), First: !panel.previousElementSibling };
})()`

// set changes what the host serves.
func (h *host) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// open loads the page, at the address behind its path, in a browser that was never
// here, and waits for the panel.
func (h *host) open(t testing.TB, ctx context.Context, behind string) seen {
	t.Helper()
	h.forget(t, ctx)
	return h.visit(t, ctx, behind)
}

func (h *host) forget(t testing.TB, ctx context.Context) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(h.URL+"/blank")); err != nil {
		t.Fatal(err)
	}
	evaluate[bool](t, ctx, "localStorage.clear(), sessionStorage.clear(), true")
}

// visit loads the page in a browser that may have been here.
func (h *host) visit(t testing.TB, ctx context.Context, behind string) seen {
	t.Helper()
	// A page of which only the fragment changes is not loaded again.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(h.URL+path+behind)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		v, err := chromedp.Run(ctx, chromedp.Evaluate[seen](look, chromedp.EvalAwaitPromise))
		if err == nil {
			return v
		}
		// A page that is older than its proof loads itself again.
		if time.Now().After(deadline) || !strings.Contains(err.Error(), "navigated") && !strings.Contains(err.Error(), "context") {
			t.Fatal(err)
		}
	}
}

func evaluate[T any](t testing.TB, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s seen) is(t *testing.T, tone, reason string, texts ...string) {
	t.Helper()
	if s.Tone != tone || s.Reason != reason || s.First != (tone == "bad") {
		t.Errorf("the panel is %s %q, at the top: %v; want %s %q", s.Tone, s.Reason, s.First, tone, reason)
	}
	for _, text := range texts {
		if !strings.Contains(s.Text, text) {
			t.Errorf("the panel does not hold %q", text)
		}
	}
	if t.Failed() {
		t.Logf("the panel:\n%s", s.Text)
	}
}

func TestPage(t *testing.T) {
	ctx := browser(t)
	s := tell(t)
	h := serve(t, s)
	good, steps, size := h.journey, h.steps, h.size
	digest := sha256.Sum256(verifier.Script)
	complete := []string{
		"Nothing is missing, and nothing was changed.", fmt.Sprintf("Complete up to entry %d, witnessed at ", size), "All 60 entries stand in the log", "every signature holds",
		"enough witnesses saw it at ", "They are: witness.example/1, witness.example/2.", "Who cosigned the log, by the policy’s names: w1, w2.", "rebuilder.example/1, not the operator, went through the whole log",
		fmt.Sprintf("%x", digest), ", by the keys that this server names.", "whose word this checks", "Farm-3",
	}

	t.Run("good", func(t *testing.T) {
		h.open(t, ctx, "").is(t, "good", "", complete...)
		if n := evaluate[int](t, ctx, "workerAnswers"); n != 1 {
			t.Errorf("the worker gave %d answers; want 1", n)
		}
		h.set(func() {
			for _, asked := range h.asked {
				if !slices.Contains([]string{path, "/v1/journey", "/assets/verifier.js", "/assets/panel.css", "/favicon.ico", "/blank"}, asked) {
					t.Errorf("the page asked for %s", asked)
				}
			}
		})
	})
	t.Run("a worker that is held up", func(t *testing.T) {
		stall := page.AddScriptToEvaluateOnNewDocumentParams{Source: "Worker.prototype.postMessage = () => {}"}
		added, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, stall)
		if err != nil {
			t.Fatal(err)
		}
		h.open(t, ctx, "").is(t, "good", "", complete...)
		if n := evaluate[int](t, ctx, "workerAnswers"); n != 0 {
			t.Errorf("a worker answered %d times", n)
		}
		removed := page.RemoveScriptToEvaluateOnNewDocumentParams(added)
		if _, err := chromedp.Call(ctx, page.RemoveScriptToEvaluateOnNewDocument, removed); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("no worker", func(t *testing.T) {
		h.set(func() { h.workers = "worker-src 'none'; " })
		h.open(t, ctx, "").is(t, "good", "", complete...)
		if n := evaluate[int](t, ctx, "workerAnswers"); n != 0 {
			t.Errorf("the worker gave %d answers where there may be none", n)
		}
		h.set(func() { h.workers = "" })
	})
	t.Run("no witnesses", func(t *testing.T) {
		h.set(func() { h.trust.LogPolicy = "log " + s.LogKey.Verifier().String() + "\nquorum none\n" })
		h.set(func() {
			h.trust.IndexPolicy, h.trust.IndexVerifiers = "log "+s.IndexKey.Verifier().String()+"\nquorum none\n", nil
		})
		h.open(t, ctx, "").is(t, "part", "", fmt.Sprintf("Complete up to entry %d according to the operator’s index; not independently rebuilt.", size), "quorum none")
		h.set(func() { h.trust = s.trust })
	})
	t.Run("pinned", func(t *testing.T) {
		h.set(func() { h.trust = verifier.Trust{} })
		h.open(t, ctx, "#policy="+fragment(t, s.trust)).is(t, "good", "", "from the link that led here", ", by keys that did not come from this server.")
		h.set(func() { h.trust = s.trust })
		stranger := s.trust
		stranger.LogPolicy = strings.Replace(stranger.LogPolicy, "witness w1 "+s.LogCosigners[0].Verifier(), "witness w1 "+verifytest.NewCosigner("witness.example/3").Verifier(), 1)
		h.open(t, ctx, "#policy="+fragment(t, stranger)).is(t, "bad", "log-quorum", "from the link that led here")
		h.open(t, ctx, "#policy=AAAA").is(t, "bad", "policy", "Not checked on your device", "cannot be read")
		h.set(func() { h.trust = verifier.Trust{} })
		h.open(t, ctx, "").is(t, "part", "policy", "Not checked on your device", "no keys")
		h.set(func() { h.trust = s.trust })
	})
	t.Run("answers no journey", func(t *testing.T) {
		h.set(func() { h.status = http.StatusServiceUnavailable })
		h.open(t, ctx, "").is(t, "part", "absent", "Not checked on your device", "503")
		h.set(func() { h.status, h.journey = http.StatusOK, []byte(`{"histories":`) })
		h.open(t, ctx, "").is(t, "bad", "malformed", "Do not rely on this")
		h.set(func() { h.journey = good })
	})
	t.Run("lying page", func(t *testing.T) {
		for name, c := range map[string]struct {
			change func()
			reason string
			text   string
		}{
			"a step that is not there": {func() { h.steps = append(h.steps, step{Index: 12}) }, "page-steps", "one of the steps that it shows is not in the journey"},
			"a step twice":             {func() { h.steps = append(h.steps, steps[4]) }, "page-steps", "one of the steps that it shows is not in the journey"},
			"a step of nobody's":       {func() { h.steps[0].Index = 0 }, "page-steps", "not in the journey"},
			"a hidden entry":           {func() { h.steps = h.steps[1:] }, "page-hides", "it hides 1 entry that stands in the log"},
			"more hidden than said":    {func() { h.steps, h.cut = h.steps[2:], 1 }, "page-hides", "it hides 2 entries"},
			"another time":             {func() { h.steps[3].Time = "2026-03-02T08:00:00Z" }, "page-changed", "it does not tell 1 step as the log has it"},
			"no time":                  {func() { h.steps[3].Time = "" }, "page-changed", "1 step"},
			"a withdrawal":             {func() { h.steps[3].Class = "withdrawn" }, "page-changed", "1 step"},
			"said to be older, twice":  {func() { h.steps, h.size = h.steps[1:], 2 }, "page-older", "stays so when it is loaded again"},
		} {
			h.set(func() { h.steps = slices.Clone(steps); c.change() })
			t.Run(name, func(t *testing.T) {
				h.open(t, ctx, "").is(t, "bad", c.reason, c.text)
			})
			h.set(func() { h.steps, h.size, h.cut = steps, size, 0 })
		}
	})
	t.Run("page leaves older steps out", func(t *testing.T) {
		h.set(func() { h.steps, h.cut = steps[5:], 5 })
		h.open(t, ctx, "").is(t, "good", "", "In the log, and not on this page: 5")
		h.set(func() { h.steps, h.cut = steps, 0 })
	})
	t.Run("marks", func(t *testing.T) {
		h.set(func() { h.steps = append(slices.Clone(steps), step{Index: size}) })
		h.open(t, ctx, "").is(t, "part", "newer", "1 step of this page is newer than the proof, and not checked.")
		if have := evaluate[string](t, ctx, fmt.Sprintf(`document.getElementById("e%d").textContent + document.querySelectorAll(".newer").length`, size)); have != fmt.Sprintf("Newer than the proof, and not checked: entry %d1", size) {
			t.Errorf("the newer step says %q", have)
		}
		if have := evaluate[string](t, ctx, fmt.Sprintf(`document.getElementById("e%d").textContent`, steps[0].Index)); !strings.HasPrefix(have, fmt.Sprintf("✓ Checked on your device: entry %dYour device read: 2026-03-01T08:", steps[0].Index)) {
			t.Errorf("a step says %q", have)
		}
		h.set(func() { h.steps = steps })
	})
	t.Run("hides a recall", func(t *testing.T) {
		s := tellWith(t, "urn:x:other")
		s.Sign(verifytest.JSON(t, `{"eventID":"urn:uuid:recall","type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-03-02T08:00:00Z","disposition":"recalled","quantityList":[{"epcClass":"`+juice+`"}]}`), s.Managed("shop", ""))
		s.snapshot = s.Publish(uint64(time.Now().Unix()))
		h := serve(t, s)
		h.open(t, ctx, "").is(t, "bad", "page-alert", "it hides a warning that stands in the log", "This was recalled. Do not use it; ask the shop.")
		h.set(func() { h.alert = "This was recalled. Do not use it; ask the shop." })
		h.open(t, ctx, "").is(t, "good", "", "All 61 entries")
	})
	t.Run("from another host", func(t *testing.T) {
		other := serve(t, s)
		other.set(func() { other.service, other.trust = h.URL, s.trust })
		h.set(func() { h.trust = verifier.Trust{} })
		other.open(t, ctx, "").is(t, "good", "", "The proofs were fetched from "+strings.TrimPrefix(h.URL, "http://"), "Keys and policy: from "+strings.TrimPrefix(other.URL, "http://"))
		h.set(func() { h.trust = s.trust })
	})
	t.Run("a second page", func(t *testing.T) {
		pages := 0
		h.set(func() {
			h.steps, h.size = steps[1:], steps[0].Index
			h.served = func() {
				if pages++; pages == 2 {
					h.steps, h.size = steps, size
				}
			}
		})
		h.open(t, ctx, "").is(t, "good", "")
		h.set(func() { h.steps, h.size, h.served = steps, size, nil })
	})

	t.Run("with the keyboard", func(t *testing.T) {
		// Whoever has the focus keeps it, also when the panel goes to the top, and hears
		// of what is wrong.
		h.open(t, ctx, "").is(t, "good", "")
		if role := evaluate[string](t, ctx, `document.querySelector("#verification strong").closest("[role]").role`); role != "status" {
			t.Errorf("what is good has the role %q", role)
		}
		h.set(func() { h.journey = []byte(`{}`) })
		evaluate[bool](t, ctx, `(again = [...document.querySelectorAll("#verification button")].find((b) => b.textContent === "Check again")).focus(), again.click(), true`)
		evaluate[seen](t, ctx, look).is(t, "bad", "malformed")
		if role := evaluate[string](t, ctx, `document.querySelector("#verification strong").closest("[role]").role + (document.activeElement === again)`); role != "alerttrue" {
			t.Errorf("what is wrong has the role, and the focus: %q", role)
		}
		h.set(func() { h.journey = good })
		evaluate[bool](t, ctx, `again.click(), true`)
		evaluate[seen](t, ctx, look).is(t, "good", "")
		if !evaluate[bool](t, ctx, `document.activeElement === again`) {
			t.Error("the focus is lost")
		}
	})

	for name, lie := range s.lies() {
		t.Run(name, func(t *testing.T) {
			journey, reason := lie(t)
			h.set(func() { h.journey = journey })
			want := "Do not rely on this"
			if reason == "incomplete" {
				want = "Journey incomplete"
			}
			h.open(t, ctx, "").is(t, "bad", reason, want)
			h.set(func() { h.journey = good })
		})
	}

	// The last one: it stops the server.
	t.Run("saved and dropped, offline", func(t *testing.T) {
		h.open(t, ctx, "").is(t, "good", "")
		saved := evaluate[string](t, ctx, `new Promise((resolve) => {
			URL.createObjectURL = (blob) => { resolve(blob.text()); return "#"; };
			[...document.querySelectorAll("#verification button")].find((b) => b.textContent === "Save the proof").click();
		})`)
		if _, err := verify.Proof([]byte(saved), juice, s.goTrust()); err != nil || !strings.Contains(saved, string(good)) {
			t.Errorf("what is saved is not what was fetched (%v)", err)
		}
		h.Close()
		drop := func(text string) seen {
			t.Helper()
			return evaluate[seen](t, ctx, `(() => {
				document.getElementById("verification").setAttribute("aria-busy", "true");
				const files = new DataTransfer();
				files.items.add(new File([`+strconv.Quote(text)+`], "a.json"));
				dispatchEvent(new DragEvent("drop", { dataTransfer: files }));
			})(); `+look)
		}
		drop(saved).is(t, "good", "", "from the file a.json", "the file itself says what it is about. Compare that: "+juice, "by the keys that this server names.")
		drop(string(good)).is(t, "good", "", "from the file a.json", "the file itself says what it is about")
		drop(strings.Replace(saved, `"positions":["`, `"positions":["0","`, 1)).is(t, "bad", "list", "from the file a.json")
		drop("log "+s.LogKey.Verifier().String()+"\nquorum none\n").is(t, "bad", "list", "Keys and policy: from the file a.json")
		drop("nothing that is known").is(t, "bad", "policy", "Not checked on your device", "neither a saved proof nor keys")
	})
}

// lies are what a dishonest service answers, with the reason for which it is caught.
func (s *story) lies() map[string]func(t *testing.T) ([]byte, string) {
	// answer gives the journey as the snapshot has it, changed.
	answer := func(snapshot *verifytest.Snapshot, change func(j *history.Journey)) []byte {
		j := snapshot.Journey(juice, s.goTrust())
		change(j)
		return j.Append(nil)
	}
	same := func(*history.Journey) {}
	each := func(change func(h *history.History)) func(j *history.Journey) {
		return func(j *history.Journey) {
			for i := range j.Histories {
				change(&j.Histories[i])
			}
		}
	}
	return map[string]func(t *testing.T) ([]byte, string){
		"an entry is hidden": func(*testing.T) ([]byte, string) {
			return answer(s.snapshot, func(j *history.Journey) {
				h := &j.Histories[0]
				h.Positions, h.Entries = h.Positions[1:], h.Entries[1:]
			}), "list"
		},
		"a history in the place of the journey": func(*testing.T) ([]byte, string) {
			h := s.journey().Histories[0]
			return s.snapshot.History(historyindex.Key{Kind: historyindex.Object, Identifier: h.ID}).Append(nil), "malformed"
		},
		"an ingredient is hidden": func(*testing.T) ([]byte, string) {
			return answer(s.snapshot, func(j *history.Journey) {
				j.Histories = slices.DeleteFunc(j.Histories, func(h history.History) bool { return strings.HasSuffix(h.ID, "LOT-7") })
			}), "incomplete"
		},
		"the log is forked": func(t *testing.T) ([]byte, string) {
			// Another log of the same name and size: the witnesses have not cosigned it.
			c := checkpoint.Checkpoint{Origin: origin, Size: s.snapshot.Size, Root: [32]byte{1}}
			fork := verifytest.Signed(c.Body(), s.LogKey, 0)
			return answer(s.snapshot, each(func(h *history.History) { h.LogCheckpoint = string(fork.Append(nil)) })), "log-quorum"
		},
		"the index is frozen": func(*testing.T) ([]byte, string) {
			old := s.snapshot
			s.Sign(verifytest.JSON(s.T, `{"eventID":"urn:uuid:new","type":"ObjectEvent"}`), s.Managed("mill", ""))
			now := s.Publish(uint64(time.Now().Unix()))
			return answer(old, each(func(h *history.History) { h.LogCheckpoint = now.LogCheckpoint() })), "log-leaf"
		},
		"old checkpoints are replayed": func(*testing.T) ([]byte, string) {
			return answer(s.Publish(uint64(time.Now().Add(-48*time.Hour).Unix())), same), "stale"
		},
		"another journey": func(*testing.T) ([]byte, string) {
			j := s.snapshot.Journey("urn:x:other:7", s.goTrust())
			return j.Append(nil), "incomplete"
		},
		"a signature is moved": func(*testing.T) ([]byte, string) {
			return answer(s.snapshot, each(func(h *history.History) {
				n, err := checkpoint.ParseNote([]byte(h.LogCheckpoint))
				if err != nil {
					s.T.Fatal(err)
				}
				n.Signatures[1].Sig = slices.Clone(n.Signatures[2].Sig)
				h.LogCheckpoint = string(n.Append(nil))
			})), "log-signature"
		},
	}
}

func fragment(t *testing.T, trust verifier.Trust) string {
	t.Helper()
	b, err := json.Marshal(trust)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestPanel holds what a page says where no script runs.
func TestPanel(t *testing.T) {
	panel, err := verifier.Panel{ID: `urn:x:it's "<b>"`, Journey: "/v1/journey?id=x", Script: "/s.js", Command: "tallyroot verify '<b>'", Says: "<p>All is <em>well</em>.</p>", Trust: verifier.Trust{LogPolicy: "log a\n"}}.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(panel), "<b>") {
		t.Errorf("text is markup:\n%s", panel)
	}
	text := html.UnescapeString(string(panel))
	for _, want := range []string{
		"Not checked on your device", "tallyroot verify '<b>'", "<p>All is <em>well</em>.</p>", "the server’s word", `integrity="` + verifier.Integrity() + `"`,
		`data-id="urn:x:it's "<b>""`, `data-trust="{"logPolicy":"log a\n"}"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the panel does not hold %s:\n%s", want, text)
		}
	}
}

// BenchmarkPage measures the seven checks in Chromium, as the page itself does: a
// journey of ten lots and 60 entries, each time in a page that was just loaded.
func BenchmarkPage(b *testing.B) {
	ctx := browser(b)
	s := tell(b)
	h := serve(b, s)
	total := 0
	for b.Loop() {
		text := h.open(b, ctx, "").Text
		_, after, _ := strings.Cut(text, "Checked in ")
		ms, err := strconv.Atoi(strings.Fields(after)[0])
		if err != nil {
			b.Fatalf("%v in %q", err, text)
		}
		total += ms
	}
	b.ReportMetric(float64(total)/float64(b.N), "ms/check")
}

// TestVisits visits a page again whose log has grown, or is no longer the one that it
// was.
func TestVisits(t *testing.T) {
	ctx := browser(t)
	s := tell(t)
	h := serve(t, s)
	// grow logs what is not about the juice, and publishes it.
	grow := func() {
		for range 3 {
			s.Sign(verifytest.JSON(t, fmt.Sprintf(`{"eventID":"urn:uuid:later-%d","type":"ObjectEvent","action":"OBSERVE","epcList":["urn:x:other:1"]}`, s.Log.Size())), s.Managed("mill", ""))
		}
		s.snapshot = s.Publish(uint64(time.Now().Unix()))
	}
	// show makes the page of the newest snapshot.
	show := func() {
		j := s.journey()
		h.set(func() { h.journey, h.steps, h.size = j.Append(nil), s.page(j), s.snapshot.Size })
	}
	first := s.snapshot
	h.open(t, ctx, "").is(t, "good", "")
	today := time.Now().UTC().Format("2 January 2006, ")

	grow()
	show()
	h.visit(t, ctx, "").is(t, "good", "", "It continues the log as this device saw it on "+today, fmt.Sprintf(", with size %d.", first.Size), "It continues the log’s index as this device saw it on ")
	second := s.snapshot
	h.visit(t, ctx, "").is(t, "good", "", fmt.Sprintf(", with size %d.", second.Size))

	t.Run("no proof", func(t *testing.T) {
		grow()
		show()
		h.set(func() { h.proofs = http.StatusServiceUnavailable })
		h.visit(t, ctx, "").is(t, "part", "unproved", "Whether the log continues what this device saw on "+today, "could not be checked", "503", "Complete up to entry")
		h.set(func() { h.proofs = http.StatusOK })
		h.visit(t, ctx, "").is(t, "good", "")
	})
	t.Run("older", func(t *testing.T) {
		newest := s.snapshot
		s.snapshot = first
		show()
		h.visit(t, ctx, "").is(t, "part", "older", "Your device saw a newer state of the log on "+today, "newer entries are missing here")
		h.set(func() { h.proofs = http.StatusNotFound })
		h.visit(t, ctx, "").is(t, "bad", "inconsistent", "the log is not shown to continue what this device saw on "+today, "404")
		h.set(func() { h.proofs = http.StatusOK })
		s.snapshot = newest
		show()
		h.visit(t, ctx, "").is(t, "good", "")
	})
	t.Run("other keys proposed", func(t *testing.T) {
		h.set(func() { h.trust.MaxAge = "3600" })
		h.visit(t, ctx, "").is(t, "part", "trust", "The keys and policy are not those that this server named on "+today)
		h.visit(t, ctx, "").is(t, "good", "")
	})

	// The same keys sign another log, and the same witnesses cosign it: nobody is
	// honest. Whoever was here before notices, and a newcomer cannot.
	size := s.snapshot.Size
	s = tellWith(t, "urn:x:fork")
	h.set(func() { h.story = s })
	for s.snapshot.Size < size {
		grow()
	}
	show()
	h.visit(t, ctx, "").is(t, "bad", "fork", "the log is another one than what this device saw on "+today)
	grow()
	show()
	h.visit(t, ctx, "").is(t, "bad", "inconsistent", "the log is not shown to continue what this device saw on "+today)
	h.open(t, ctx, "").is(t, "good", "")
}
