package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
)

// TestMirror: what a service answers, a mirror of it answers when the service is gone,
// byte for byte, and it all verifies; a plain file server over the folder is enough for
// other clients of such logs.
func TestMirror(t *testing.T) {
	k := newKilled(t)
	log := func(n int) {
		t.Helper()
		for range n {
			if k.sent++; !k.post(k.sent) {
				t.Fatal("an event was not taken")
			}
		}
	}
	log(40)
	k.indexed()
	dir := filepath.Join(t.TempDir(), "mirror")
	first := k.mirror(dir, "--log-key", filepath.Join(k.dir, "data", "log.vkey"))
	if first.NewEntries != first.Entries || first.Entries < 3 {
		t.Errorf("%+v", first)
	}
	log(300)
	k.indexed()
	second := k.mirror(dir)
	if second.NewEntries != second.Entries-first.Entries || second.NewEntries == 0 || second.Origin != "kill.example/log" {
		t.Errorf("%+v", second)
	}
	asked := []string{
		"/v1/history?kind=object&id=urn:example:crate:7", "/v1/history?kind=object&id=urn:example:crate:nothing",
		"/v1/history?kind=by&id=farm", "/v1/history?kind=operator&id=operator", "/v1/history?kind=participant&id=farm",
		"/v1/journey?id=urn:example:crate:300", "/v1/event?index=9", "/v1/events?participant=farm&limit=3", "/v1/proof/inclusion?index=5", "/v1/proof/consistency?from=3",
		"/log/checkpoint", "/index/checkpoint", "/log/tile/entries/000", "/log/tile/0/000", "/index/tile/entries/000.p/1",
	}
	want := map[string]string{}
	for _, path := range asked {
		status, body := get(t, k.client.Server()+path)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		want[path] = body
	}
	if err := k.kill(); err != nil {
		t.Fatal(err)
	}

	m := startMirror(t, dir)
	for _, path := range asked {
		if status, body := get(t, m.url+path); status != http.StatusOK || body != want[path] {
			t.Errorf("%s: the mirror answers %d %s\nthe service answered %s", path, status, body, want[path])
		}
	}
	if v := m.history(k, "urn:example:crate:7"); len(v.Entries) != 1 {
		t.Errorf("a history: %s", v)
	}
	if status, page := get(t, m.url+"/01/09506000134352/10/LOT-7"); status != http.StatusOK || !strings.Contains(page, "<html") {
		t.Errorf("a scan: %d %s", status, page)
	}
	if status, body := get(t, m.url+"/readyz"); status != http.StatusOK || !strings.Contains(body, "this is a mirror") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	for _, path := range []string{"/v1/events", "/v1/events:batch", "/v1/events:validate", "/v1/participants", "/v1/participants/farm/tokens"} {
		resp, err := http.Post(m.url+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(string(body), "this is a mirror") {
			t.Errorf("POST %s: %d %s", path, resp.StatusCode, body)
		}
	}
	out, err := exec.Command("tallyroot", "mirror", "http://127.0.0.1:1", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another process") {
		t.Errorf("two processes in one folder: %v: %s", err, out)
	}
	m.end()
	checkFsck(t, k, dir)

	// The same command goes on when the service is back.
	k.start()
	log(5)
	k.indexed()
	if third := k.mirror(dir); third.NewEntries != 5 {
		t.Errorf("%+v", third)
	}
}

// TestMirrorFollows: a mirror that is served goes on copying, answers while its origin
// is down, and is killed and started again without it.
func TestMirrorFollows(t *testing.T) {
	k := newKilled(t)
	dir := filepath.Join(t.TempDir(), "mirror")
	k.indexed()
	k.mirror(dir)
	m := startMirror(t, dir, "--mirror-from", k.client.Server(), "--mirror-every", "50ms")
	for round := range 3 {
		var last string
		for range 20 {
			if k.sent++; !k.post(k.sent) {
				t.Fatal("an event was not taken")
			}
			last = fmt.Sprintf("urn:example:crate:%d", k.sent)
		}
		waitFor(t, "history of the newest event at the mirror", func() bool {
			return len(m.history(k, last).Entries) == 1
		})
		if round == 1 {
			m.kill()
			m = startMirror(t, dir, "--mirror-from", k.client.Server(), "--mirror-every", "50ms")
		}
	}
	if err := k.kill(); err != nil {
		t.Fatal(err)
	}
	m.kill()
	m = startMirror(t, dir, "--mirror-from", "http://127.0.0.1:1", "--mirror-every", "50ms")
	id := fmt.Sprintf("urn:example:crate:%d", k.sent)
	if v := m.history(k, id); len(v.Entries) != 1 {
		t.Errorf("%s: %s", id, v)
	}
	m.end()
}

// mirror copies the service into a folder.
func (k *killed) mirror(dir string, flags ...string) (r mirrorResult) {
	k.t.Helper()
	cmd := exec.Command("tallyroot", append([]string{"mirror", k.client.Server(), dir, "--json"}, flags...)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		k.t.Fatalf("tallyroot mirror: %v: %s%s", err, out, said.String())
	}
	return r
}

// indexed waits until the index has all that the log has.
func (k *killed) indexed() {
	k.t.Helper()
	waitFor(k.t, "index of all that was logged", func() bool {
		status, body := get(k.t, k.client.Server()+"/metrics")
		return status == http.StatusOK && strings.Contains(body, "\ntallyroot_index_behind_entries 0\n") && !strings.Contains(body, "\ntallyroot_index_entries 0\n")
	})
}

// runningMirror is the process of `serve --mirror`.
type runningMirror struct {
	t      *testing.T
	url    string
	cmd    *exec.Cmd
	stderr *strings.Builder
}

func startMirror(t *testing.T, dir string, flags ...string) *runningMirror {
	t.Helper()
	m := &runningMirror{t: t, stderr: new(strings.Builder)}
	m.cmd = exec.Command("tallyroot", append([]string{"serve", "--mirror", dir, "--listen", "127.0.0.1:0"}, flags...)...)
	m.cmd.Stderr = m.stderr
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.cmd.Process.Kill(); _ = m.cmd.Wait() })
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		t.Fatalf("it said %q; on standard error: %s", line, m.stderr)
	}
	m.url = address
	waitFor(t, "histories at the mirror", func() bool {
		status, _ := get(t, m.url+"/readyz?of=histories")
		return status == http.StatusOK
	})
	return m
}

