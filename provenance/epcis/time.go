package epcis

import "time"

// moment is a time as it was written.
type moment struct {
	at     time.Time // in UTC, to the nanosecond; what is finer is cut off
	strict bool      // it has the form that EPCIS asks for: xsd:dateTimeStamp
	zoned  bool      // it says its offset from UTC
}

// parseTime reads YYYY-MM-DDThh:mm:ss, with a fraction or none, and an offset
// or none; strict tells the form that EPCIS asks for from what is understood
// beside it (a space for the T, lower case, an offset without colon or minutes).
func parseTime(s string) (m moment, ok bool) {
	if len(s) < len("2006-01-02T15:04:05") || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' {
		return m, false
	}
	year, month, day := number(s[:4]), number(s[5:7]), number(s[8:10])
	hour, minute, second := number(s[11:13]), number(s[14:16]), number(s[17:19])
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return m, false
	}
	m.strict = s[10] == 'T'
	if !m.strict && s[10] != 't' && s[10] != ' ' {
		return m, false
	}
	rest := s[19:]
	nanos := 0
	if rest != "" && rest[0] == '.' {
		fraction := digits(rest[1:])
		if fraction == "" {
			return m, false
		}
		rest = rest[1+len(fraction):]
		for i := range 9 {
			nanos *= 10
			if i < len(fraction) {
				nanos += int(fraction[i] - '0')
			}
		}
	}
	offset, strict, ok := parseOffset(rest)
	if !ok {
		return m, false
	}
	m.zoned = rest != ""
	m.strict = m.strict && strict && m.zoned
	m.at = time.Date(year, time.Month(month), day, hour, minute-offset, second, nanos, time.UTC)
	return m, true
}

// maxOffset is the largest offset from UTC that XML Schema allows, in minutes.
const maxOffset = 14 * 60

// parseOffset reads Z, ±hh:mm, ±hhmm, ±hh or nothing, in minutes east of UTC.
func parseOffset(s string) (minutes int, strict, ok bool) {
	switch {
	case s == "":
		return 0, false, true
	case s == "Z":
		return 0, true, true
	case s == "z":
		return 0, false, true
	case s[0] != '+' && s[0] != '-':
		return 0, false, false
	}
	hours, mins := -1, -1
	switch len(s) {
	case len("+hh"):
		hours, mins = number(s[1:]), 0
	case len("+hhmm"):
		hours, mins = number(s[1:3]), number(s[3:])
	case len("+hh:mm"):
		if s[3] == ':' {
			hours, mins, strict = number(s[1:3]), number(s[4:]), true
		}
	}
	minutes = 60*hours + mins
	if hours < 0 || mins < 0 || mins > 59 || minutes > maxOffset {
		return 0, false, false
	}
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, strict, true
}

// number reads decimal digits; -1 when there is anything else.
func number(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// appendTime writes a time as the event hash has it: in UTC, with milliseconds,
// the fourth decimal rounded half up. A time without offset counts as UTC; what
// is no time stands as it is.
func appendTime(dst []byte, s string) []byte {
	m, ok := parseTime(s)
	if !ok {
		return append(dst, s...)
	}
	// Whether it is rounded up is for the fourth decimal alone to say, so
	// that what was cut off beyond the ninth does not matter.
	at := m.at.Add(500 * time.Microsecond)
	if at.Year() < 1 || at.Year() > 9999 {
		return append(dst, s...)
	}
	return at.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}
