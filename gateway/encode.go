package gateway

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
)

// marshalOptions writes lists that are empty and numbers that are zero, and
// leaves out optional fields that are not set.
var marshalOptions = protojson.MarshalOptions{EmitDefaultValues: true}

// marshalJSON gives the JSON of an answer. What is answered thousands of times
// a second, and histories, which can be long, are written by hand; the tests
// hold that against protojson.
func marshalJSON(m proto.Message) ([]byte, error) {
	switch m := m.(type) {
	case *v1.LogEventResponse:
		if b, ok := appendLogged(make([]byte, 0, loggedSize(m.GetReceipt())), m); ok {
			return b, nil
		}
	case *v1.LogEventsResponse:
		if b, ok := appendResults(m.Results); ok {
			return b, nil
		}
	case *v1.ValidateEventsResponse:
		if b, ok := appendResults(m.Results); ok {
			return b, nil
		}
	case *v1.History:
		if b, ok := appendHistory(make([]byte, 0, historySize(m)), m, true); ok {
			return b, nil
		}
	case *v1.Event:
		if b, ok := appendEvent(make([]byte, 0, loggedSize(m.GetReceipt())+2*len(m.Entry)), m); ok {
			return b, nil
		}
	case *v1.InclusionProof:
		return appendInclusion(make([]byte, 0, 256+48*len(m.Proof)), m), nil
	case *spb.Status:
		return protojson.Marshal(m) // empty members say nothing in an error
	case *v1.Journey:
		if b, ok := appendJourney(m); ok {
			return b, nil
		}
	}
	return marshalOptions.Marshal(m)
}

// The append functions give false for text that is not UTF-8, which protojson
// then explains.

func loggedSize(receipt string) int { return 512 + len(receipt) + len(receipt)/8 }

func appendLogged(b []byte, m *v1.LogEventResponse) (_ []byte, ok bool) {
	b = append(b, `{"eventId":`...)
	if b, ok = appendString(b, m.EventId); !ok {
		return nil, false
	}
	if b, ok = appendPlace(b, m.Index, m.LeafHash, m.Receipt); !ok {
		return nil, false
	}
	if b, ok = appendWarnings(b, m.Warnings); !ok {
		return nil, false
	}
	return append(b, '}'), true
}

