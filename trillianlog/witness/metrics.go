package witness

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxLogMetrics is of how many logs the sizes are told: the first ones by origin.
const maxLogMetrics = 1000

// metrics are a witness's numbers; their names and labels are part of what operators
// build on.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	forks    *prometheus.CounterVec
	refuted  *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyroot_witness_requests_total",
			Help: "Requests to cosign a checkpoint, by status.",
		}, []string{"code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tallyroot_witness_cosign_seconds",
			Help:    "Time from a request's header to the end of an answer with a cosignature.",
			Buckets: []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5, 10},
		}),
		forks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyroot_witness_forks_total",
			Help: "Checkpoints that a log signed beside others of the same size: proofs that it shows two histories.",
		}, []string{"log"}),
		refuted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyroot_witness_refuted_total",
			Help: "Checkpoints that claim what the witness found not to be so.",
		}, []string{"log"}),
	}
}

func (m *metrics) observe(status int, took time.Duration) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	if status == 200 {
		m.seconds.Observe(took.Seconds())
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.seconds, m.forks, m.refuted}
}

var (
	sizeDesc = prometheus.NewDesc("tallyroot_witness_log_size", "Size of the last checkpoint of a log that was cosigned.", []string{"log"}, nil)
	timeDesc = prometheus.NewDesc("tallyroot_witness_log_cosigned_timestamp_seconds", "Time of the last cosignature for a log.", []string{"log"}, nil)
	logsDesc = prometheus.NewDesc("tallyroot_witness_logs", "Logs that the witness follows.", nil, nil)
)

// Describe makes the Server a prometheus.Collector.
func (s *Server) Describe(c chan<- *prometheus.Desc) {
	for _, m := range s.metrics.all() {
		m.Describe(c)
	}
	c <- sizeDesc
	c <- timeDesc
	c <- logsDesc
}

// Collect makes the Server a prometheus.Collector.
func (s *Server) Collect(c chan<- prometheus.Metric) {
	for _, m := range s.metrics.all() {
		m.Collect(c)
	}
	followed := 0
	for _, l := range s.Status() {
		if !l.Followed {
			continue
		}
		if followed++; followed > maxLogMetrics || l.Time.IsZero() {
			continue
		}
		c <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(l.Size), l.Origin)
		c <- prometheus.MustNewConstMetric(timeDesc, prometheus.GaugeValue, float64(l.Time.Unix()), l.Origin)
	}
	c <- prometheus.MustNewConstMetric(logsDesc, prometheus.GaugeValue, float64(followed))
}
