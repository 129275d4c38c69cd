package quorum

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
)

// Seen is what a witness says that it has cosigned last of a log.
type Seen struct {
	Witness    policy.Witness
	Checkpoint checkpoint.Checkpoint // the zero value: none yet
	Signed     []byte                // it, as the witness gave it; nil: none yet
	Err        error                 // why it is not known
}

// Newest asks every witness of the policy for the newest checkpoint of the log, all at
// once, in the policy's order. A checkpoint that it gives was signed by the log; that
// is what counts, also where the witness's own line is missing.
//
// It is an error if those of whom it is not known could by themselves have cosigned one
// that was published.
func Newest(ctx context.Context, o Options) ([]Seen, error) {
	o = o.withDefaults()
	client := &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	witnesses := o.Policy.Witnesses()
	all := make([]Seen, len(witnesses))
	var asking sync.WaitGroup
	for i, w := range witnesses {
		asking.Go(func() {
			all[i] = Seen{Witness: w}
			all[i].Checkpoint, all[i].Signed, all[i].Err = newest(ctx, client, o, w)
		})
	}
	asking.Wait()
	unknown := make(map[string]bool)
	var failures []string
	for _, s := range all {
		if s.Err != nil {
			unknown[s.Witness.Name] = true
			failures = append(failures, fmt.Sprintf("%s: %v", s.Witness.Name, s.Err))
		}
	}
	if o.Policy.NeedsWitnesses() && o.Policy.Met(func(name string) bool { return unknown[name] }) {
		return all, fmt.Errorf("it is not known what these witnesses have seen, and they are a quorum: %s", strings.Join(failures, "; "))
	}
	return all, nil
}

func newest(ctx context.Context, client *http.Client, o Options, w policy.Witness) (c checkpoint.Checkpoint, signed []byte, err error) {
	if w.URL == "" {
		return c, nil, errors.New("the policy has no address of it")
	}
	prefix, err := address(w.URL, o.AllowHTTP)
	if err != nil {
		return c, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	target := fmt.Sprintf("%s/%x/checkpoint", prefix, sha256.Sum256([]byte(o.Origin)))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return c, nil, err
	}
	req.Header.Set("User-Agent", o.UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error // it repeats the address
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return c, nil, err
	}
	defer resp.Body.Close()
	signed, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return c, nil, fmt.Errorf("the answer breaks off: %w", err)
	case len(signed) > maxAnswer:
		return c, nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case resp.StatusCode == http.StatusNotFound:
		return c, nil, nil
	case resp.StatusCode != http.StatusOK:
		return c, nil, fmt.Errorf("it answers %s", resp.Status)
	}
	v, err := o.Policy.Check(signed)
	if err != nil && !errors.Is(err, policy.ErrQuorum) {
		return c, nil, fmt.Errorf("its checkpoint cannot be used: %w", err)
	}
	if v.Checkpoint.Origin != o.Origin {
		return c, nil, fmt.Errorf("its checkpoint is of the log %q", v.Checkpoint.Origin)
	}
	return v.Checkpoint, signed, nil
}
