package gateway

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

// healthz says that the process serves requests, and nothing more: whoever
// restarts processes asks here.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	plain(w, http.StatusOK, "ok\n")
}

// ObserveLog registers what is measured while the log works, and gives the hooks
// that measure it: for provenance.Config, since a log is open before its Server
// is made. The Server gets the same registry.
func ObserveLog(r *prometheus.Registry) (trillianlog.Hooks, error) {
	seconds := []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5, 10, 30}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	var (
		write    = histogram("tallyroot_log_write_seconds", "Time of one write to the back end, until its entries are durable.", seconds)
		entries  = histogram("tallyroot_log_write_entries", "New entries in one write to the back end.", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})
		publish  = histogram("tallyroot_log_publish_seconds", "Time from a tree that the back end states to its published checkpoint.", seconds)
		provable = histogram("tallyroot_log_provable_seconds", "Time from when the entries of a write are durable until a published checkpoint covers them.", seconds)
		failed   = prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyroot_backend_errors_total",
			Help: "Calls to the log's back end that failed.",
		}, []string{"call"})
	)
	for _, c := range []prometheus.Collector{write, entries, publish, provable, failed} {
		if err := r.Register(c); err != nil {
			return trillianlog.Hooks{}, err
		}
	}
	for _, call := range trillianlog.Calls() {
		failed.WithLabelValues(call)
	}
	return trillianlog.Hooks{
		OnBatch: func(leaves int, took time.Duration) {
			write.Observe(took.Seconds())
			entries.Observe(float64(leaves))
		},
		OnPublish:  func(_ uint64, took time.Duration) { publish.Observe(took.Seconds()) },
		OnProvable: func(took time.Duration) { provable.Observe(took.Seconds()) },
		OnError:    func(call string) { failed.WithLabelValues(call).Inc() },
	}, nil
}

// logCollector gives the log's numbers when they are asked for.
type logCollector struct {
	service *provenance.Service
	opened  time.Time
	numbers []logNumber
}

type logNumber struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(trillianlog.Status) float64
}

func newLogCollector(service *provenance.Service) *logCollector {
	c := &logCollector{service: service, opened: time.Now()}
	add := func(kind prometheus.ValueType, name, help string, value func(trillianlog.Status) float64) {
		c.numbers = append(c.numbers, logNumber{prometheus.NewDesc("tallyroot_log_"+name, help, nil, nil), kind, value})
	}
	gauge := func(name, help string, value func(trillianlog.Status) float64) {
		add(prometheus.GaugeValue, name, help, value)
	}
	counter := func(name, help string, value func(trillianlog.Counts) uint64) {
		add(prometheus.CounterValue, name, help, func(st trillianlog.Status) float64 { return float64(value(st.Counts)) })
	}
	gauge("published_entries", "Size of the published checkpoint.", func(st trillianlog.Status) float64 { return float64(st.Published) })
	gauge("stored_entries", "Durable entries, published or not.", func(st trillianlog.Status) float64 { return float64(st.Stored) })
	gauge("published_timestamp_seconds", "When the newest checkpoint was published; 0 before the first.", func(st trillianlog.Status) float64 {
		if st.PublishedAt.IsZero() {
			return 0
		}
		return float64(st.PublishedAt.UnixMilli()) / 1000
	})
	gauge("checkpoint_age_seconds", "Time since the newest checkpoint was published; before the first, since the start.", func(st trillianlog.Status) float64 {
		if st.PublishedAt.IsZero() {
			return time.Since(c.opened).Seconds()
		}
		return max(time.Since(st.PublishedAt).Seconds(), 0)
	})
	gauge("queue_entries", "Entries that wait to be durable.", func(st trillianlog.Status) float64 { return float64(st.QueueLeaves) })
	gauge("queue_bytes", "Bytes of the entries that wait to be durable.", func(st trillianlog.Status) float64 { return float64(st.QueueBytes) })
	gauge("stopped", "1 when the log has stopped publishing for good: an operator must act.", func(st trillianlog.Status) float64 { return number(st.Err != nil) })
	gauge("publishing_blocked", "1 when publishing does not get on.", func(st trillianlog.Status) float64 { return number(st.Publishing != nil) })
	gauge("refusing", "1 when new entries are refused.", func(st trillianlog.Status) float64 { return number(st.Writable != nil) })
	counter("appended_entries_total", "New entries that were made durable.", func(n trillianlog.Counts) uint64 { return n.Leaves })
	counter("duplicates_total", "Entries that were sent again.", func(n trillianlog.Counts) uint64 { return n.Duplicates })
	counter("conflicts_total", "Entries refused because another text has their identity.", func(n trillianlog.Counts) uint64 { return n.Conflicts })
	counter("unconfirmed_writes_total", "Writes to the back end whose outcome had to be asked for.", func(n trillianlog.Counts) uint64 { return n.Unsettled })
	return c
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *logCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, n := range c.numbers {
		ch <- n.desc
	}
}

func (c *logCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.service.Status()
	for _, n := range c.numbers {
		ch <- prometheus.MustNewConstMetric(n.desc, n.kind, n.value(st))
	}
}

// registerLog adds the log's and the process's numbers to the registry.
func registerLog(r *prometheus.Registry, service *provenance.Service) error {
	all := []prometheus.Collector{
		newLogCollector(service),
		newIndexCollector(service),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, w := range []*quorum.Client{service.Witnesses(), service.IndexWitnesses()} {
		if w != nil {
			all = append(all, w)
		}
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
