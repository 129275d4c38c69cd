package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/fetch"
)

// An Origin is where a log and its index log are copied from: a service, or another
// mirror of it.
type Origin struct {
	Log, Index fetch.Source
	// History gives the saved history (package history) of the log's operator: it has
	// the index checkpoint and the very log checkpoint that it is about. nil, or an
	// fs.ErrNotExist: the origin serves files alone, such as another mirror's folder,
	// in which the two newest checkpoints go together.
	History func(ctx context.Context) ([]byte, error)
}

// maxOperatorHistory bounds the history of the operator, in bytes.
const maxOperatorHistory = 16 << 20

// HTTP gives the origin at a URL: it has /log/, /index/ and /v1/history below it.
func HTTP(base string, o fetch.HTTPOptions) (Origin, error) {
	base = strings.TrimRight(base, "/")
	var sources [3]fetch.Source
	for i, below := range []string{"/log", "/index", "/v1"} {
		var err error
		if sources[i], err = fetch.HTTP(base+below, o); err != nil {
			return Origin{}, err
		}
	}
	return Origin{Log: sources[0], Index: sources[1], History: func(ctx context.Context) ([]byte, error) {
		return sources[2].Get(ctx, "history?kind=operator&id=operator", maxOperatorHistory)
	}}, nil
}

// Keys are a log's, as its first entry says.
type Keys struct{ Log, Index string }

// FirstKeys reads the keys in the log's first entry, the Genesis, for who was told none
// by anybody else. They are the origin's word.
func (o Origin) FirstKeys(ctx context.Context) (Keys, error) {
	signed, err := fetch.Checkpoint(ctx, o.Log)
	if err != nil {
		return Keys{}, err
	}
	c, _, err := checkpoint.Parse(signed)
	if err != nil {
		return Keys{}, err
	}
	leaf, err := fetch.Open(o.Log, c, fetch.Options{}).Entry(ctx, 0)
	if err != nil {
		return Keys{}, err
	}
	e, err := entry.Parse(leaf)
	if err != nil {
		return Keys{}, fmt.Errorf("the log's first leaf is no entry: %w", err)
	}
	state := participant.NewState()
	state.Apply(0, e)
	g, ok := state.Genesis()
	if !ok || g.Origin != c.Origin {
		return Keys{}, fmt.Errorf("the log %s does not begin with a Genesis of its own that holds", c.Origin)
	}
	return Keys{g.LogKey, g.IndexKey}, nil
}

// A pair is a signed index checkpoint and the signed log checkpoint that its newest
// leaf is about.
type pair struct{ index, log []byte }

func (o Origin) pair(ctx context.Context) (pair, error) {
	if o.History != nil {
		saved, err := o.History(ctx)
		if err == nil {
			return pairOf(saved)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return pair{}, err
		}
	}
	index, err := fetch.Checkpoint(ctx, o.Index)
	if err != nil {
		return pair{}, err
	}
	log, err := fetch.Checkpoint(ctx, o.Log)
	return pair{index, log}, err
}

func pairOf(saved []byte) (pair, error) {
	h, err := history.Decode(saved)
	if err != nil {
		return pair{}, err
	}
	return pair{[]byte(h.Index.Checkpoint), []byte(h.LogCheckpoint)}, nil
}
