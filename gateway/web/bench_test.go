package web_test

import (
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance"
)

// BenchmarkPage opens the page of a juice of ten lots in Chromium, 60 entries in all:
// how long until it can be used, and until the reader's device has checked it. The
// browser keeps the script, as at a second visit.
func BenchmarkPage(b *testing.B) {
	ctx := startBrowser(b)
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
	var interactive, verdict, checks float64
	visit := func() {
		have := look(b, ctx, server.URL+path(juice))
		_, after, _ := strings.Cut(have.Text, "Checked in ")
		ms, err := strconv.Atoi(strings.Fields(after + " .")[0])
		if err != nil || !strings.Contains(have.Text, "All 60 entries") {
			b.Fatalf("the panel: %s", have.Text)
		}
		interactive, verdict, checks = interactive+have.Interactive, verdict+have.Verdict, checks+float64(ms)
	}
	visit() // until the index has all
	interactive, verdict, checks = 0, 0, 0
	for b.Loop() {
		visit()
	}
	n := float64(b.N)
	b.ReportMetric(interactive/n, "ms/interactive")
	b.ReportMetric(verdict/n, "ms/verdict")
	b.ReportMetric(checks/n, "ms/checks")
}
