package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tallyroot/tallyroot/provenance"
)

// BenchmarkPage opens the page of a juice of ten lots in Chromium, 60 entries in all:
// how long until it can be used, and until the reader's device has checked it. The
// browser keeps the script, as at a second visit.
func BenchmarkPage(b *testing.B) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		b.Skip("chromium is not installed (make tools installs it)")
	}
	s := open(b)
	var subs []provenance.Submission
	log := func(text string) {
		at := time.Date(2026, 3, 1, 8, len(subs), 0, 0, time.UTC).Format(time.RFC3339)
		subs = append(subs, provenance.Submission{Body: fmt.Appendf(nil, `{"eventID":"urn:uuid:%d","eventTime":"%s","eventTimeZoneOffset":"+00:00",%s}`, len(subs), at, text)})
	}
	juice := gtin + "/10/JUICE"
	var lots []string
	for i := range 10 {
		lots = append(lots, fmt.Sprintf(`{"epcClass":"https://id.gs1.org/01/09506000134369/10/F%d","quantity":100,"uom":"KGM"}`, i))
		for range 5 {
			log(`"type":"ObjectEvent","action":"OBSERVE","bizStep":"storing","quantityList":[` + lots[i] + `]`)
		}
	}
	log(`"type":"TransformationEvent","inputQuantityList":[` + strings.Join(lots, ",") + `],"outputQuantityList":[{"epcClass":"` + juice + `"}]`)
	for range 9 {
		log(`"type":"ObjectEvent","action":"OBSERVE","bizStep":"shipping","quantityList":[{"epcClass":"` + juice + `"}]`)
	}
	for _, r := range s.service.LogBatch(b.Context(), s.farm, subs) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
	}
	server := httptest.NewServer(s.handler)
	defer server.Close()
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(b.TempDir()))...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var total [3]float64
	visit := func() {
		if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(server.URL+path(juice))); err != nil {
			b.Fatal(err)
		}
		have, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64](`(async () => {
			const panel = document.getElementById("verification");
			while (panel.ariaBusy !== "false") await new Promise((resolve) => setTimeout(resolve, 1));
			const now = performance.now(), [page] = performance.getEntriesByType("navigation"), text = panel.textContent;
			if (!text.includes("All 60 entries")) throw new Error(text);
			return [page.domContentLoadedEventEnd, now, +text.match(/Checked in (\d+) ms/)[1]];
		})()`, chromedp.EvalAwaitPromise))
		if err != nil {
			b.Fatal(err)
		}
		for i := range total {
			total[i] += have[i]
		}
	}
	visit() // until the index has all
	total = [3]float64{}
	for b.Loop() {
		visit()
	}
	for i, unit := range []string{"ms/interactive", "ms/verdict", "ms/checks"} {
		b.ReportMetric(total[i]/float64(b.N), unit)
	}
}
