package gateway

import (
	"context"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance/history"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
)

// histories serves tallyroot.v1.HistoryService.
type histories struct {
	v1.UnimplementedHistoryServiceServer
	*Server
}

func (s *histories) GetHistory(ctx context.Context, req *v1.GetHistoryRequest) (*v1.History, error) {
	kind := historyindex.Object
	if req.Kind != "" {
		var err error
		if kind, err = historyindex.ParseKind(req.Kind); err != nil {
			return nil, fail(ctx, invalid("kind", err.Error()))
		}
	}
	if req.Id == "" && kind != historyindex.Operator {
		return nil, fail(ctx, invalid("id", "is missing; write ?id=IDENTIFIER, percent-encoded"))
	}
	limit, err := pageSize(req.Limit, s.limits.Entries, s.limits.Entries)
	if err != nil {
		return nil, fail(ctx, err)
	}
	h, err := s.service.History(ctx, kind, req.Id, req.Offset, limit)
	if err != nil {
		return nil, fail(ctx, err)
	}
	size := entriesSize(h)
	for i := range h.Participants {
		size += entriesSize(&h.Participants[i])
	}
	if err := s.holdAnswer(ctx, size); err != nil {
		return nil, fail(ctx, err)
	}
	m := historyMessage(h)
	for i := range h.Participants {
		m.Participants = append(m.Participants, historyMessage(&h.Participants[i]))
	}
	return m, nil
}

func (s *histories) GetJourney(ctx context.Context, req *v1.GetJourneyRequest) (*v1.Journey, error) {
	if req.Id == "" {
		return nil, fail(ctx, invalid("id", "is missing; write ?id=IDENTIFIER, percent-encoded"))
	}
	list, notFollowed, err := s.service.JourneyHistories(ctx, req.Id)
	if err != nil {
		return nil, fail(ctx, err)
	}
	size := 0
	for i := range list {
		size += entriesSize(&list[i])
	}
	if err := s.holdAnswer(ctx, size); err != nil {
		return nil, fail(ctx, err)
	}
	m := &v1.Journey{NotFollowed: notFollowed}
	for i := range list {
		m.Histories = append(m.Histories, historyMessage(&list[i]))
	}
	return m, nil
}

// entriesSize is how many bytes the entries have, with what stands beside them.
func entriesSize(h *history.History) int {
	n := 8 * len(h.Positions)
	for _, e := range h.Entries {
		n += len(e.Entry) + 32*len(e.Proof)
	}
	return n
}

// historyMessage leaves participants out.
func historyMessage(h *history.History) *v1.History {
	m := &v1.History{Id: h.ID, Kind: h.Kind, LogCheckpoint: h.LogCheckpoint, Positions: h.Positions}
	for _, e := range h.Entries {
		m.Entries = append(m.Entries, &v1.History_Entry{Index: e.Index, Entry: e.Entry, Proof: hashes(e.Proof)})
	}
	return m
}
