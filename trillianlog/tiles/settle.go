package tiles

import (
	"fmt"
	"time"

	"github.com/tallyroot/tallyroot/internal/durable"
)

// settlePause is the least time between two writings of the checkpoint's file and
// of the partial files beside it. To make files, to delete them and to make names
// durable costs more than all else that a publication does, and no answer of this
// process comes from those files: they are for the next start, and for whoever
// serves or copies the folder. He always finds a checkpoint whose files are there.
const settlePause = 100 * time.Millisecond

// Settle brings the files up to what is published, if they are behind.
func (s *Store) Settle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.later == nil {
		return nil
	}
	return s.settle()
}

// settleLater sees to it that the files follow when the pause is over.
func (s *Store) settleLater() {
	if s.later != nil {
		return
	}
	s.later = time.AfterFunc(s.pace-time.Since(s.settledAt), func() {
		// An error is a full disk, say: the next publication tries again.
		_ = s.Settle()
	})
}

// settle writes the partial files of the published checkpoint, then its own file,
// durably, and removes partial files that nobody needs any more.
func (s *Store) settle() error {
	if s.later != nil {
		s.later.Stop()
		s.later = nil
	}
	v := s.published.Load()
	if err := s.writePartials(&v.edge); err != nil {
		return err
	}
	if err := durable.Replace(s.path(CheckpointPath), v.signed, fileMode, s.disk.sync); err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	s.settledAt = time.Now()
	s.sweepPartials(v.edge.size)
	return nil
}
