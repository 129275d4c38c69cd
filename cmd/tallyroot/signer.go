package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/tallyroot/tallyroot/cmd/tallyroot/internal/client"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/epcis"
	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// A signer makes entries with a participant's own key: the service logs them as
// they are.
type signer struct {
	key                 *entry.Key
	origin, participant string
}

// newSigner reads the key in file. The log that it signs for is origin, or what
// the service's checkpoint says; the key's name has to agree, so that nobody
// signs for another log by mistake.
func newSigner(ctx context.Context, cl *client.Client, file, origin string) (*signer, error) {
	s, err := openSigner(file)
	if err != nil {
		return nil, err
	}
	if origin == "" {
		checkpoint, err := cl.Checkpoint(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log's name from its checkpoint: %w", err)
		}
		origin, _, _ = strings.Cut(string(checkpoint), "\n")
	}
	if origin != s.origin {
		return nil, fmt.Errorf("the key in %s signs for the log %q, and this is the log %q", file, s.origin, origin)
	}
	return s, nil
}

// openSigner reads a participant's own key; the key's name says of whom and for
// which log it is.
func openSigner(file string) (*signer, error) {
	key, err := readKey(file)
	if err != nil {
		return nil, err
	}
	origin, id, ok := cutLast(key.Name(), "/"+entry.RoleOwn+"/")
	if !ok {
		return nil, fmt.Errorf("the key in %s is named %q; a participant's own key is named ORIGIN/own/PARTICIPANT: make one with `tallyroot key generate --origin ORIGIN --participant ID`", file, key.Name())
	}
	return &signer{key, origin, id}, nil
}

// sign makes the entry of an event. The event hash becomes the eventID where
// there is none: what the client signs has to hold its id.
func (s *signer) sign(event jcs.Value) ([]byte, error) {
	if _, has := event.Get("eventID"); !has && epcis.IsEvent(event) {
		event = event.With("eventID", jcs.NewString(epcis.Hash(event)))
	}
	return entry.Sign(s.origin, []string{s.participant}, event.AppendCanonical(nil), s.key)
}

// readKey reads a private key; it warns when others may read the file too.
func readKey(file string) (*entry.Key, error) {
	text, err := readSmallFile(file, 1<<12)
	if err != nil {
		return nil, err
	}
	key, err := entry.ParseKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(os.Stderr, "warning: others on this machine may read the private key in %s; `chmod 600 %s` ends that\n", file, file)
	}
	return key, nil
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
