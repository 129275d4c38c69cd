package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

// readiness says what goes on and what does not. Reads need no back end and no
// disk with room, so they often go on alone.
type readiness struct {
	Ready  bool    `json:"ready"` // what was asked for goes on
	Writes writing `json:"writes"`
	Reads  reading `json:"reads"`
	// Histories may be late, or not there for a while, when all else goes on.
	Histories telling `json:"histories"`
	Also      string  `json:"also,omitempty"` // why neither goes on, whatever they say
	// Witnesses are those of the policy, if it asks for any. As long as a quorum of
	// them cosigns, writes go on.
	Witnesses []witness `json:"witnesses,omitempty"`
	// IndexWitnesses are those of the index policy. As long as a quorum of them
	// cosigns, histories do not stay behind.
	IndexWitnesses []witness `json:"indexWitnesses,omitempty"`
}

type witness struct {
	Name       string    `json:"name"` // in the policy
	OK         bool      `json:"ok"`   // it cosigned when it was asked last
	Reason     string    `json:"reason,omitempty"`
	CosignedAt time.Time `json:"cosignedAt,omitzero"`
}

type writing struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not
}

type reading struct {
	OK          bool      `json:"ok"`
	Reason      string    `json:"reason,omitempty"`
	Size        uint64    `json:"size,string"` // of the published checkpoint
	PublishedAt time.Time `json:"publishedAt,omitzero"`
}

// readyz says whether events are taken and published, and whether there is
// something to read, each with the reason why not: whoever sends traffic asks
// here. ?of=reads asks for the second alone, ?of=histories whether those are there.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	now := s.readiness()
	query := r.URL.Query()
	switch of := query.Get("of"); {
	case len(query["of"]) > 1 || of != "" && of != "reads" && of != "writes" && of != "histories":
		s.writeProblem(w, r, problem(codes.InvalidArgument, fmt.Sprintf("of=%.40q is none of reads, writes and histories", of)))
		return
	case of == "reads":
		now.Ready = now.Reads.OK && now.Also == ""
	case of == "histories":
		now.Ready = now.Histories.OK && now.Also == ""
	default:
		now.Ready = (now.Writes.OK || s.service.Mirrors()) && now.Reads.OK && now.Also == ""
	}
	code := http.StatusOK
	if !now.Ready {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(int(retryUnavailable.Seconds())))
	}
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), contentJSON) {
		plain(w, code, now.text(time.Now()))
		return
	}
	body, err := json.Marshal(now)
	if err != nil { // it holds numbers and text
		s.writeProblem(w, r, problem(codes.Internal, internalText))
		return
	}
	answer(w, code, contentJSON, string(body)+"\n")
}

func (s *Server) readiness() readiness {
	var now readiness
	st := s.service.Status()
	switch {
	case st.Err != nil:
		now.Writes.Reason = st.Err.Error()
	case st.Writable != nil:
		now.Writes.Reason = "refused: " + st.Writable.Error()
	case s.service.Takes() != nil:
		now.Writes.Reason = "refused: entries from before an interruption are published first"
		if st.Publishing != nil {
			now.Writes.Reason += ", and that does not get on: " + st.Publishing.Error()
		}
	case st.Publishing != nil:
		now.Writes.Reason = "taken, and not published: " + st.Publishing.Error()
	}
	if st.Readable != nil {
		now.Reads.Reason = st.Readable.Error()
	}
	now.Writes.OK, now.Reads.OK = now.Writes.Reason == "", now.Reads.Reason == ""
	now.Reads.Size, now.Reads.PublishedAt = st.Published, st.PublishedAt.UTC().Round(time.Millisecond)
	now.Histories = newTelling(s.service.IndexStatus())
	now.Witnesses, now.IndexWitnesses = asked(s.service.Witnesses()), asked(s.service.IndexWitnesses())
	var also []string
	if s.ready != nil {
		if err := s.ready(); err != nil {
			also = append(also, err.Error())
		}
	}
	if s.stopping.Load() {
		also = append(also, "the server is stopping")
	}
	now.Also = strings.Join(also, "; ")
	return now
}

// asked tells of the witnesses that are asked; of none if there is nobody to ask.
func asked(c *quorum.Client) (all []witness) {
	if c == nil {
		return nil
	}
	for _, w := range c.Status().Witnesses {
		is := witness{Name: w.Name, OK: w.Err == nil && !w.CosignedAt.IsZero(), CosignedAt: w.CosignedAt.UTC().Round(time.Millisecond)}
		if w.Err != nil {
			is.Reason = w.Err.Error()
		} else if !is.OK {
			is.Reason = "not asked yet"
		}
		all = append(all, is)
	}
	return all
}

func (now *readiness) text(at time.Time) string {
	text := "writes: " + orOK(now.Writes.Reason) + "\nreads: " + orOK(now.Reads.Reason)
	if now.Reads.OK {
		text += fmt.Sprintf(", checkpoint of size %d published %s ago", now.Reads.Size, span(at.Sub(now.Reads.PublishedAt)))
	}
	text += "\nhistories: " + now.Histories.text(at)
	for i, w := range now.Witnesses {
		text += map[bool]string{true: "\nwitnesses: ", false: "; "}[i == 0] + orOK(w.Name) + ": " + orOK(w.Reason)
	}
	for i, w := range now.IndexWitnesses {
		text += map[bool]string{true: "\nindex witnesses: ", false: "; "}[i == 0] + orOK(w.Name) + ": " + orOK(w.Reason)
	}
	if now.Also != "" {
		text += "\nalso: " + now.Also
	}
	return text + "\n"
}

func orOK(reason string) string {
	if reason == "" {
		return "ok"
	}
	// A cause may have several lines; here each has its own meaning.
	return strings.Join(strings.Fields(reason), " ")
}

// span writes a time for a person: in seconds, minutes, hours or days.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", max(d, 0)/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

func plain(w http.ResponseWriter, code int, text string) {
	answer(w, code, "text/plain; charset=utf-8", text)
}

func answer(w http.ResponseWriter, code int, contentType, text string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}
