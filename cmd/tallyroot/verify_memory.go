package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallyroot/tallyroot/internal/durable"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// A memory holds every checkpoint against the newest one that was seen of its log, in
// a file over many runs. Without a file it holds those of one run against each other,
// as far as that needs no proof.
type memory struct {
	file   string // "": none
	server string // where proofs are read from; "": from the subject's service
	state  *verify.State
}

func openMemory(file, server string) (*memory, error) {
	m := &memory{file: file, server: server, state: new(verify.State)}
	if file == "" {
		if server != "" {
			return nil, usagef("--server is where --state reads its proofs from, and there is no --state")
		}
		return m, nil
	}
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return m, nil // the first time
	}
	text, err := readSmallFile(file, verify.MaxState)
	if err == nil {
		m.state, err = verify.ParseState(text)
	}
	if err != nil {
		return nil, uncheckedError{fmt.Errorf("--state %s: %w", file, err)}
	}
	return m, nil
}

// errOlder says that a service shows less than it did before. That is no lie by itself,
// and hides what came since.
var errOlder = errors.New("the service answers with an older state than was seen before: what came since is not shown")

// compare holds signed checkpoints, which were verified, against what was seen, and
// remembers them. server is the service that they came from, or "" if they were saved.
func (m *memory) compare(ctx context.Context, signed []string, server string, f *finding) error {
	from := server
	if m.server != "" {
		from = m.server
	}
	older := false
	for _, text := range signed {
		behind, err := m.one(ctx, text, from, f)
		var unchecked uncheckedError
		if errors.As(err, &unchecked) && behind && server != "" {
			return fmt.Errorf("%w (%w)", errOlder, unchecked.error)
		}
		if err != nil {
			return err
		}
		older = older || behind
	}
	if older && server != "" {
		return errOlder
	}
	if m.file == "" {
		return nil
	}
	if err := durable.WriteFile(m.file, m.state.Append(nil), 0o600); err != nil {
		return uncheckedError{fmt.Errorf("--state: %w", err)}
	}
	return nil
}

// one does so with one of them, and tells whether it is older than what was seen.
func (m *memory) one(ctx context.Context, signed, server string, f *finding) (older bool, err error) {
	now, _, err := checkpoint.Parse([]byte(signed))
	if err != nil {
		return false, err
	}
	last, lastSigned, ok := m.state.Last(now.Origin)
	if !ok || last.Size == now.Size || last.Size == 0 || now.Size == 0 {
		if !ok && m.file != "" {
			f.Notes = append(f.Notes, fmt.Sprintf("The log %s was not seen before; its checkpoint at size %d is remembered.", now.Origin, now.Size))
		}
		return now.Size < last.Size, m.state.See(signed, nil)
	}
	if m.file == "" {
		return false, nil // without a proof there is nothing to say of two sizes
	}
	smaller, larger := last, now
	if smaller.Size > larger.Size {
		smaller, larger = larger, smaller
	}
	older = now.Size < last.Size
	source, err := logAt(server, now.Origin, f.Origin)
	if err != nil {
		return older, uncheckedError{err}
	}
	proof, err := fetch.Open(source, larger, fetch.Options{}).ConsistencyProof(ctx, smaller.Size, larger.Size)
	var damage *fetch.DamageError
	if errors.As(err, &damage) {
		// What the service serves as the log is not the log of that checkpoint.
		return older, &verify.Error{Reason: verify.ErrInconsistent, Err: &verify.ForkError{Seen: lastSigned, Now: signed, Err: err}}
	}
	if err != nil {
		return older, uncheckedError{fmt.Errorf("whether the log %s at size %d continues what it was at size %d: %w", now.Origin, larger.Size, smaller.Size, err)}
	}
	if err := m.state.See(signed, proof); err != nil {
		return older, err
	}
	word := "continues"
	if older {
		word = "is the beginning of"
	}
	f.Notes = append(f.Notes, fmt.Sprintf("The log %s at size %d %s the one that was seen at size %d.", now.Origin, now.Size, word, last.Size))
	return older, nil
}

// logAt gives the files of a log of a service: those of the log of origin main, or
// those of its index.
func logAt(server, origin, main string) (fetch.Source, error) {
	if server == "" {
		return nil, errors.New("nothing says where to read the proof from: name the service with --server URL, or a mirror's folder")
	}
	name := "log"
	if origin != main {
		name = "index"
	}
	if isURL(server) {
		return fetch.HTTP(strings.TrimSuffix(server, "/")+"/"+name, fetch.HTTPOptions{UserAgent: "tallyroot"})
	}
	return fetch.Folder(filepath.Join(server, name)), nil
}
