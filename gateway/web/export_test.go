package web

import "net/http"

// Fill takes all the room that large answers have.
func Fill(pages http.Handler) { pages.(*handler).room.held.Store(maxHeld) }

// Fail answers a request that failed.
func Fail(pages http.Handler, w http.ResponseWriter, r *http.Request, err error) {
	pages.(*handler).failed(w, r, err)
}
