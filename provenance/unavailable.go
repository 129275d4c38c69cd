package provenance

import (
	"errors"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
)

// Takes is nil, or what everything that is sent now is answered: an Unavailable.
//
// Nothing is taken before the projection has seen all that the log had when it last
// asked its back end, at the start or after an outage. A statement may be among it,
// logged by an earlier process or with an outcome that nobody knew, that changes by
// what new entries are judged.
func (s *Service) Takes() error {
	if s.mirrored != nil {
		return ErrMirror
	}
	// In this order: the log learns what it has before it takes anything again.
	err := s.log.Refusal()
	if errors.Is(err, trillianlog.ErrStopped) {
		return &Unavailable{Why: "the log has stopped and its operator has to look; nothing of this was logged; reading goes on", After: time.Minute, Err: err}
	}
	if err != nil {
		return unavailable(err)
	}
	if s.projection.Next() >= s.log.Resumed() {
		return nil
	}
	if err := s.log.Trouble(); err != nil {
		return &Unavailable{Why: "entries from before an interruption come first, and cannot be published now; nothing of this was logged; reading goes on", After: 30 * time.Second, Err: err}
	}
	return &Unavailable{Why: "entries from before an interruption are being published first; nothing of this was logged", After: time.Second}
}

// unavailable says what an error of the log is to who sent the leaf. Its cause may
// name hosts and folders: that is for the operator.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	u := &Unavailable{After: 2 * time.Second, Err: err}
	switch {
	case errors.Is(err, trillianlog.ErrStopped):
		u.Why, u.After = "the log has stopped publishing and its operator has to look; reading goes on. Whether this was logged is known when it goes on: send the same then, it is logged once", time.Minute
	case errors.Is(err, trillianlog.ErrUnknown):
		u.Why = "the log's back end stopped answering while it was given this, and it is not known whether it was logged: send the same again, it is logged once"
	case errors.Is(err, trillianlog.ErrClosed):
		u.Why = "the service is stopping, and it is not known whether this was logged: send the same again, it is logged once"
	case errors.Is(err, trillianlog.ErrUnavailable):
		u.Why = "the log's back end takes nothing now; nothing of this was logged; reading goes on"
	case errors.Is(err, trillianlog.ErrNoSpace):
		u.Why, u.After = "the log has no room for more now; nothing of this was logged; reading goes on", 30*time.Second
	case errors.Is(err, trillianlog.ErrBusy):
		u.Why, u.After = "too much waits to be logged; nothing of this was logged", time.Second
	case errors.Is(err, trillianlog.ErrUnmet):
		u.Why, u.After = "nothing can be proved until witnesses have cosigned the published checkpoint, as the service's policy asks for since its last start", 5*time.Second
	default:
		u.Why = err.Error()
	}
	return u
}
