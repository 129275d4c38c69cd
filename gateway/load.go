package gateway

import (
	"context"
	"sync/atomic"
)

// load bounds the bytes of large bodies that are held at the same time, all
// clients' together. Small ones are not counted: the number of connections
// bounds those.
type load struct {
	limit int64
	held  atomic.Int64
}

// smallBody is the size in bytes up to which a body is taken without being
// counted, and read into memory set aside at once.
const smallBody = 64 << 10

// take counts n bytes, unless that would be too many. What is alone is always
// taken.
func (l *load) take(n int64) (give func(), ok bool) {
	if n <= smallBody {
		return func() {}, true
	}
	if held := l.held.Add(n); held > l.limit && held != n {
		l.held.Add(-n)
		return nil, false
	}
	return func() { l.held.Add(-n) }, true
}

// grow counts what a body that held so many bytes has grown to, as take does.
func (l *load) grow(held *int64, to int64) bool {
	more := to - *held
	if all := l.held.Add(more); all > l.limit && all != to {
		l.held.Add(-more)
		return false
	}
	*held = to
	return true
}

// answerCost is what a byte of an entry takes while it is being answered: itself,
// and its base64 in the answer.
const answerCost = 3

// holdAnswer counts the entries of an answer until it is sent.
func (s *Server) holdAnswer(ctx context.Context, entries int) error {
	give, ok := s.answers.take(answerCost * int64(entries))
	if !ok {
		return busy().Err()
	}
	if x := exchangeOf(ctx); x != nil {
		x.after(give)
	} else {
		give()
	}
	return nil
}
