package history

// AppendJourney appends the JSON of a journey: its histories, which have no
// participants of their own since each participant's history stands among them
// once, and the identifiers at which it was not followed any further.
func AppendJourney(dst []byte, histories []History, notFollowed []string) []byte {
	dst = append(dst, `{"histories":[`...)
	for i := range histories {
		dst = append(histories[i].appendMembers(appendComma(dst, i)), '}')
	}
	dst = append(dst, `],"notFollowed":[`...)
	for i, id := range notFollowed {
		dst = appendString(appendComma(dst, i), id)
	}
	return append(dst, "]}"...)
}
