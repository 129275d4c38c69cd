package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is the real program, in a process of its own.
type server struct {
	cmd     *exec.Cmd
	host    string
	dir     string
	started time.Duration // from exec to "listening on"
}

func start(binary, dir string, flags ...string) (*server, error) {
	s := &server{dir: dir}
	s.cmd = exec.Command(binary, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--origin", "bench.example/log",
		"--public-url", "http://127.0.0.1", "--policy", "none", "--rate-limit", "0"}, flags...)...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, after, ok := strings.Cut(lines.Text(), "listening on "); ok {
			s.started = time.Since(begin)
			s.host = strings.TrimPrefix(strings.Fields(after)[0], "http://")
			go io.Copy(io.Discard, out)
			return s, nil
		}
	}
	return nil, fmt.Errorf("the server ended before it was listening: %w", s.cmd.Wait())
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// participant adds one and gives its token.
func (s *server) participant() (string, error) {
	admin, err := os.ReadFile(filepath.Join(s.dir, "admin.token"))
	if err != nil {
		return "", err
	}
	req, _ := http.NewRequest("POST", "http://"+s.host+"/v1/participants", strings.NewReader(`{"name":"Bench Farm","grants":["0950600"]}`))
	req.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(admin)))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var answer struct{ Token string }
	if err := json.Unmarshal(body, &answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("add a participant: %s: %s", resp.Status, body)
	}
	return answer.Token, nil
}

// memory is the peak resident memory, in bytes.
func (s *server) memory() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kb int64
			fmt.Sscanf(rest, "%d", &kb)
			return kb << 10
		}
	}
	return 0
}

// cpu is the processor time that the server has used so far.
func (s *server) cpu() time.Duration { return processCPU(s.cmd.Process.Pid) }

// processCPU is the processor time that a process has used so far.
func processCPU(pid int) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The fields behind the name, which is in brackets: utime is the 12th of
	// them and stime the 13th, in ticks of 10 ms (proc(5)).
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// disk is what the data directory takes, in bytes of allocated blocks.
func (s *server) disk() (total int64) {
	_ = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil {
			total += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return total
}
