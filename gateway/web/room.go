package web

import (
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
)

// What a page may take. Anybody may ask for the page of anything, and whoever
// logs events shapes it.
const (
	// maxPage bounds the bytes of one page.
	maxPage = 3 << 20
	// maxHeld bounds the bytes of large answers that are made or sent at the
	// same time.
	maxHeld = 128 << 20
	// smallAnswer is the size in bytes up to which an answer is not counted: the
	// number of connections bounds those.
	smallAnswer = 64 << 10
	// jsonCost is what a byte of an entry takes in an answer in JSON: itself, and
	// its base64.
	jsonCost = 3
	// retryAfter is how many seconds somebody waits for whom there was no room.
	retryAfter = 2
)

// room counts the bytes that large answers hold, all readers' together.
type room struct {
	limit int64
	held  atomic.Int64
}

// take counts n bytes until they are given back, unless that is too many. What
// is alone is always taken.
func (r *room) take(n int) (give func(), ok bool) {
	size := int64(n)
	if size <= smallAnswer {
		return func() {}, true
	}
	if held := r.held.Add(size); held > r.limit && held != size {
		r.held.Add(-size)
		return nil, false
	}
	return func() { r.held.Add(-size) }, true
}

// busy sends somebody away for a moment.
func (h *handler) busy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	h.problem(w, r, http.StatusServiceUnavailable, "Too many people are reading large pages", "Try this one again in a few seconds.")
}

// errTooLarge says that a page has more than maxPage bytes.
var errTooLarge = errors.New("the page is too large")
