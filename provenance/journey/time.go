package journey

import (
	"math"
	"strings"
	"time"
)

// NoTime stands for the time of an event that has none, or none that can be read.
const NoTime = math.MinInt64

// Time reads the time of an event, an xsd:dateTimeStamp such as
// 2026-11-21T12:30:00.5+02:00, in microseconds since 1970, rounded down.
func Time(s string) (micros int64, ok bool) {
	// time.Parse takes a little more: an hour of one digit, a comma, an offset of 60
	// minutes or of more than 14 hours, the year 0.
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || s[13] != ':' || strings.Contains(s, ",") || t.Year() < 1 {
		return 0, false
	}
	if minutes := s[len(s)-2:]; s[len(s)-1] != 'Z' && minutes > "59" {
		return 0, false
	}
	if _, offset := t.Zone(); offset < -14*3600 || offset > 14*3600 {
		return 0, false
	}
	return t.UnixMicro(), true
}