// history gives the mirror's history of a thing, checked with the reader's code.
func (m *runningMirror) history(k *killed, id string) *verify.HistoryVerdict {
	m.t.Helper()
	p, err := readPolicy("", filepath.Join(k.dir, "data", "log.vkey"))
	if err != nil {
		m.t.Fatal(err)
	}
	_, body := get(m.t, m.url+"/v1/history?kind=object&id="+id)
	v, err := verify.History([]byte(body), historyindex.Key{Kind: historyindex.Object, Identifier: id}, verify.Trust{Policy: p})
	if err != nil || v.Claim() != verify.CompleteByOperator {
		m.t.Fatalf("%s: %v %v", id, v, err)
	}
	return v
}

func (m *runningMirror) kill() {
	m.t.Helper()
	if err := m.cmd.Process.Kill(); err != nil {
		m.t.Fatal(err)
	}
	_ = m.cmd.Wait()
}

func (m *runningMirror) end() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(os.Interrupt); err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Wait(); err != nil {
		m.t.Fatalf("%v; on standard error: %s", err, m.stderr)
	}
}

// checkFsck has tessera's fsck look at both logs of a folder over a plain file server.
func checkFsck(t *testing.T, k *killed, dir string) {
	_, file, _, _ := runtime.Caller(0)
	fsck := filepath.Join(filepath.Dir(file), "..", "..", "build", "bin", "fsck")
	if _, err := os.Stat(fsck); err != nil {
		t.Log("tessera's fsck is not in build/bin: the folder was not checked with it")
		return
	}
	files := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer files.Close()
	for name, key := range map[string]string{"log": "log.vkey", "index": "index.vkey"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		// Its exit status says nothing; its line does.
		out, _ := exec.CommandContext(ctx, fsck, "-ui=false", "-storage_url="+files.URL+"/"+name+"/", "-public_key="+filepath.Join(k.dir, "data", key)).CombinedOutput()
		cancel()
		if !bytes.Contains(out, []byte("Successfully fsck'd")) {
			t.Errorf("fsck of the %s: %s", name, out)
		}
	}
}
