package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/tallyroot/tallyroot/provenance/gs1"
)

// runningDemo is the real program's demonstration.
type runningDemo struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr strings.Builder
}

func startDemo(t *testing.T, flags ...string) *runningDemo {
	t.Helper()
	d := &runningDemo{t: t, cmd: exec.Command("tallyroot", append([]string{"demo", "--open=false", "--listen", "127.0.0.1:0"}, flags...)...)}
	d.cmd.Stderr = &d.stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.stdout = bufio.NewReader(stdout)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			_ = d.cmd.Process.Kill()
			_ = d.cmd.Wait()
		}
	})
	return d
}

// result reads what --json prints; the demonstration is ready then.
func (d *runningDemo) result() (r demoResult) {
	d.t.Helper()
	line, err := d.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		d.t.Fatalf("the demonstration said %q: %v; on standard error: %s", line, err, d.stderr.String())
	}
	return r
}

// end ends it as a supervisor would, and gives the rest that it said.
func (d *runningDemo) end() string {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	rest, err := io.ReadAll(d.stdout)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		d.t.Fatalf("the demonstration ended with %v; on standard error: %s", err, d.stderr.String())
	}
	return string(rest)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// waitReady asks until the demonstration is ready. It becomes so just after it
// printed where to look.
func waitReady(t *testing.T, url string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		code, body := get(t, url+"/readyz")
		if code == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("/readyz: %d %s", code, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestDemo starts the demonstration twice on one directory: the second start
// finds everything and logs nothing.
func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	first := startDemo(t, "--data", dir, "--json")
	r := first.result()
	if r.Events < 35 || r.Logged != r.Events || r.ID != demoItem || r.Data != dir {
		t.Errorf("the first start: %+v", r)
	}
	waitReady(t, r.URL)
	_, checkpoint := get(t, r.URL+"/log/checkpoint")
	code, page := get(t, r.Page)
	if code != 200 {
		t.Errorf("%s: %d", r.Page, code)
	}
	for _, text := range []string{"Apple and pear purée", "Harvested", "Cooled", "Inspected", "Taken back", "Packed", "Shipped", "Received", "Temperature recorded",
		"Cooked", "Put on the shelf", "Bredahill Orchard", "Torvet Greengrocer", "quorum none", "Kivik, Sweden", "2 April 2027"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not hold %q", text)
		}
	}
	if strings.Contains(page, "omplete") || strings.Contains(page, "could not be proved") {
		t.Error("the page says more, or less, than is proved")
	}
	for _, e := range mustEntries(t) {
		if e.ID != "" && !strings.Contains(e.ID, "ver=CBV2.0") {
			t.Errorf("the event id %q", e.ID)
		}
	}
	if rest := first.end(); rest != "" {
		t.Errorf("after its one line it said %q", rest)
	}

	second := startDemo(t, "--data", dir)
	var said strings.Builder
	for {
		line, err := second.stdout.ReadString('\n')
		if said.WriteString(line); err != nil {
			t.Fatalf("it said %s; on standard error: %s", said.String(), second.stderr.String())
		}
		if url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on "); ok {
			waitReady(t, url)
			if _, again := get(t, url+"/log/checkpoint"); again != checkpoint {
				t.Errorf("the second start logged something: the checkpoint was\n%s\nand is\n%s", checkpoint, again)
			}
			break
		}
	}
	said.WriteString(second.end())
	for _, text := range []string{"nothing to log", "/01/09506000100340/10/PUR-1002/21/0007\n", "█", "Policy: none", "0.0.0.0", "--public-url"} {
		if !strings.Contains(said.String(), text) {
			t.Errorf("it does not say %q:\n%s", text, said.String())
		}
	}
	if strings.ContainsAny(said.String(), "\x1b\r") {
		t.Error("what is no terminal gets a terminal's control characters")
	}
}

// TestDemoGoesOn starts the demonstration on a log in which an earlier start got
// as far as its first participant.
func TestDemoGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	cmd := exec.Command("tallyroot", "serve", "--data", dir, "--origin", demoOrigin, "--policy", "none", "--listen", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the server said %q, %v", line, err)
	}
	first := demoParticipants()[0]
	args := []string{"participant", "add", first.Name, "--id", first.ID, "--server", url, "--token-file", filepath.Join(dir, "admin.token")}
	for _, g := range first.Grants {
		args = append(args, "--grant", g)
	}
	if out, err := exec.Command("tallyroot", args...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	d := startDemo(t, "--data", dir, "--json")
	if r := d.result(); r.Logged != r.Events || r.Events == 0 {
		t.Errorf("%+v", r)
	}
	d.end()
}

