package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// startBrowser starts Chromium, as a shopper who was never here.
func startBrowser(t *testing.T) context.Context {
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
	ctx, cancel = context.WithTimeout(ctx, 2*patience)
	t.Cleanup(cancel)
	return ctx
}

func evaluate[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A panel is what the shopper's device says on a page.
type panel struct {
	Tone, Reason, Text string
	First              bool // it stands before all else on the page
	Marked             int  // steps that the device has a mark of its own for
}

// visit loads a page, in a browser that may have been here, and reads its panel.
func visit(t *testing.T, ctx context.Context, url string) panel {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return readPanel(t, ctx)
}

// readPanel waits until the device has found something.
func readPanel(t *testing.T, ctx context.Context) panel {
	t.Helper()
	return evaluate[panel](t, ctx, `(async () => {
		let panel;
		while ((panel = document.getElementById("verification"))?.ariaBusy !== "false") await new Promise((resolve) => setTimeout(resolve, 20));
		return {
			Tone: panel.classList[1], Reason: panel.dataset.reason, First: !panel.previousElementSibling,
			Text: [...panel.querySelectorAll("h2, p, li, summary")].map((e) => e.textContent).join("\n"),
			Marked: document.querySelectorAll("li.step.unchecked").length,
		};
	})()`)
}

// is wants a tone and a reason, and texts that the panel holds.
func (p panel) is(t *testing.T, tone, reason string, texts ...string) {
	t.Helper()
	if p.Tone != tone || p.Reason != reason || p.First != (tone == "bad") {
		t.Errorf("the panel is %s %q, at the top: %v; want %s %q", p.Tone, p.Reason, p.First, tone, reason)
	}
	for _, text := range texts {
		if !strings.Contains(p.Text, text) {
			t.Errorf("the panel does not hold %q", text)
		}
	}
	if t.Failed() {
		t.Logf("the panel:\n%s", p.Text)
	}
}
