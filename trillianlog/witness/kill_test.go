package witness

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

const (
	childDir  = "TALLYROOT_TEST_WITNESS_DIR"
	killsWant = "TALLYROOT_KILLS" // how many processes TestKill kills; 4 if not set
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child is a witness until it is killed. It prints its address.
func child(dir string) error {
	text, err := os.ReadFile(dir + ".logs")
	if err != nil {
		return err
	}
	logs, err := ParseLogs(text)
	if err != nil {
		return err
	}
	s, err := Open(Options{Dir: dir, Name: "witness.example/w1", Logs: logs, MaxRate: 1 << 20, Logger: quiet})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	return http.Serve(listener, s)
}

// TestKill kills a real process at random moments under load, from logs that grow and
// from forks of them. Whatever was answered before and after is one history of each
// log, sizes and times never go back, and nothing that was answered is forgotten.
func TestKill(t *testing.T) {
	kills := 4
	if text := os.Getenv(killsWant); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q: want a number of kills, at least 1", killsWant, text)
		}
		kills = n
	}
	dir := filepath.Join(t.TempDir(), "witness")
	var histories []*history
	list := ""
	for i := range 3 {
		l := witnesstest.NewLog(t, fmt.Sprintf("log.example/%d", i))
		l.Grow(uint64(700 * (kills + 1)))
		histories = append(histories, newHistory(l, uint64(5*i)))
		list += "log " + l.Key + "\n"
	}
	if err := os.WriteFile(dir+".logs", []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	for range kills {
		killOne(t, dir, histories, rand.IntN(200))
	}
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, status := range s.Status() {
		h := histories[i]
		t.Logf("%s: %d cosignatures, the largest at %d, it is at %d", status.Origin, h.all, h.size, status.Size)
		if status.Size < h.size || h.size == 0 {
			t.Errorf("%s: at %d, %d was answered", status.Origin, status.Size, h.size)
		}
		c, _, err := checkpoint.Parse(s.last(fileName(status.Origin)))
		if err != nil {
			t.Fatal(err)
		}
		h.add(t, c, uint64(status.Time.Unix()), h.size)
	}
}

// killOne runs a witness, asks it from many clients and kills it after some answers.
func killOne(t *testing.T, dir string, histories []*history, answers int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSpace(address)
	var left atomic.Int64
	left.Store(int64(answers))
	var wait sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 12}
	defer transport.CloseIdleConnections()
	for client := range 12 {
		wait.Go(func() {
			h := histories[client%len(histories)]
			for askChild(t, transport, address, h) {
				if left.Add(-1) < 0 {
					cmd.Process.Kill()
				}
			}
		})
	}
	wait.Wait()
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the witness ended by itself: %v", err)
	}
}

// askChild sends one request; false: the witness is gone.
func askChild(t *testing.T, transport http.RoundTripper, address string, h *history) bool {
	before := h.known()
	c, body := h.next(before)
	req, err := http.NewRequest(http.MethodPost, address+"/add-checkpoint", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return false
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	switch resp.StatusCode {
	case http.StatusOK:
		h.add(t, c, timeOf(t, string(text)), before)
	case http.StatusConflict:
		size, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err != nil || size < before {
			t.Errorf("it says %q after %d was answered", text, before)
		}
		h.stored(size)
	case http.StatusUnprocessableEntity:
	default:
		t.Errorf("%d %q", resp.StatusCode, text)
	}
	return true
}
