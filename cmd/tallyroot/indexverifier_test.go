package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/provenance/indexverifier/indexverifiertest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// TestIndexVerifier asks a process as a log would: what is so is cosigned, through
// restarts and kills, and what is not so never.
func TestIndexVerifier(t *testing.T) {
	w := indexverifiertest.New(t, "verified.example/log")
	first, signedFirst := w.GrowIndexed(300)
	v := &runningVerifier{t: t, dir: filepath.Join(t.TempDir(), "verifier"), listen: "127.0.0.1:0"}
	v.logKey, v.indexKey, v.url = w.Log.Key, w.Index.Key, serveFolders(t, w)
	v.start()
	v.cosigned(0, nil, first, signedFirst)
	v.end()

	v.start() // it knows what it has cosigned
	second, signedSecond := w.GrowIndexed(50)
	if status, body := v.ask(0, nil, signedSecond); status != http.StatusConflict || body != "1\n" {
		t.Errorf("without what it has cosigned: %d %s", status, body)
	}
	v.cosigned(1, w, second, signedSecond)
	v.kill()

	if err := os.RemoveAll(filepath.Join(v.dir, "rebuilt", "index", "map")); err != nil {
		t.Fatal(err)
	}
	v.start() // without its map
	third, signedThird := w.GrowIndexed(10)
	v.cosigned(2, w, third, signedThird)

	w.Grow(10)
	lie, signedLie := w.Publish(w.Leaf(370, 365))
	status, body := v.ask(3, w, signedLie)
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "what is not so") || !strings.Contains(body, "give the map root") {
		t.Errorf("an entry is left out: %d %s", status, body)
	}
	if _, body := get(t, "http://"+v.listen+"/metrics"); !regexp.MustCompile(`(?m)^tallyroot_index_verifier_refuted 1$`).MatchString(body) ||
		!strings.Contains(body, "\ntallyroot_index_verifier_entries 360\n") || !strings.Contains(body, "\ntallyroot_index_verifier_leaves 3\n") {
		t.Errorf("metrics: %s", body)
	} else if doc, err := os.ReadFile("../../docs/index-verifier.md"); err != nil {
		t.Error(err)
	} else if have, said := ownMetrics(body), ownMetrics(string(doc)); !slices.Equal(have, said) {
		t.Errorf("/metrics has %s, and docs/index-verifier.md %s", have, said)
	}
	v.kill()
	v.start()
	if status, body = v.ask(3, w, signedLie); status != http.StatusUnprocessableEntity {
		t.Errorf("after a restart, of size %d: %d %s", lie.Size, status, body)
	}
	if proof, err := os.ReadFile(filepath.Join(v.dir, "rebuilt", "refuted", "index-checkpoint")); string(proof) != string(signedLie) {
		t.Errorf("the proof: %v: %s", err, proof)
	}
}

// ownMetrics gives the names of the index-verifier's metrics in a text.
func ownMetrics(text string) []string {
	names := regexp.MustCompile(`tallyroot_index_verifier_[a-z]+`).FindAllString(text, -1)
	slices.Sort(names)
	return slices.Compact(names)
}

// One that comes late rebuilds everything by itself, and refuses a leaf about a log
// that was never signed.
func TestIndexVerifierFromNothing(t *testing.T) {
	w := indexverifiertest.New(t, "verified.example/log")
	var last checkpoint.Checkpoint
	var signed []byte
	for range 40 {
		last, signed = w.GrowIndexed(20)
	}
	v := &runningVerifier{t: t, dir: filepath.Join(t.TempDir(), "verifier"), listen: "127.0.0.1:0"}
	v.logKey, v.indexKey, v.url = w.Log.Key, w.Index.Key, serveFolders(t, w)
	v.start()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, body := get(t, "http://"+v.listen+"/metrics"); strings.Contains(body, "\ntallyroot_index_verifier_leaves 40\n") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not get to the published index checkpoint")
		}
	}
	v.cosigned(0, nil, last, signed)
	w.Grow(1)
	unsigned := w.Leaf(801)
	unsigned.Checkpoint.Root[7] ^= 1
	_, signed = w.Publish(unsigned)
	if status, body := v.ask(40, w, signed); status != http.StatusUnprocessableEntity {
		t.Errorf("a log that was never signed: %d %s", status, body)
	}
}

