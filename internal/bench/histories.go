package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
)

const (
	// historyLength is how many entries the histories have that are read.
	historyLength = 20
	// historyClients read them.
	historyClients = 16
)

// A population says what the entries of a log are about: 3 things for each 10 of
// them, of which a fifteenth has a long history and takes two fifths of the entries.
type population struct{ entries, long, short int64 }

func populationOf(entries int64) population {
	long := entries * 2 / 5 / historyLength
	return population{entries, long, entries*3/10 - long}
}

// thing is what entry number i is about.
func (p population) thing(i int64) int64 {
	if k := i % 5; k < 2 {
		return (i/5*2 + k) % p.long
	} else {
		return p.long + (i/5*3+k-2)%p.short
	}
}

func thingID(n int64) string { return fmt.Sprint("https://id.gs1.org/01/09506000134352/21/", n) }

// histories fills a log and reads histories of it, with all proofs.
func histories(binary, dir string, entries int64, d time.Duration) error {
	s, err := start(binary, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	token, err := s.participant()
	if err != nil {
		return err
	}
	p := populationOf(entries)
	var next atomic.Int64
	if _, err := run(s, token, 8, forCount(entries/batchSize), func(c *client) (int, error) {
		batch := []byte{'['}
		for k := range batchSize {
			i := next.Add(1) - 1
			if k > 0 {
				batch = append(batch, ',')
			}
			batch = fmt.Appendf(batch, sample, i%60, p.thing(i), i)
		}
		status, body, err := c.do("POST", "/v1/events:batch", "application/json", append(batch, ']'))
		if err == nil && (status != 200 || bytes.Count(body, []byte("tlog-proof")) != batchSize) {
			err = fmt.Errorf("POST /v1/events:batch: %d %.300s", status, body)
		}
		return batchSize, err
	}); err != nil {
		return err
	}
	if err := s.indexed(); err != nil {
		return err
	}
	fmt.Printf("histories of %d entries: %d entries about %d things, %d clients\n", historyLength, entries, p.long+p.short, historyClients)
	read := func(c *client) (int, error) {
		status, body, err := c.do("GET", "/v1/history?id="+url.QueryEscape(thingID(rand.Int64N(p.long))), "", nil)
		if n := bytes.Count(body, []byte(`{"index":"`)); err == nil && (status != 200 || n != historyLength+2) {
			err = fmt.Errorf("GET /v1/history: %d, %d entries with the signers': %.300s", status, n, body)
		}
		return 1, err
	}
	if _, err := run(s, token, historyClients, forTime(2*time.Second), read); err != nil {
		return err // warmed up
	}
	all, err := run(s, token, historyClients, forTime(d), read)
	if err != nil {
		return err
	}
	row("GET /v1/history", all)
	if err := s.weigh(thingID(0)); err != nil {
		return err
	}
	row("peak memory", fmt.Sprintf("%6d MiB", s.memory()>>20))
	return nil
}

// indexed waits until histories have all that is published.
func (s *server) indexed() error {
	log, err := s.get("/log/checkpoint", "")
	if err != nil {
		return err
	}
	want, _, err := checkpoint.Parse(log)
	if err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		h, err := s.get("/v1/history?kind=operator", "")
		if err != nil {
			return err
		}
		saved, err := history.Decode(h)
		if err != nil {
			return err
		}
		if c, _, err := checkpoint.Parse([]byte(saved.LogCheckpoint)); err != nil || c.Size >= want.Size {
			row("index behind the log when it is filled", time.Since(begin).Round(10*time.Millisecond))
			return err
		}
	}
}

// weigh verifies one answer, and says how large it is.
func (s *server) weigh(id string) error {
	path := "/v1/history?id=" + url.QueryEscape(id)
	plain, err := s.get(path, "")
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(s.dir, "log.vkey"))
	if err != nil {
		return err
	}
	trust, err := verify.LogKey(strings.TrimSpace(string(key)))
	if err != nil {
		return err
	}
	v, err := verify.History(plain, historyindex.Key{Identifier: id}, trust)
	if err != nil || v.Claim() != verify.CompleteByOperator || v.Total != historyLength {
		return fmt.Errorf("the answer does not verify: %v, %w", v, err)
	}
	zipped, err := s.get(path, "gzip")
	if err != nil {
		return err
	}
	h, err := history.Decode(plain)
	if err != nil {
		return err
	}
	entries := 0
	for _, e := range h.Entries {
		entries += len(e.Entry)
	}
	proof := len(h.Index.MapProof.AppendJSON(nil))
	row("an answer", fmt.Sprintf("%6d B, compressed %d B; its entries have %d B, its map proof %d B", len(plain), len(zipped), entries, proof))
	return nil
}

// get reads a path as it is sent.
func (s *server) get(path, encoding string) ([]byte, error) {
	r, err := http.NewRequest("GET", "http://"+s.host+path, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", path, resp.Status, body)
	}
	return body, err
}
