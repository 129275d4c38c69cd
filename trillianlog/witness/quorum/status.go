package quorum

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is how the witnesses of a log stand.
type Status struct {
	Origin string
	Met    time.Time // when a checkpoint last met the quorum; zero: never
	Missed uint64    // how often one did not
	// Err is nil, or why the last checkpoint did not meet the quorum: an alarm, since
	// nothing is published meanwhile.
	Err       error
	Ahead     error // wraps trillianlog.ErrWitnessAhead if a witness is; an alarm
	Witnesses []WitnessStatus
}

// WitnessStatus is how one witness stands.
type WitnessStatus struct {
	Name, URL  string    // as in the policy
	Size       uint64    // that it cosigned last
	CosignedAt time.Time // when, by our clock; zero: never
	Time       time.Time // when, by its own
	Err        error     // nil, or why it did not cosign when it was asked last
	FailedAt   time.Time // when it last did not; zero: never
	Cosigned   uint64    // how often it did
	Failed     uint64    // how often it did not
}

// Status is for health checks, alarms and metrics.
func (c *Client) Status() Status {
	c.mu.Lock()
	s := Status{Origin: c.options.Origin, Met: c.met, Missed: c.missed, Err: c.err, Ahead: c.ahead}
	c.mu.Unlock()
	for _, f := range c.followers {
		f.mu.Lock()
		s.Witnesses = append(s.Witnesses, f.status)
		f.mu.Unlock()
	}
	return s
}

// Results of asking a witness, as the metrics name them.
const (
	resultCosigned     = "cosigned"
	resultUnreachable  = "unreachable"
	resultBusy         = "busy"         // it wants to be asked later
	resultFailing      = "failing"      // an error of its own
	resultRefused      = "refused"      // it does not know the log, or its key
	resultInconsistent = "inconsistent" // it has seen, or takes this for, another history
	resultAhead        = "ahead"        // it has seen a larger checkpoint than was ever asked for
	resultOvertaken    = "overtaken"    // it has seen a newer one of ours
	resultBehind       = "behind"       // it needed a proof after the others had met the quorum
	resultMalformed    = "malformed"    // its answer is not as specified
	resultClock        = "clock"        // its clock is wrong
	resultUnproved     = "unproved"     // the log could not prove a size from another
)

// metrics are the numbers of one log's witnesses; their names and labels are part of
// what operators build on.
type metrics struct {
	answers        *prometheus.CounterVec
	witnessSeconds *prometheus.HistogramVec
	seconds        prometheus.Histogram

	up, size, cosigned, quorumMet, quorumMissed, ahead *prometheus.Desc
}

var buckets = []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 5, 10, 30}

func newMetrics(origin string) *metrics {
	log := prometheus.Labels{"log": origin}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tallyroot_quorum_"+name, help, labels, log)
	}
	return &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tallyroot_quorum_answers_total", Help: "Outcomes of asking a witness to cosign a checkpoint.", ConstLabels: log,
		}, []string{"witness", "result"}),
		witnessSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tallyroot_quorum_witness_seconds", Help: "Time that a witness took to cosign.", ConstLabels: log, Buckets: buckets,
		}, []string{"witness"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tallyroot_quorum_seconds", Help: "Time until a checkpoint met the quorum.", ConstLabels: log, Buckets: buckets,
		}),
		up:           desc("witness_up", "1 if the witness cosigned when it was asked last, 0 if not.", "witness"),
		size:         desc("witness_size", "Size that the witness cosigned last.", "witness"),
		cosigned:     desc("witness_cosigned_timestamp_seconds", "When the witness last cosigned.", "witness"),
		quorumMet:    desc("met_timestamp_seconds", "When a checkpoint last met the quorum."),
		quorumMissed: desc("missed_total", "Checkpoints that did not meet the quorum when they were asked for."),
		ahead:        desc("ahead", "1 if a witness has seen a larger checkpoint than this log asked for: somebody else signs for it."),
	}
}

func (m *metrics) answer(witness, result string) {
	m.answers.WithLabelValues(witness, result).Inc()
}

func (m *metrics) took(witness string, took time.Duration) {
	m.witnessSeconds.WithLabelValues(witness).Observe(took.Seconds())
}

// Describe makes the Client a prometheus.Collector. Clients of different logs go into
// one registry.
func (c *Client) Describe(d chan<- *prometheus.Desc) {
	m := c.metrics
	m.answers.Describe(d)
	m.witnessSeconds.Describe(d)
	m.seconds.Describe(d)
	for _, desc := range []*prometheus.Desc{m.up, m.size, m.cosigned, m.quorumMet, m.quorumMissed, m.ahead} {
		d <- desc
	}
}

// Collect makes the Client a prometheus.Collector.
func (c *Client) Collect(out chan<- prometheus.Metric) {
	m, s := c.metrics, c.Status()
	m.answers.Collect(out)
	m.witnessSeconds.Collect(out)
	m.seconds.Collect(out)
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for i, w := range s.Witnesses {
		name := c.followers[i].label()
		gauge(m.up, truth(w.Err == nil && !w.CosignedAt.IsZero()), name)
		if !w.CosignedAt.IsZero() {
			gauge(m.size, float64(w.Size), name)
			gauge(m.cosigned, float64(w.CosignedAt.Unix()), name)
		}
	}
	if !s.Met.IsZero() {
		gauge(m.quorumMet, float64(s.Met.Unix()))
	}
	gauge(m.ahead, truth(s.Ahead != nil))
	out <- prometheus.MustNewConstMetric(m.quorumMissed, prometheus.CounterValue, float64(s.Missed))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