// TestServeWithIndexVerifier: the service publishes no index checkpoint without the
// index-verifier that its policy needs, and goes on where it stopped when that is back.
func TestServeWithIndexVerifier(t *testing.T) {
	k, v, start := indexVerified(t)
	start()
	k.addParticipant()
	log := func() {
		t.Helper()
		for range 5 {
			if k.sent++; !k.post(k.sent) {
				t.Fatal("an event was not taken")
			}
		}
	}
	// pending waits for a leaf that the published checkpoint does not cover, and gives
	// that one's size.
	pending := func() (size uint64) {
		t.Helper()
		waitFor(t, "pending leaf", func() bool {
			c, _ := k.publishedIndex()
			size = c.Size
			status, _ := get(t, fmt.Sprintf("%s/index/tile/entries/000.p/%d", k.client.Server(), size+1))
			return status == http.StatusOK
		})
		return size
	}
	log()
	if size := pending(); size != 0 {
		t.Fatalf("published without its quorum, at size %d", size)
	}
	v.start()
	waitFor(t, "an index checkpoint", func() bool { _, signed := k.publishedIndex(); return signed != "" })
	_, signed := k.publishedIndex()
	if !strings.Contains(signed, "\n— index.example/verifier ") {
		t.Errorf("not cosigned: %s", signed)
	}

	v.kill()
	log()
	pending()
	if err := k.kill(); err != nil {
		t.Fatal(err)
	}
	start()
	before, _ := k.publishedIndex()
	log()
	if size := pending(); size != before.Size {
		t.Fatalf("it went from %d to %d without its quorum", before.Size, size)
	}
	v.start()
	waitFor(t, "the next index checkpoint", func() bool { c, _ := k.publishedIndex(); return c.Size > before.Size })
}

// indexVerified gives a service whose index policy needs an index-verifier. Neither runs.
func indexVerified(t *testing.T) (k *killed, v *runningVerifier, start func()) {
	t.Helper()
	k = killedIn(t, t.TempDir())
	data := filepath.Join(k.dir, "data")
	if out, err := exec.Command("tallyroot", "log", "key", "--data", data, "--origin", "kill.example/log").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var service atomic.Pointer[url.URL] // it is started after the one that reads it
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(service.Load()) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(proxy.Close)
	v = &runningVerifier{t: t, dir: filepath.Join(k.dir, "verifier"), listen: "127.0.0.1:0", url: proxy.URL}
	v.logKey, v.indexKey = filepath.Join(data, "log.vkey"), filepath.Join(data, "index.vkey")
	service.Store(&url.URL{Scheme: "http", Host: "127.0.0.1:1"})
	v.start()
	v.kill()

	indexKey, err := readOneLine(v.indexKey)
	if err != nil {
		t.Fatal(err)
	}
	policyFile := filepath.Join(k.dir, "index-policy.txt")
	if err := os.WriteFile(policyFile, fmt.Appendf(nil, "log %s\nwitness verifier %s http://%s\nquorum verifier\n", indexKey, v.key, v.listen), 0o600); err != nil {
		t.Fatal(err)
	}
	k.flags = []string{"--index-policy", policyFile, "--witness-patience", "100ms"}
	return k, v, func() {
		t.Helper()
		k.start()
		u, err := url.Parse(k.client.Server())
		if err != nil {
			t.Fatal(err)
		}
		service.Store(u)
	}
}

// publishedIndex gives the published index checkpoint; "": there is none.
func (k *killed) publishedIndex() (c checkpoint.Checkpoint, signed string) {
	k.t.Helper()
	status, body := get(k.t, k.client.Server()+"/index/checkpoint")
	if status == http.StatusNotFound {
		return c, ""
	}
	c, _, err := checkpoint.Parse([]byte(body))
	if err != nil {
		k.t.Fatalf("%d %s", status, body)
	}
	return c, body
}