// TestDemoPortTaken: the port that nobody asked for may be taken; one that was
// asked for may not.
func TestDemoPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	out, err := exec.Command("tallyroot", "demo", "--open=false", "--data", filepath.Join(t.TempDir(), "demo"), "--listen", taken.Addr().String()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--listen") {
		t.Errorf("%v: %s", err, out)
	}
}

func mustEntries(t *testing.T) []demoEntry {
	t.Helper()
	entries, err := demoEntries()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestDemoStory: the story is the same at every start, and its identifiers are
// good ones.
func TestDemoStory(t *testing.T) {
	once, again := mustEntries(t), mustEntries(t)
	ids := map[string]int{}
	for i, e := range once {
		if e.By != again[i].By || string(e.JSON) != string(again[i].JSON) {
			t.Errorf("entry %d differs from start to start", i)
		}
		ids[e.ID]++
	}
	for _, id := range []string{demoApplesA, demoApplesB, demoPearsA, demoLot, demoItem, demoOrchard, demoGarden, demoPackers, demoKitchen, demoDepot,
		demoGrocer, demoLogger, demoCaseA, demoCaseB, demoPallet, demoPalletA, demoPalletB, demoPalletP, demoPalletAB} {
		if canonical, err := gs1.Canonical(id); err != nil || !gs1.IsGS1(canonical) || canonical != id {
			t.Errorf("%s: %s, %v", id, canonical, err)
		}
	}
	withdrawn := 0
	for id, n := range ids {
		if id != "" && n == 2 {
			withdrawn++
		} else if id != "" && n != 1 {
			t.Errorf("%d entries have the event id %s", n, id)
		}
	}
	if withdrawn != 1 {
		t.Errorf("%d events are withdrawn, want one", withdrawn)
	}
}

func TestDemoPublicURL(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:8080": false, "localhost:8080": false, "0.0.0.0:0": false, "nonsense": false, "192.0.2.1:80": false} {
		if have := demoPublicURL(listen); (have != "") != want {
			t.Errorf("%s: %q", listen, have)
		}
	}
	if have := demoPublicURL("0.0.0.0:8080"); have != "" && (!strings.HasPrefix(have, "http://") || !strings.HasSuffix(have, ":8080")) {
		t.Errorf("every address: %q", have)
	}
}

// TestPagesInBrowser looks at the demonstration's pages as a shopper does. The
// pictures stay under build/screenshots. The code on the page is read by zbarimg
// from such a picture, and followed.
func TestPagesInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser takes a while")
	}
	ctx := startBrowser(t)
	d := startDemo(t, "--data", filepath.Join(t.TempDir(), "demo"), "--json")
	r := d.result()
	shots, err := filepath.Abs("../../build/screenshots")
	if err == nil {
		err = os.MkdirAll(shots, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	look := func(name, url string, width, height int64, scheme string) []byte {
		t.Helper()
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height)); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if strings.Contains(evaluate[string](t, ctx, "document.documentElement.outerHTML"), `id="verification"`) {
			readPanel(t, ctx)
		}
		problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](pageProblems))
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		for _, p := range problems {
			t.Errorf("%s at %d pixels, %s: %s", url, width, scheme, p)
		}
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(shots, name+".png"), picture, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return picture
	}
	pages := map[string]string{
		"product": r.Page, "lot": r.URL + "/01/09506000100340/10/PUR-1002", "landing": r.URL + "/", "entry": r.URL + "/entry/28",
		"pallet": r.URL + "/00/095060000000003016", "place": r.URL + "/414/9520001000034", "docs": r.URL + "/docs", "check": r.URL + "/check",
		"nothing": r.URL + "/01/09506000134352", "refused": r.URL + "/01/09506000134353",
	}
	for name, url := range pages {
		for _, scheme := range []string{"light", "dark"} {
			look(name+"-phone-"+scheme, url, 360, 780, scheme)
		}
		look(name+"-desktop", url, 1280, 900, "light")
	}
	// A phone's first screen has what it is, where it is from, and whether to
	// trust it.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 780), chromedp.Navigate(r.Page)); err != nil {
		t.Fatal(err)
	}
	readPanel(t, ctx)
	if bottom := evaluate[float64](t, ctx, `document.querySelector("#verification strong").getBoundingClientRect().bottom`); bottom > 780 {
		t.Errorf("what was found ends %g pixels down", bottom)
	}

	for _, scheme := range []string{"light", "dark"} {
		look("product-desktop-"+scheme, r.Page, 1280, 900, scheme)
		zbar, err := exec.LookPath("zbarimg")
		if err != nil {
			t.Skip("zbarimg is not installed (make tools installs it)")
		}
		out, err := exec.Command(zbar, "--quiet", "--raw", filepath.Join(shots, "product-desktop-"+scheme+".png")).Output()
		if read := strings.TrimSpace(string(out)); err != nil || read != r.Page {
			t.Fatalf("the code on the page is read as %q (%v), want %s", read, err, r.Page)
		}
		if code, body := get(t, strings.TrimSpace(string(out))); code != 200 || !strings.Contains(body, "item 0007 of lot PUR-1002") {
			t.Errorf("the code leads to a page that answers %d", code)
		}
	}
	d.end()
}

