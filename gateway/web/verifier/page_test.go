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
				log(fmt.Sprintf(`"type":"ObjectEvent","action":"OBSERVE","epcList":["urn:x:other:%d"]`, n), mill)
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

// A host serves one page with the panel, and what the test says is the journey.
type host struct {
	*httptest.Server
	mu      sync.Mutex
	journey []byte
	status  int
	trust   verifier.Trust
	workers string // a directive that stands before the others
	steps   []int  // positions of the steps that the page shows
	asked   []string
}

func serve(t testing.TB) *host {
	t.Helper()
	h := &host{status: http.StatusOK}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r.URL.Path)
	w.Header().Set("Content-Security-Policy", h.workers+"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "+verifier.ContentSecurityPolicy)
	switch r.URL.Path {
	case "/v1/journey":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(h.status)
		_, _ = w.Write(h.journey)
	case "/assets/verifier.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(verifier.Script)
	case "/assets/panel.css":
		w.Header().Set("Content-Type", "text/css")
		_, _ = w.Write(verifier.Style)
	default:
		panel, err := verifier.Panel{ID: juice, Journey: "/v1/journey?id=" + juice, Script: "/assets/verifier.js", Trust: h.trust}.HTML()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Juice</title><link rel="stylesheet" href="/assets/panel.css"><main><h1>Juice</h1><ol>`)
		for _, step := range h.steps {
			fmt.Fprintf(w, `<li class="step" id="e%d">A step</li>`, step)
		}
		fmt.Fprintf(w, "</ol>%s</main>", panel)
	}
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
	const panel = document.getElementById("verification");
	while (panel.getAttribute("aria-busy") !== "false") await new Promise((resolve) => setTimeout(resolve, 20));
	return { Tone: panel.classList[1], Reason: panel.dataset.reason ?? "", Text: panel.innerText + [...panel.querySelectorAll("li")].map((li) => "\n" + li.textContent).join(""), First: !panel.previousElementSibling };
})()`

// set changes what the host serves.
func (h *host) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// open loads the page, at the address behind its path, and waits for the panel.
func (h *host) open(t testing.TB, ctx context.Context, behind string) seen {
	t.Helper()
	// A page of which only the fragment changes is not loaded again.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(h.URL+path+behind)); err != nil {
		t.Fatal(err)
	}
	return evaluate[seen](t, ctx, look)
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
	h := serve(t)
	good := s.journey().Append(nil)
	h.journey, h.trust = good, s.trust
	size := s.snapshot.Size
	digest := sha256.Sum256(verifier.Script)
	complete := []string{
		fmt.Sprintf("Complete up to entry %d, witnessed at 20", size), "60 entries tell of it", "Every signature holds", "w1 (witness.example/1), w2 (witness.example/2); the quorum at 20", "rebuilt from the log by w1 (rebuilder.example/1).",
		fmt.Sprintf("%x", digest), ", by the keys that this server names.", "whose word this checks", "farm-3",
	}

	t.Run("good", func(t *testing.T) {
		h.open(t, ctx, "").is(t, "good", "", complete...)
		if n := evaluate[int](t, ctx, "workerAnswers"); n != 1 {
			t.Errorf("the worker gave %d answers; want 1", n)
		}
		h.set(func() {
			for _, asked := range h.asked {
				if !slices.Contains([]string{path, "/v1/journey", "/assets/verifier.js", "/assets/panel.css", "/favicon.ico"}, asked) {
					t.Errorf("the page asked for %s", asked)
				}
			}
		})
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
		h.open(t, ctx, "#policy="+fragment(t, s.trust)).is(t, "good", "", "from the link that led here")
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
	t.Run("shows a step that is not there", func(t *testing.T) {
		h.set(func() { h.steps = []int{int(size) - 1} })
		h.open(t, ctx, "").is(t, "good", "")
		h.set(func() { h.steps = []int{int(size) - 1, 12} })
		h.open(t, ctx, "").is(t, "bad", "page-steps", "1 of the steps")
		h.set(func() { h.steps = nil })
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
		if _, err := verify.Journey([]byte(saved), juice, s.goTrust()); err != nil || saved != string(good) {
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
		drop(saved).is(t, "good", "", "from the file a.json", "The file itself says what it is about")
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
	panel, err := verifier.Panel{ID: `urn:x:it's "<b>"`, Journey: "/v1/journey?id=x", Script: "/s.js", Trust: verifier.Trust{LogPolicy: "log a\n"}}.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(panel), "<b>") {
		t.Errorf("an identifier is markup:\n%s", panel)
	}
	text := html.UnescapeString(string(panel))
	for _, want := range []string{
		"Not checked on your device", "tallyroot verify it.journey.json", `integrity="` + verifier.Integrity() + `"`,
		`--id 'urn:x:it'\''s "<b>"'`, `data-trust="{"logPolicy":"log a\n"}"`,
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
	h := serve(b)
	h.journey, h.trust = s.journey().Append(nil), s.trust
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
