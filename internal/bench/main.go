// Command bench measures the service as its users meet it: the real program in
// a process of its own, over HTTP, on one machine with the load generator. Bare
// seconds say little on a shared machine, so the machine's own limits are
// measured in the same run and stand beside the figures.
//
//	bench -binary build/bin/tallyroot            the rates
//	bench -binary build/bin/tallyroot -growth    what changes from 10,000 to 1,000,000 entries
//	bench -binary build/bin/tallyroot -backends  MariaDB and Trillian's own servers
//	bench -binary build/bin/tallyroot -histories histories with all their proofs, at 1,000,000 entries
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

const (
	clients   = 64
	batchSize = 100
)

func main() {
	binary := flag.String("binary", "", "the tallyroot program to measure")
	seconds := flag.Int("seconds", 10, "how long each load lasts")
	growth := flag.Bool("growth", false, "measure how the figures change as the log grows")
	others := flag.Bool("backends", false, "measure on MariaDB, in the process and on Trillian's own servers")
	proven := flag.Bool("histories", false, "measure histories with all their proofs")
	entries := flag.Int64("entries", 1_000_000, "with -growth and -histories: how far the log grows")
	dir := flag.String("dir", os.TempDir(), "where the data directory is made")
	flag.Parse()
	data, err := os.MkdirTemp(*dir, "tallyroot-bench-")
	if err == nil {
		defer os.RemoveAll(data)
		fmt.Printf("%d processors, %s, data in %s\n", runtime.NumCPU(), runtime.Version(), data)
		limits(data)
		each := time.Duration(*seconds) * time.Second
		switch {
		case *growth:
			err = grow(*binary, data, *entries, each)
		case *proven:
			err = histories(*binary, data, *entries, each)
		case *others:
			err = backends(*binary, data, each)
		default:
			err = rates(*binary, data, each)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.RemoveAll(data)
		os.Exit(1)
	}
}

func row(name string, value any) { fmt.Printf("  %-46s %v\n", name, value) }

// limits prints what the machine itself can do.
func limits(dir string) {
	fmt.Println("the machine")
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	n, begin := 0, time.Now()
	for time.Since(begin) < time.Second {
		f.Write(page)
		f.Sync()
		n++
	}
	row("4 KiB append + fsync", fmt.Sprintf("%9d/s", n))
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	public := key.Public().(ed25519.PublicKey)
	text := make([]byte, 800)
	signature := ed25519.Sign(key, text)
	row("Ed25519 signatures, all processors", fmt.Sprintf("%9.0f/s", each(func() { ed25519.Sign(key, text) })))
	row("Ed25519 checks, all processors", fmt.Sprintf("%9.0f/s", each(func() { ed25519.Verify(public, text, signature) })))
}

func each(f func()) float64 {
	var wg sync.WaitGroup
	counts := make([]int, runtime.NumCPU())
	begin := time.Now()
	for i := range counts {
		wg.Go(func() {
			for time.Since(begin) < time.Second {
				f()
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begin).Seconds()
}

func rates(binary, dir string, d time.Duration) error {
	s, err := start(binary, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	token, err := s.participant()
	if err != nil {
		return err
	}
	fmt.Printf("the service: %d clients, durable, signed with a managed key, receipts checked, events of %d bytes\n", clients, len(event()))
	if _, err := run(s, token, clients, forTime(2*time.Second), logOne); err != nil {
		return err // warmed up
	}
	one, err := run(s, token, clients, forTime(d), logOne)
	if err != nil {
		return err
	}
	row("POST /v1/events", one)
	batch, err := run(s, token, clients, forTime(d), logBatch(batchSize))
	if err != nil {
		return err
	}
	row(fmt.Sprintf("POST /v1/events:batch of %d (times a batch)", batchSize), batch)
	behind := watchLag(s)
	kept, err := run(s, token, clients, paced(steady, batchSize, forTime(d)), logBatch(batchSize))
	if err != nil {
		return err
	}
	late, err := behind.stop()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("the same, at most %d entries a second", steady), kept)
	row("  meanwhile, histories behind the log", late)
	proofs, err := run(s, token, clients, forTime(d), readProof(int64(one.n)))
	if err != nil {
		return err
	}
	row("GET receipts and inclusion proofs", proofs)
	row("peak memory", fmt.Sprintf("%6d MiB", s.memory()>>20))
	return nil
}

func grow(binary, dir string, entries int64, d time.Duration) error {
	s, err := start(binary, dir)
	if err != nil {
		return err
	}
	defer func() { s.stop() }()
	token, err := s.participant()
	if err != nil {
		return err
	}
	const small = 10_000
	fill := func(n int64) error {
		_, err := run(s, token, 8, forCount(n/batchSize), logBatch(batchSize))
		return err
	}
	if err := fill(small); err != nil {
		return err
	}
	fmt.Println("as the log grows")
	at := func(name string) (figures, figures, error) {
		one, err := run(s, token, clients, forTime(d), logOne)
		if err != nil {
			return one, one, err
		}
		row(name+": POST /v1/events", one)
		batch, err := run(s, token, clients, forTime(d), logBatch(batchSize))
		row(name+": POST /v1/events:batch", batch)
		return one, batch, err
	}
	one, batch, err := at(fmt.Sprint(small, " entries"))
	if err != nil {
		return err
	}
	if err := fill(entries - serial.Load()); err != nil {
		return err
	}
	bigOne, bigBatch, err := at(fmt.Sprint(serial.Load(), " entries"))
	if err != nil {
		return err
	}
	row("rate kept, one by one", fmt.Sprintf("%6.0f %%", 100*bigOne.rate/one.rate))
	row("rate kept, in batches", fmt.Sprintf("%6.0f %%", 100*bigBatch.rate/batch.rate))
	row("peak memory", fmt.Sprintf("%6d MiB", s.memory()>>20))
	if err := s.stop(); err != nil {
		return err
	}
	total, bytes := serial.Load(), entryBytes(dir)
	disk := s.disk()
	row("disk, an entry", fmt.Sprintf("%6d B; entries have %d B; 1.5 × that + 150 B is %d B", disk/total, bytes/total, bytes*3/2/total+150))
	if s, err = start(binary, dir); err != nil {
		return err
	}
	row(fmt.Sprint("start-up at ", total, " entries"), s.started.Round(time.Millisecond))
	row("memory after start-up", fmt.Sprintf("%6d MiB", s.memory()>>20))
	return nil
}

// entryBytes is the size of all entries, as the tiles hold them: two bytes of
// length come before each.
func entryBytes(dir string) (total int64) {
	_ = filepath.Walk(filepath.Join(dir, "log", "tile", "entries"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && filepath.Base(filepath.Dir(path))[len(filepath.Base(filepath.Dir(path)))-1] != 'p' {
			total += info.Size() - 2*256
		}
		return nil
	})
	return total
}
