package client

import (
	"fmt"
	"strconv"
	"strings"
)

// A Uint64 is a number as protobuf's JSON writes 64-bit integers: in quotes. It
// reads them without quotes too.
type Uint64 uint64

func (u Uint64) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatUint(uint64(u), 10)), nil
}

func (u *Uint64) UnmarshalJSON(b []byte) error {
	text := string(b)
	if text == "null" {
		return nil
	}
	if t, ok := strings.CutPrefix(text, `"`); ok {
		text = strings.TrimSuffix(t, `"`)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a whole number of 64 bits", b)
	}
	*u = Uint64(n)
	return nil
}
