package gateway

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tallyroot/tallyroot/provenance"
)

// healthz says that the process serves requests, and nothing more: whoever
// restarts processes asks here.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	plain(w, http.StatusOK, "ok\n")
}

// readyz says whether events are taken and checkpoints published, with every
// reason why not: whoever sends traffic asks here.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var reasons []string
	st := s.service.Status()
	switch {
	case st.Err != nil:
		reasons = append(reasons, st.Err.Error())
	case st.Publishing != nil:
		reasons = append(reasons, "publishing: "+st.Publishing.Error())
	}
	if st.Writable != nil {
		if text := st.Writable.Error(); st.Err == nil || text != st.Err.Error() {
			reasons = append(reasons, "logging: "+text)
		}
	}
	if s.ready != nil {
		if err := s.ready(); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	if s.stopping.Load() {
		reasons = append(reasons, "the server is stopping")
	}
	if len(reasons) > 0 {
		plain(w, http.StatusServiceUnavailable, "not ready\n- "+strings.Join(reasons, "\n- ")+"\n")
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}

// logCollector gives the log's numbers when they are asked for.
type logCollector struct {
	service *provenance.Service
	gauges  []logGauge
}

type logGauge struct {
	desc  *prometheus.Desc
	value func(logNumbers) float64
}

// logNumbers is what Service.Status says, as numbers.
type logNumbers struct {
	published, stored          uint64
	queueLeaves, queueBytes    int
	publishedAt                float64 // Unix time in seconds, 0 if it is not known
	stopped, blocked, refusing bool
}

func newLogCollector(service *provenance.Service) *logCollector {
	c := &logCollector{service: service}
	gauge := func(name, help string, value func(logNumbers) float64) {
		c.gauges = append(c.gauges, logGauge{prometheus.NewDesc(name, help, nil, nil), value})
	}
	gauge("tallyroot_log_published_entries", "Size of the published checkpoint.", func(n logNumbers) float64 { return float64(n.published) })
	gauge("tallyroot_log_stored_entries", "Durable entries, published or not.", func(n logNumbers) float64 { return float64(n.stored) })
	gauge("tallyroot_log_published_timestamp_seconds", "When the newest checkpoint was published by this process; 0 if it was not.", func(n logNumbers) float64 { return n.publishedAt })
	gauge("tallyroot_log_queue_entries", "Entries that wait to be durable.", func(n logNumbers) float64 { return float64(n.queueLeaves) })
	gauge("tallyroot_log_queue_bytes", "Bytes of the entries that wait to be durable.", func(n logNumbers) float64 { return float64(n.queueBytes) })
	gauge("tallyroot_log_stopped", "1 when the log has stopped publishing for good: an operator must act.", func(n logNumbers) float64 { return number(n.stopped) })
	gauge("tallyroot_log_publishing_blocked", "1 when publishing does not get on.", func(n logNumbers) float64 { return number(n.blocked) })
	gauge("tallyroot_log_refusing", "1 when new entries are refused.", func(n logNumbers) float64 { return number(n.refusing) })
	return c
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *logCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range c.gauges {
		ch <- g.desc
	}
}

func (c *logCollector) Collect(ch chan<- prometheus.Metric) {
	st := c.service.Status()
	n := logNumbers{
		published: st.Published, stored: st.Stored, queueLeaves: st.QueueLeaves, queueBytes: st.QueueBytes,
		stopped: st.Err != nil, blocked: st.Publishing != nil, refusing: st.Writable != nil,
	}
	if !st.PublishedAt.IsZero() {
		n.publishedAt = float64(st.PublishedAt.UnixMilli()) / 1000
	}
	for _, g := range c.gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(n))
	}
}

// registerLog adds the log's and the process's numbers to the registry.
func registerLog(r *prometheus.Registry, service *provenance.Service) error {
	for _, c := range []prometheus.Collector{
		newLogCollector(service),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