// TestKillIndexVerifier kills the index-verifier and the service at random moments under
// load: what was logged is in the index afterwards, and no two index checkpoints that
// anybody ever saw contradict each other.
func TestKillIndexVerifier(t *testing.T) {
	k, v, start := indexVerified(t)
	v.start()
	start()
	k.addParticipant()
	var all []checkpoint.Checkpoint // of the index log
	see := func() {
		t.Helper()
		if c, signed := k.publishedIndex(); signed != "" {
			all = append(all, c)
		}
	}
	waitFor(t, "an index checkpoint", func() bool { _, signed := k.publishedIndex(); return signed != "" })
	see()
	for range kills(t, 2) {
		k.round("the index-verifier, and then the service", func() error {
			v.kill()
			if err := k.more(100); err != nil { // the log needs nobody
				return err
			}
			v.start()
			err := k.more(100)
			see()
			return errors.Join(err, k.kill())
		}, start)
		k.round("the service and the index-verifier", func() error {
			v.kill()
			return k.kill()
		}, func() {
			v.start()
			start()
		})
		see()
	}
	k.settle()
	k.indexed()
	see()
	files, err := fetch.HTTP(k.client.Server()+"/index", fetch.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	newest := fetch.Open(files, all[len(all)-1], fetch.Options{})
	for _, c := range all {
		if root, err := newest.Root(t.Context(), c.Size); err != nil || root != c.Root {
			t.Errorf("the index checkpoint of size %d has the root %x, and the newest one's tree has %x: %v", c.Size, c.Root, root, err)
		}
	}
}

// waitFor waits for a condition; the deadline only ends a test that has failed.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// serveFolders serves the files of both logs as a plain file server does.
func serveFolders(t *testing.T, w *indexverifiertest.World) string {
	mux := http.NewServeMux()
	mux.Handle("/log/", http.StripPrefix("/log/", http.FileServer(http.Dir(w.Log.Dir))))
	mux.Handle("/index/", http.StripPrefix("/index/", http.FileServer(http.Dir(w.Index.Dir))))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// runningVerifier is an index-verifier's process, always at one address.
type runningVerifier struct {
	t                *testing.T
	dir              string
	logKey, indexKey string
	url              string
	listen, key      string
	cmd              *exec.Cmd
	stderr           *strings.Builder
}

func (v *runningVerifier) start() {
	v.t.Helper()
	v.cmd = exec.Command("tallyroot", "index-verifier", "--data", v.dir, "--name", "index.example/verifier", "--log-key", v.logKey, "--index-key", v.indexKey, "--url", v.url, "--listen", v.listen)
	v.stderr = new(strings.Builder)
	v.cmd.Stderr = v.stderr
	stdout, err := v.cmd.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	cmd := v.cmd
	v.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	said := regexp.MustCompile(`^index-verifier index.example/verifier listening on http://(\S+), key (\S+)\n$`).FindStringSubmatch(line)
	if said == nil || v.key != "" && v.key != said[2] {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		v.t.Fatalf("the index-verifier said %q; on standard error: %s", line, v.stderr)
	}
	v.listen, v.key = said[1], said[2]
}

func (v *runningVerifier) kill() {
	v.t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	_ = v.cmd.Wait()
}

func (v *runningVerifier) end() {
	v.t.Helper()
	if err := v.cmd.Process.Signal(os.Interrupt); err != nil {
		v.t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.t.Fatalf("%v; on standard error: %s", err, v.stderr)
	}
}

// ask sends a checkpoint of the world's index log, whose old size is proved to it, and
// asks again while the answer is to do so.
func (v *runningVerifier) ask(old uint64, w *indexverifiertest.World, signed []byte) (status int, body string) {
	v.t.Helper()
	r := witness.Request{Old: old}
	var err error
	if r.Checkpoint, r.Note, err = checkpoint.Parse(signed); err != nil {
		v.t.Fatal(err)
	}
	if w != nil {
		if r.Proof, err = w.Index.Files.ConsistencyProof(old, r.Checkpoint.Size); err != nil {
			v.t.Fatal(err)
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Post("http://"+v.listen+"/add-checkpoint", "", strings.NewReader(string(r.Append(nil))))
		if err != nil {
			v.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			v.t.Fatal(err)
		}
		if resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(end) {
			return resp.StatusCode, string(text)
		}
	}
}

// cosigned demands a cosignature.
func (v *runningVerifier) cosigned(old uint64, w *indexverifiertest.World, c checkpoint.Checkpoint, signed []byte) {
	v.t.Helper()
	if status, body := v.ask(old, w, signed); status != http.StatusOK || !strings.HasPrefix(body, "— index.example/verifier ") {
		v.t.Fatalf("at size %d: %d %s; on standard error: %s", c.Size, status, body, v.stderr)
	}
}
