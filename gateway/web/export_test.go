package web

import "net/http"

// Fill takes all the room that large answers have.
func Fill(pages http.Handler) { pages.(*handler).room.held.Store(maxHeld) }
