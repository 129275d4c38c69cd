package web

import (
	"strings"
	"time"

	trust "github.com/tallyroot/tallyroot/trillianlog/policy"
)

// witnessed says who vouches that the log is the same for everybody. It is what the
// log's own policy asks for, as this server checked it.
type witnessed struct {
	Asked bool   // the policy asks for witnesses
	Met   bool   // enough of them cosigned the checkpoint
	By    string // their names in the policy
	At    string // the time for which the quorum vouches
	Old   bool   // that is longer ago than a reader should take
	Text  string // the policy, for a file

	IndexAsked bool   // the index policy asks for witnesses
	IndexText  string // the index policy, likewise
}

// witnesses tells who witnessed a signed checkpoint of the log.
func (h *handler) witnesses(signed []byte) witnessed {
	policy := h.service.Policy()
	index := h.service.IndexPolicy()
	w := witnessed{Asked: policy.NeedsWitnesses(), Text: policy.String(), IndexAsked: index.NeedsWitnesses(), IndexText: index.String()}
	if !w.Asked {
		return w
	}
	v, err := h.service.Verdict(signed)
	w.By = strings.Join(v.Witnesses, ", ")
	if err != nil || !v.Witnessed {
		return w
	}
	w.Met, w.At = true, v.Time.UTC().Format("2 January 2006, 15:04 UTC")
	w.Old = v.Fresh(time.Now(), trust.DefaultMaxAge) != nil
	return w
}
