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
	if err := s.holdAnswer(ctx, h.Weight()); err != nil {
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
	j, err := s.service.JourneyHistories(ctx, req.Id)
	if err != nil {
		return nil, fail(ctx, err)
	}
	if err := s.holdAnswer(ctx, j.Weight()); err != nil {
		return nil, fail(ctx, err)
	}
	m := &v1.Journey{NotFollowed: j.NotFollowed}
	for i := range j.Histories {
		m.Histories = append(m.Histories, historyMessage(&j.Histories[i]))
	}
	return m, nil
}

// historyMessage leaves participants out.
func historyMessage(h *history.History) *v1.History {
	m := &v1.History{
		Id: h.ID, Kind: h.Kind, IndexCheckpoint: h.Index.Checkpoint, IndexLeaf: h.Index.Leaf, IndexProof: hashes(h.Index.LeafProof),
		LogCheckpoint: h.LogCheckpoint, MapProof: mapProof(&h.Index.MapProof), Positions: h.Positions,
	}
	for _, e := range h.Entries {
		m.Entries = append(m.Entries, &v1.History_Entry{Index: e.Index, Entry: e.Entry, Proof: hashes(e.Proof)})
	}
	return m
}

func mapProof(p *historyindex.Proof) *v1.History_MapProof {
	m := &v1.History_MapProof{Present: p.Present, Path: make([]*v1.History_MapProof_Step, len(p.Path))}
	if !p.Empty {
		m.Key, m.Value = p.Key[:], p.Value[:]
	}
	steps := make([]v1.History_MapProof_Step, len(p.Path))
	for i := range p.Path {
		m.Path[i] = &steps[i]
		m.Path[i].Bit, m.Path[i].Hash = uint32(p.Path[i].Bit), p.Path[i].Hash[:]
	}
	return m
}
