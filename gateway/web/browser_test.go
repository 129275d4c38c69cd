package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tallyroot/tallyroot/provenance"
)

// startBrowser starts Chromium, as a shopper who was never here.
func startBrowser(t testing.TB) context.Context {
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
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// seen is what a page's panel says, and when, in milliseconds.
type seen struct {
	Tone, Reason, Text   string
	Interactive, Verdict float64
}

// look opens a page in the browser, and waits for what the device finds.
func look(t testing.TB, ctx context.Context, url string) seen {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	s, err := chromedp.Run(ctx, chromedp.Evaluate[seen](`(async () => {
		let panel;
		while ((panel = document.getElementById("verification"))?.ariaBusy !== "false") await new Promise((resolve) => setTimeout(resolve, 1));
		const [page] = performance.getEntriesByType("navigation");
		return { Tone: panel.classList[1], Reason: panel.dataset.reason, Text: panel.textContent, Interactive: page.domContentLoadedEventEnd, Verdict: performance.now() };
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPanel holds what the server tells against what the device finds, where a page
// tells it in a way of its own.
func TestPanel(t *testing.T) {
	ctx := startBrowser(t)
	s := open(t)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	wrong := map[string]any{"epcList": []any{other}, "bizStep": "inspecting", "eventID": "urn:uuid:11111111-1111-4111-8111-111111111111", "eventTime": "2026-03-01T09:00:00.25+01:00"}
	s.log(s.farm, wrong)
	wrong["errorDeclaration"] = map[string]any{"declarationTime": "2026-03-02T00:00:00Z", "reason": "did_not_occur"}
	s.log(s.farm, wrong)
	s.log(s.farm, map[string]any{"epcList": []any{other}, "eventTime": "1969-12-31T23:59:59.999Z", "disposition": "recalled"})
	s.log(s.farm, map[string]any{"epcList": []any{sscc}, "bizStep": "shipping", "errorDeclaration": map[string]any{"declarationTime": "2026-03-02T00:00:00Z"}, "eventID": "urn:x:1"})
	subs := make([]provenance.Submission, 302)
	for i := range subs {
		subs[i].Body = fmt.Appendf(nil, `{"type":"ObjectEvent","action":"OBSERVE","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","eventID":"urn:x:many:%d","epcList":[%q],"bizStep":"storing"}`, i, item)
	}
	for i, r := range s.service.LogBatch(t.Context(), s.farm, subs) {
		if r.Err != nil {
			t.Fatalf("%d: %v", i, r.Err)
		}
	}

	part := func(path string, texts ...string) {
		t.Helper()
		have := look(t, ctx, server.URL+path)
		if have.Tone != "part" || have.Reason != "" {
			t.Errorf("%s is %s %q:\n%s", path, have.Tone, have.Reason, have.Text)
		}
		for _, text := range append(texts, "Only the operator says that nothing is missing") {
			if !strings.Contains(have.Text, text) {
				t.Errorf("%s does not hold %q:\n%s", path, text, have.Text)
			}
		}
	}
	part(path(other), "All 3 entries")
	part(path(sscc), "The one entry")
	part(path(item), "All 302 entries", "In the log, and not on this page: 2")
}
