package provenance_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	secrets "github.com/tallyroot/tallyroot/provenance/credentials/embedded"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/embedded"
)

func benchService(b *testing.B) (*provenance.Service, provenance.Caller) {
	s, err := provenance.Open(context.Background(), provenance.Config{
		Dir: b.TempDir(), Origin: origin, MinFree: 1,
		Backend: func(ctx context.Context, dir string) (trillianlog.Backend, error) {
			return embedded.Open(ctx, dir, embedded.Options{})
		},
		Credentials: func(dir string) (credentials.Store, error) {
			return secrets.Open(dir, slog.New(slog.DiscardHandler))
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	info, _, err := s.AddParticipant(context.Background(), admin, provenance.NewParticipant{Name: "Farm"})
	if err != nil {
		b.Fatal(err)
	}
	return s, provenance.Caller{Participant: info.ID}
}

const sample = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"ObjectEvent","eventTime":"2026-04-02T09:15:00.000+02:00","eventTimeZoneOffset":"+02:00","epcList":["https://id.gs1.org/01/09506000134352/21/%d"],"action":"OBSERVE","bizStep":"shipping","disposition":"in_transit","readPoint":{"id":"https://id.gs1.org/414/9506000134383"},"bizLocation":{"id":"https://id.gs1.org/414/9506000134383"},"bizTransactionList":[{"type":"po","bizTransaction":"urn:epcglobal:cbv:bt:9506000134383:PO-%d"}]}`

// BenchmarkLog is the cost of one event on its whole way but for HTTP, with as
// many callers as the service is measured with.
func BenchmarkLog(b *testing.B) {
	s, farm := benchService(b)
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if _, err := s.Log(context.Background(), farm, provenance.Submission{Body: fmt.Appendf(nil, sample, i, i)}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLogBatch is the same for batches of 100.
func BenchmarkLogBatch(b *testing.B) {
	s, farm := benchService(b)
	var n atomic.Int64
	b.SetParallelism(4)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			subs := make([]provenance.Submission, 100)
			for k := range subs {
				i := n.Add(1)
				subs[k].Body = fmt.Appendf(nil, sample, i, i)
			}
			for _, r := range s.LogBatch(context.Background(), farm, subs) {
				if r.Err != nil {
					b.Error(r.Err)
				}
			}
		}
	})
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
