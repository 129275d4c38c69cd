package gateway

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/indexlog"
)

// ObserveIndex registers what is measured while the history index works, and gives
// what measures it: for provenance.Config.OnIndexPublish, as with ObserveLog.
func ObserveIndex(r *prometheus.Registry) (func(took time.Duration), error) {
	publish := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "tallyroot_index_publish_seconds",
		Help:    "Time from a checkpoint of the log to the published index checkpoint about it.",
		Buckets: []float64{.004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5, 10, 30, 120, 600},
	})
	return func(took time.Duration) { publish.Observe(took.Seconds()) }, r.Register(publish)
}

// indexCollector gives the history index's numbers when they are asked for.
type indexCollector struct {
	service *provenance.Service
	numbers []indexNumber
}

type indexNumber struct {
	desc  *prometheus.Desc
	value func(indexlog.Status) float64
}

func newIndexCollector(service *provenance.Service) *indexCollector {
	c := &indexCollector{service: service}
	opened := time.Now()
	gauge := func(name, help string, value func(indexlog.Status) float64) {
		c.numbers = append(c.numbers, indexNumber{prometheus.NewDesc("tallyroot_index_"+name, help, nil, nil), value})
	}
	gauge("entries", "Entries of the log that histories are of.", func(st indexlog.Status) float64 { return float64(st.Covered) })
	gauge("behind_entries", "Published entries of the log that histories do not have yet.", func(st indexlog.Status) float64 { return float64(st.Behind) })
	gauge("leaves", "Size of the published index checkpoint.", func(st indexlog.Status) float64 { return float64(st.Published) })
	gauge("checkpoint_age_seconds", "Time since the newest index checkpoint was published; before the first, since the start.", func(st indexlog.Status) float64 {
		if st.PublishedAt.IsZero() {
			return time.Since(opened).Seconds()
		}
		return max(time.Since(st.PublishedAt).Seconds(), 0)
	})
	gauge("unavailable", "1 while no history can be given.", func(st indexlog.Status) float64 { return number(st.Readable != nil) })
	gauge("publishing_blocked", "1 while histories stay where they are.", func(st indexlog.Status) float64 { return number(st.Publishing != nil) })
	gauge("stopped", "1 when they do so for good: an operator must act.", func(st indexlog.Status) float64 { return number(st.Err != nil) })
	gauge("keys", "Keys in the map: identifiers, in each role that they have.", func(st indexlog.Status) float64 { return float64(st.Stats.Keys) })
	gauge("positions", "Positions under all keys.", func(st indexlog.Status) float64 { return float64(st.Stats.Postings) })
	gauge("disk_bytes", "Size of the map's files.", func(st indexlog.Status) float64 { return float64(st.Stats.DiskBytes) })
	return c
}

func (c *indexCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, n := range c.numbers {
		ch <- n.desc
	}
}

func (c *indexCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.service.IndexStatus()
	for _, n := range c.numbers {
		ch <- prometheus.MustNewConstMetric(n.desc, prometheus.GaugeValue, n.value(st))
	}
}

// telling says whether histories can be given, and how new they are.
type telling struct {
	OK          bool      `json:"ok"`
	Reason      string    `json:"reason,omitempty"` // why not; or why they stay where they are
	Entries     uint64    `json:"entries,string"`   // that histories are of
	Behind      uint64    `json:"behind,string"`    // that are published besides
	PublishedAt time.Time `json:"publishedAt,omitzero"`
}

func newTelling(st indexlog.Status) telling {
	now := telling{OK: st.Readable == nil, Entries: st.Covered, Behind: st.Behind, PublishedAt: st.PublishedAt.UTC().Round(time.Millisecond)}
	switch {
	case st.Readable != nil:
		now.Reason = st.Readable.Error()
	case st.Publishing != nil:
		now.Reason = st.Publishing.Error()
	}
	return now
}

func (t *telling) text(at time.Time) string {
	if !t.OK {
		return orOK(t.Reason)
	}
	text := fmt.Sprintf("ok, of %d entries, %d behind, index published %s ago", t.Entries, t.Behind, span(at.Sub(t.PublishedAt)))
	if t.Reason != "" {
		text += "; they stay there: " + orOK(t.Reason)
	}
	return text
}
