package gateway

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestLoad(t *testing.T) {
	l := load{limit: 1 << 20}
	small, ok := l.take(smallBody)
	if !ok || l.held.Load() != 0 {
		t.Fatalf("a small body is counted: %d", l.held.Load())
	}
	small()
	first, ok := l.take(1 << 20)
	if !ok {
		t.Fatal("what fits is refused")
	}
	if _, ok := l.take(smallBody + 1); ok {
		t.Error("what does not fit beside it is taken")
	}
	first()
	if l.held.Load() != 0 {
		t.Errorf("%d bytes are still counted", l.held.Load())
	}
	over, ok := l.take(2 << 20)
	if !ok {
		t.Error("what is alone is refused")
	}
	over()
	if _, ok := l.take(smallBody + 1); !ok {
		t.Error("refused though nothing is held")
	}
}

func TestIntercept(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{logger: slog.New(slog.DiscardHandler), metrics: m}
	_, err = s.intercept(context.Background(), nil, nil, func(context.Context, any) (any, error) { panic("a mistake") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "mistake") {
		t.Errorf("a panic became %v", err)
	}
}

func TestGrow(t *testing.T) {
	l := load{limit: 100}
	var first, second int64
	if !l.grow(&first, 60) || !l.grow(&second, 40) || l.held.Load() != 100 {
		t.Errorf("what fits is refused: %d", l.held.Load())
	}
	if l.grow(&second, 41) || second != 40 || l.held.Load() != 100 {
		t.Errorf("what does not fit is taken: %d", l.held.Load())
	}
	l.held.Add(-first)
	if !l.grow(&second, 200) || l.held.Load() != 200 {
		t.Errorf("what is alone is refused: %d", l.held.Load())
	}
}

// TestHoldAnswer counts an answer until it is sent, and not longer.
func TestHoldAnswer(t *testing.T) {
	s := &Server{answers: load{limit: 4 << 20}}
	first, second := &exchange{}, &exchange{}
	with := func(x *exchange) context.Context { return context.WithValue(context.Background(), exchangeKey{}, x) }
	if err := s.holdAnswer(with(first), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := s.holdAnswer(with(second), 1<<20); status.Code(err) != codes.Unavailable {
		t.Errorf("a second large answer beside the first: %v", err)
	}
	first.end()
	if err := s.holdAnswer(with(second), 1<<20); err != nil {
		t.Errorf("after the first was sent: %v", err)
	}
	second.end()
	if s.answers.held.Load() != 0 {
		t.Errorf("%d bytes are still counted", s.answers.held.Load())
	}
}

// TestLimitsHaveDefaults: a limit that is forgotten would be 0, and refuse all but one.
func TestLimitsHaveDefaults(t *testing.T) {
	v := reflect.ValueOf(Limits{}.withDefaults())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s has no default", v.Type().Field(i).Name)
		}
	}
}
