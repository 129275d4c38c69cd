package provenance

import (
	"errors"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
)

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
	default:
		u.Why = err.Error()
	}
	return u
}
	case errors.Is(err, trillianlog.ErrUnmet):
		u.Why, u.After = "nothing can be proved until witnesses have cosigned the published checkpoint, as the service's policy asks for since its last start", 5*time.Second
