package provenance

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/indexlog"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

// indexed is the history index as a service has it. It is opened after the log, which
// it reads, and closed before the log's files are.
type indexed struct {
	tiles     *tiles.Store
	policy    *policy.Policy
	witnesses *quorum.Client // nil: the policy asks for none
	log       *indexlog.Log
	read      indexReading // the log, or what is read in its place
}

// openPolicy reads the index policy, so that a mistake in it is known before the log
// is opened.
func (x *indexed) openPolicy(c Config, key string) (err error) {
	if x.policy, err = servicePolicy("the index policy", c.IndexPolicy, key); err != nil {
		return err
	}
	x.witnesses, err = openWitnesses("the index policy", c, participant.IndexOrigin(c.Origin), x.policy)
	return err
}

func (x *indexed) open(ctx context.Context, c Config, signer note.Signer, log indexSource) (err error) {
	if x.tiles, err = tiles.Open(filepath.Join(c.Dir, "index")); err != nil {
		return err
	}
	o := indexlog.Options{
		Dir:       filepath.Join(c.Dir, "index-store"),
		Tiles:     x.tiles,
		Last:      trillianlog.FileLastCheckpoint(c.LastIndexCheckpoint),
		Origin:    participant.IndexOrigin(c.Origin),
		Signer:    signer,
		Policy:    x.policy,
		Log:       log,
		Every:     c.IndexEvery,
		OnPublish: c.OnIndexPublish,
		Logger:    c.Logger,
	}
	if x.witnesses != nil {
		o.Witness, o.CosignEvery = x.witnesses.Cosign, c.Witnessing.Every
	}
	x.log, err = indexlog.Open(ctx, o)
	x.read = x.log
	return err
}

func (x *indexed) close() (err error) {
	if x.log != nil {
		err = x.log.Close()
	}
	if x.witnesses != nil {
		x.witnesses.Close()
	}
	if x.tiles != nil {
		err = errors.Join(err, x.tiles.Close())
	}
	return err
}

// announcer tells the index log of each checkpoint of the log. The log is opened first,
// and publishes at once.
type announcer struct{ to atomic.Pointer[indexlog.Log] }

// after gives a hook that calls first, which may be nil, and then tells.
func (a *announcer) after(first func(uint64, time.Duration)) func(uint64, time.Duration) {
	return func(size uint64, took time.Duration) {
		if first != nil {
			first(size, took)
		}
		if to := a.to.Load(); to != nil {
			to.LogPublished()
		}
	}
}

// indexSource is the log as the index reads it: what was published, from its files.
type indexSource struct {
	*tiles.Store
	log *trillianlog.Log
}

// Published gives the published checkpoint if it meets the policy.
func (s indexSource) Published() (checkpoint.Checkpoint, []byte) {
	c, signed := s.log.Published()
	if signed == nil {
		return c, nil
	}
	if _, err := s.log.Verdict(signed); err != nil {
		return checkpoint.Checkpoint{}, nil
	}
	return c, signed
}

// IndexKey is the verifier key of the index log's checkpoints.
func (s *Service) IndexKey() string {
	if s.mirrored != nil {
		return s.index.policy.Logs()[0].Key
	}
	return s.keys.index.Verifier().String()
}

// IndexTiles are the index log's static files.
func (s *Service) IndexTiles() *tiles.Store { return s.index.tiles }

// IndexStatus says how far the history index is, and what keeps it.
func (s *Service) IndexStatus() indexlog.Status { return s.index.read.Status() }

// IndexPolicy is what every published index checkpoint meets.
func (s *Service) IndexPolicy() *policy.Policy { return s.index.policy }

// IndexVerdict is what the index policy says of a signed index checkpoint: who
// witnessed it, and when.
func (s *Service) IndexVerdict(signed []byte) (policy.Verdict, error) {
	return s.index.read.Verdict(signed)
}

// IndexWitnesses are asked for each index checkpoint; nil if the index policy needs
// none.
func (s *Service) IndexWitnesses() *quorum.Client { return s.index.witnesses }