// pageProblems looks for what would keep somebody from using a page, in its
// document as the browser has it.
const pageProblems = `(() => {
	const found = [], say = (text, e) => found.push(text + (e ? ": " + e.outerHTML.slice(0, 120) : ""));
	if (!document.documentElement.lang) say("no language");
	if (!document.title) say("no title");
	if (document.querySelectorAll("h1").length !== 1) say("not one h1");
	if (document.querySelectorAll("main").length !== 1) say("not one main");
	if (document.documentElement.scrollWidth > innerWidth) {
		say("wider than the screen: " + document.documentElement.scrollWidth);
		for (const e of document.querySelectorAll("body *")) if (e.getBoundingClientRect().right > innerWidth + 1) { say("sticks out", e); break; }
	}
	let level = 1;
	for (const h of document.querySelectorAll("h1,h2,h3,h4")) {
		const n = +h.tagName[1];
		if (n > level + 1) say("a heading's level is skipped", h);
		level = n;
	}
	for (const e of document.querySelectorAll("a[href]")) if (!(e.textContent.trim() || e.getAttribute("aria-label"))) say("a link without a name", e);
	for (const e of document.querySelectorAll("img:not([alt])")) say("an image without alt", e);
	for (const e of document.querySelectorAll("input:not([type=hidden])")) if (!e.labels.length) say("a field without a label", e);
	for (const e of document.querySelectorAll("svg")) if (!e.closest("[aria-hidden=true]") && e.getAttribute("role") !== "img") say("a drawing that is neither hidden nor named", e);
	const ids = new Set();
	for (const e of document.querySelectorAll("[id]")) { if (ids.has(e.id)) say("an id twice", e); ids.add(e.id); }
	for (const e of document.querySelectorAll('a[href^="#"]')) if (!ids.has(e.getAttribute("href").slice(1))) say("a link to nowhere", e);
	for (const e of document.querySelectorAll("use")) if (!ids.has(e.getAttribute("href").slice(1))) say("a symbol that is not drawn", e);
	for (const e of document.scripts) if (!e.integrity || new URL(e.src).origin !== location.origin) say("a script", e);
	for (const r of performance.getEntriesByType("resource")) if (new URL(r.name).origin !== location.origin) say("asked somebody else: " + r.name);
	if (!document.styleSheets.length || !document.styleSheets[0].cssRules.length) say("no style sheet");
	for (const e of document.images) if (e.complete && !e.naturalWidth && getComputedStyle(e).display !== "none") say("an image that did not load", e);
	// Contrast (WCAG 1.4.3) of all text, against the nearest ground that is painted.
	const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return {c: m.slice(0, 3), a: m.length > 3 ? m[3] : 1}; };
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || !e.getClientRects().length || e.closest("svg")) continue;
		let ground = null;
		for (let p = e; p && !ground; p = p.parentElement) { const b = rgb(getComputedStyle(p).backgroundColor); if (b.a === 1) ground = b.c; }
		const [x, y] = [light(rgb(getComputedStyle(e).color).c), light(ground || [255, 255, 255])].sort((a, b) => b - a);
		if ((x + 0.05) / (y + 0.05) < 4.5) { say("a contrast of " + ((x + 0.05) / (y + 0.05)).toFixed(2), e); break; }
	}
	return found;
})()`
