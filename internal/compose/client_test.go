package compose_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/compose"
	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// lot is what the events are about.
const lot = "https://id.gs1.org/01/09506000134352/10/LOT-7"

// A client is a participant, somewhere outside the containers.
type client struct {
	t        *testing.T
	topology *compose.Topology
	program  string
	token    string
	dir      string // with the log's key, as published
	events   int    // logged so far
}

// next gives another event of the lot.
func (c *client) next() string {
	c.events++
	return fmt.Sprintf(`{"type": "ObjectEvent", "action": "OBSERVE", "bizStep": "shipping",
		"eventTime": "2026-09-14T08:%02d:00Z", "eventTimeZoneOffset": "+00:00",
		"quantityList": [{"epcClass": "%s", "quantity": %d, "uom": "KGM"}]}`, c.events, lot, c.events)
}

func newClient(t *testing.T, topology *compose.Topology, bin map[string]string) *client {
	t.Helper()
	c := &client{t: t, topology: topology, program: bin["tallyroot"], dir: t.TempDir()}
	out, err := topology.Exec(patient(t), "tallyroot", nil, "tallyroot", "participant", "add", "Green Valley Farm",
		"--grant", "9506000", "--token-file", "/var/lib/tallyroot/admin.token", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Token string }
	if err := json.Unmarshal(out, &answer); err != nil || answer.Token == "" {
		t.Fatalf("%v: %s", err, out)
	}
	c.token = answer.Token
	key, err := topology.Path("tallyroot", "/var/lib/tallyroot/log.vkey")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "log.vkey"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) address() string {
	c.t.Helper()
	address, err := c.topology.Published("tallyroot", 8080)
	if err != nil {
		c.t.Fatal(err)
	}
	return address
}

// logREST logs an event and gives its index. After a lost connection, a 202 and a
// 503 it sends the same bytes again, as the documentation says.
func (c *client) logREST(text string) uint64 {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		status, body, err := c.post("/v1/events", text)
		switch {
		case err == nil && (status == http.StatusCreated || status == http.StatusOK):
			var answer struct{ Index, Receipt string }
			if err := json.Unmarshal(body, &answer); err != nil || !strings.HasPrefix(answer.Receipt, "c2sp.org/tlog-proof@v1\n") {
				c.t.Fatalf("%v: %s", err, body)
			}
			index, err := strconv.ParseUint(answer.Index, 10, 64)
			if err != nil {
				c.t.Fatal(err)
			}
			return index
		case err == nil && status != http.StatusAccepted && status != http.StatusServiceUnavailable:
			c.t.Fatalf("status %d: %s", status, body)
		case time.Now().After(deadline):
			c.t.Fatalf("the event is not logged: %v, status %d: %s", err, status, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *client) post(path, text string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(patient(c.t), http.MethodPost, "http://"+c.address()+path, strings.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func (c *client) get(path string) (status int, body string) {
	c.t.Helper()
	response, err := http.Get("http://" + c.address() + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (c *client) logGRPC(text string) uint64 {
	c.t.Helper()
	conn, err := grpc.NewClient(c.address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(patient(c.t), "authorization", "Bearer "+c.token)
	answer, err := v1.NewEventServiceClient(conn).LogEvent(ctx, &v1.LogEventRequest{Event: &httpbody.HttpBody{Data: []byte(text)}})
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.Index == nil {
		c.t.Fatalf("no checkpoint covers the event: %v", answer)
	}
	return answer.GetIndex()
}

// check reads an entry with its receipt, and verifies them with nothing but the
// log's key.
func (c *client) check(index uint64) {
	c.t.Helper()
	n := strconv.FormatUint(index, 10)
	c.run("event", "show", "--index", n, "--entry", n+".entry", "--receipt", n+".tlog-proof", "--server", "http://"+c.address())
	c.run("verify", n+".tlog-proof", "--entry", n+".entry", "--log-key", "log.vkey")
}

// checkHistory verifies the history of an identifier, which holds these entries.
func (c *client) checkHistory(id string, indices ...uint64) {
	c.t.Helper()
	c.run("history", id, "--out", "history.json", "--server", "http://"+c.address())
	c.run("verify", "history.json", "--log-key", "log.vkey", "--id", id)
	text, err := os.ReadFile(filepath.Join(c.dir, "history.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	var history struct {
		Entries []struct {
			Index uint64 `json:",string"`
		}
	}
	if err := json.Unmarshal(text, &history); err != nil {
		c.t.Fatal(err)
	}
	found := make(map[uint64]bool)
	for _, e := range history.Entries {
		found[e.Index] = true
	}
	for _, index := range indices {
		if !found[index] {
			c.t.Errorf("the history does not hold the entry %d: %s", index, text)
		}
	}
}

// checkPage reads the page that a shopper sees.
func (c *client) checkPage(id string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(patient(c.t), http.MethodGet, "http://"+c.address()+strings.TrimPrefix(id, "https://id.gs1.org"), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("Green Valley Farm")) {
		c.t.Errorf("%v, status %d: %s", err, response.StatusCode, page)
	}
}

// run runs tallyroot where nothing of the service is but what was handed out.
func (c *client) run(args ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(patient(c.t), c.program, args...)
	cmd.Dir, cmd.Env = c.dir, []string{"GORACE=atexit_sleep_ms=0"}
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("tallyroot %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// shellWords splits a line of README.md, in which quotes are the only syntax.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "-c", "printf '%s\\n' "+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
