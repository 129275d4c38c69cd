package history

import (
	"encoding/base64"
	"strconv"

	"github.com/tallyroot/tallyroot/provenance/jcs"
)

// Append appends the history's JSON to dst: one object, in which 64-bit numbers
// are strings and bytes standard base64.
func (h *History) Append(dst []byte) []byte {
	dst = h.appendMembers(dst)
	dst = append(dst, `,"participants":[`...)
	for i := range h.Participants {
		dst = append(h.Participants[i].appendMembers(appendComma(dst, i)), '}')
	}
	return append(dst, "]}"...)
}

// Append appends the journey's JSON to dst.
func (j *Journey) Append(dst []byte) []byte { return AppendJourney(dst, j.Histories, j.NotFollowed) }

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

// appendMembers appends the object without its participants and last brace.
func (h *History) appendMembers(dst []byte) []byte {
	dst = appendString(append(dst, `{"id":`...), h.ID)
	dst = appendString(append(dst, `,"kind":`...), h.Kind)
	dst = appendString(append(dst, `,"indexCheckpoint":`...), h.Index.Checkpoint)
	dst = appendString(append(dst, `,"indexLeaf":`...), h.Index.Leaf)
	dst = appendHashes(append(dst, `,"indexProof":`...), h.Index.LeafProof)
	dst = appendString(append(dst, `,"logCheckpoint":`...), h.LogCheckpoint)
	dst = h.Index.MapProof.AppendJSON(append(dst, `,"mapProof":`...))
	dst = append(dst, `,"positions":[`...)
	for i, position := range h.Positions {
		dst = appendNumber(appendComma(dst, i), position)
	}
	dst = append(dst, `],"entries":[`...)
	for i := range h.Entries {
		dst = h.Entries[i].append(appendComma(dst, i))
	}
	return append(dst, ']')
}

func (e *Entry) append(dst []byte) []byte {
	dst = appendNumber(append(dst, `{"index":`...), e.Index)
	dst = appendBytes(append(dst, `,"entry":`...), e.Entry)
	dst = appendHashes(append(dst, `,"proof":`...), e.Proof)
	return append(dst, '}')
}

func appendHashes(dst []byte, hashes [][32]byte) []byte {
	dst = append(dst, '[')
	for i := range hashes {
		dst = appendBytes(appendComma(dst, i), hashes[i][:])
	}
	return append(dst, ']')
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

func appendString(dst []byte, s string) []byte { return jcs.NewString(s).AppendCanonical(dst) }

func appendNumber(dst []byte, n uint64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendUint(dst, n, 10)
	return append(dst, '"')
}

func appendBytes(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}
