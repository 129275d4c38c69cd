package epcis

import "strings"

// nearest gives the word that was likely meant by s; "" when none is near.
func (v *vocabulary) nearest(s string) string { return nearestOf(s, v.words) }

// nearestField gives the field that was likely meant by a member's name.
func nearestField(name string) string { return nearestOf(name, fieldNames[1:]) }

// nearestOf gives the word that differs from s in letter case, or in at most
// two letters; "" when none does.
func nearestOf(s string, words []string) string {
	const most = 2
	if len(s) > 40 {
		return ""
	}
	best, nearest := most+1, ""
	for _, word := range words {
		if strings.EqualFold(s, word) {
			return word
		}
		if d := distance(s, word, best); d < best && d < len(word)/2 {
			best, nearest = d, word
		}
	}
	return nearest
}

// distance counts the letters to insert, drop or replace to make b of a;
// limit or more is not told apart.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := left
			if a[i] != b[j] {
				replaced++
			}
			left = row[j+1]
			row[j+1] = min(replaced, left+1, row[j]+1)
		}
	}
	return row[len(b)]
}
