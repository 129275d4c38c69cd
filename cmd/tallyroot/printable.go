package main

import (
	"fmt"
	"strings"
	"unicode"
)

// printable makes text safe to print on a terminal: what came in a file or from a
// server may hold sequences that move the cursor, rename the window or turn the
// direction of writing. Line feeds and tabs stay.
func printable(text string) string {
	hidden := func(c rune) bool {
		return c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c))
	}
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		if hidden(c) {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}
