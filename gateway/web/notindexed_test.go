package web_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/gateway/web"
	"github.com/tallyroot/tallyroot/provenance"
)

// TestNotIndexed: before the history index is there, a page says so instead of showing
// a part of a journey.
func TestNotIndexed(t *testing.T) {
	s := open(t)
	for _, accept := range []string{"text/html", "application/json"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path(item), nil)
		r.Header.Set("Accept", accept)
		web.Fail(s.pages, w, r, errors.Join(provenance.ErrNotIndexed, os.ErrNotExist))
		body := w.Body.String()
		if w.Code != 503 || w.Header().Get("Retry-After") != "5" || !strings.HasPrefix(w.Header().Get("Content-Type"), accept) ||
			!strings.Contains(body, "history index") || strings.Contains(body, os.ErrNotExist.Error()) {
			t.Errorf("%s: %d %v %s", accept, w.Code, w.Header(), body)
		}
	}
}