func appendResults(results []*v1.LogEventResult) (_ []byte, ok bool) {
	size := 32
	for _, r := range results {
		size += loggedSize(r.GetReceipt())
	}
	b := append(make([]byte, 0, size), `{"results":[`...)
	for i, r := range results {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"status":`...)
		b = strconv.AppendInt(b, int64(r.Status), 10)
		if r.EventId != nil {
			b = append(b, `,"eventId":`...)
			if b, ok = appendString(b, *r.EventId); !ok {
				return nil, false
			}
		}
		if b, ok = appendPlace(b, r.Index, r.LeafHash, r.Receipt); !ok {
			return nil, false
		}
		if r.Error == nil {
			if b, ok = appendWarnings(b, r.Warnings); !ok {
				return nil, false
			}
		} else {
			e, err := marshalJSON(r.Error)
			if err != nil {
				return nil, false
			}
			b = append(append(b, `,"error":`...), e...)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...), true
}

func appendPlace(b []byte, index *uint64, leafHash []byte, receipt *string) (_ []byte, ok bool) {
	if index != nil {
		b = appendUint64(append(b, `,"index":`...), *index)
	}
	if leafHash != nil {
		b = appendBytes(append(b, `,"leafHash":`...), leafHash)
	}
	if receipt != nil {
		return appendString(append(b, `,"receipt":`...), *receipt)
	}
	return b, true
}

func appendWarnings(b []byte, warnings []string) (_ []byte, ok bool) {
	b = append(b, `,"warnings":[`...)
	for i, w := range warnings {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = appendString(b, w); !ok {
			return nil, false
		}
	}
	return append(b, ']'), true
}

func appendEvent(b []byte, e *v1.Event) (_ []byte, ok bool) {
	b = appendBytes(append(b, `{"entry":`...), e.Entry)
	b = appendUint64(append(b, `,"index":`...), e.Index)
	if e.Receipt != nil {
		if b, ok = appendString(append(b, `,"receipt":`...), *e.Receipt); !ok {
			return nil, false
		}
	}
	b = append(b, `,"others":[`...)
	for i, o := range e.Others {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendUint64(append(b, `{"index":`...), o.Index)
		if b, ok = appendString(append(b, `,"participant":`...), o.Participant); !ok {
			return nil, false
		}
		b = append(b, '}')
	}
	if b, ok = appendString(append(b, `],"eventId":`...), e.EventId); !ok {
		return nil, false
	}
	b = appendBytes(append(b, `,"leafHash":`...), e.LeafHash)
	if b, ok = appendString(append(b, `,"participant":`...), e.Participant); !ok {
		return nil, false
	}
	return append(b, '}'), true
}

func appendInclusion(b []byte, p *v1.InclusionProof) []byte {
	b = appendUint64(append(b, `{"index":`...), p.Index)
	b = appendUint64(append(b, `,"size":`...), p.Size)
	b = appendBytes(append(b, `,"leafHash":`...), p.LeafHash)
	b = appendHashes(append(b, `,"proof":`...), p.Proof)
	b = appendBytes(append(b, `,"root":`...), p.Root)
	return append(b, '}')
}

func historySize(h *v1.History) int {
	size := 512 + len(h.LogCheckpoint) + len(h.IndexCheckpoint) + len(h.IndexLeaf) + 48*len(h.IndexProof) + 64*len(h.GetMapProof().GetPath()) + 24*len(h.Positions)
	for _, e := range h.Entries {
		size += 64 + base64.StdEncoding.EncodedLen(len(e.Entry)) + 48*len(e.Proof)
	}
	for _, p := range h.Participants {
		size += historySize(p)
	}
	return size
}

// appendHistory leaves out the participants of the participants' own histories.
func appendHistory(b []byte, h *v1.History, outer bool) (_ []byte, ok bool) {
	b = append(b, `{"id":`...)
	if b, ok = appendString(b, h.Id); !ok {
		return nil, false
	}
	if b, ok = appendString(append(b, `,"kind":`...), h.Kind); !ok {
		return nil, false
	}
	if b, ok = appendString(append(b, `,"indexCheckpoint":`...), h.IndexCheckpoint); !ok {
		return nil, false
	}
	if b, ok = appendString(append(b, `,"indexLeaf":`...), h.IndexLeaf); !ok {
		return nil, false
	}
	b = appendHashes(append(b, `,"indexProof":`...), h.IndexProof)
	if b, ok = appendString(append(b, `,"logCheckpoint":`...), h.LogCheckpoint); !ok {
		return nil, false
	}
	b = appendMapProof(append(b, `,"mapProof":`...), h.MapProof)
	b = append(b, `,"positions":[`...)
	for i, p := range h.Positions {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendUint64(b, p)
	}
	b = append(b, `],"entries":[`...)
	for i, e := range h.Entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendUint64(append(b, `{"index":`...), e.Index)
		b = appendBytes(append(b, `,"entry":`...), e.Entry)
		b = appendHashes(append(b, `,"proof":`...), e.Proof)
		b = append(b, '}')
	}
	b = append(b, ']')
	if outer || len(h.Participants) > 0 {
		b = append(b, `,"participants":[`...)
		for i, p := range h.Participants {
			if i > 0 {
				b = append(b, ',')
			}
			if b, ok = appendHistory(b, p, false); !ok {
				return nil, false
			}
		}
		b = append(b, ']')
	}
	return append(b, '}'), true
}

func appendMapProof(b []byte, p *v1.History_MapProof) []byte {
	b = strconv.AppendBool(append(b, `{"present":`...), p.GetPresent())
	b = appendBytes(append(b, `,"key":`...), p.GetKey())
	b = appendBytes(append(b, `,"value":`...), p.GetValue())
	b = append(b, `,"path":[`...)
	for i, step := range p.GetPath() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(b, `{"bit":`...), uint64(step.Bit), 10)
		b = append(appendBytes(append(b, `,"hash":`...), step.Hash), '}')
	}
	return append(b, "]}"...)
}

func appendJourney(j *v1.Journey) (_ []byte, ok bool) {
	size := 64
	for _, h := range j.Histories {
		size += historySize(h)
	}
	b := append(make([]byte, 0, size), `{"histories":[`...)
	for i, h := range j.Histories {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = appendHistory(b, h, false); !ok {
			return nil, false
		}
	}
	b = append(b, `],"notFollowed":[`...)
	for i, id := range j.NotFollowed {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = appendString(b, id); !ok {
			return nil, false
		}
	}
	return append(b, "]}"...), true
}

func appendHashes(b []byte, hashes [][]byte) []byte {
	b = append(b, '[')
	for i, h := range hashes {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendBytes(b, h)
	}
	return append(b, ']')
}

func appendUint64(b []byte, n uint64) []byte {
	return append(strconv.AppendUint(append(b, '"'), n, 10), '"')
}

func appendBytes(b, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), data), '"')
}

// appendString escapes what JSON must have escaped, and nothing else.
func appendString(b []byte, s string) ([]byte, bool) {
	if !utf8.ValidString(s) {
		return nil, false
	}
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			const digits = "0123456789abcdef"
			b = append(b, `\u00`...)
			b = append(b, digits[c>>4], digits[c&15])
		}
	}
	return append(append(b, s[start:]...), '"'), true
}

// hashes copies a proof for a message.
func hashes(proof [][32]byte) [][]byte {
	out := make([][]byte, len(proof))
	all := make([]byte, 32*len(proof))
	for i := range proof {
		out[i] = all[32*i : 32*i+32 : 32*i+32]
		copy(out[i], proof[i][:])
	}
	return out
}
