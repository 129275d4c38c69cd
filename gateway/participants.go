package gateway

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "github.com/tallyroot/tallyroot/proto/tallyroot/v1"
	"github.com/tallyroot/tallyroot/provenance"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
)

// participants serves tallyroot.v1.ParticipantService, to the operator alone.
type participants struct {
	v1.UnimplementedParticipantServiceServer
	*Server
}

func (s *participants) AddParticipant(ctx context.Context, req *v1.AddParticipantRequest) (*v1.AddParticipantResponse, error) {
	caller, err := s.admin(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	expires, err := moment("tokenExpires", req.TokenExpires)
	if err != nil {
		return nil, fail(ctx, err)
	}
	ctx, cancel, err := s.waiting(ctx, nil)
	if err != nil {
		return nil, fail(ctx, err)
	}
	defer cancel()
	info, token, err := s.service.AddParticipant(ctx, caller, provenance.NewParticipant{
		ID: req.Id, Name: req.Name, Grants: req.Grants, OwnKeys: req.OwnKeys, Proofs: req.Proofs, TokenExpires: expires,
	})
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &v1.AddParticipantResponse{
		Participant: participantMessage(&info, []provenance.Token{token}),
		Token:       token.Secret,
	}, nil
}

func (s *participants) ListParticipants(ctx context.Context, _ *v1.ListParticipantsRequest) (*v1.ListParticipantsResponse, error) {
	caller, err := s.admin(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	resp := &v1.ListParticipantsResponse{}
	for _, info := range s.service.Participants() {
		tokens, err := s.service.Tokens(caller, info.ID)
		if err != nil {
			return nil, fail(ctx, err)
		}
		resp.Participants = append(resp.Participants, participantMessage(&info, tokens))
	}
	return resp, nil
}

func (s *participants) DisableParticipant(ctx context.Context, req *v1.DisableParticipantRequest) (*v1.Participant, error) {
	caller, err := s.admin(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	ctx, cancel, err := s.waiting(ctx, nil)
	if err != nil {
		return nil, fail(ctx, err)
	}
	defer cancel()
	info, err := s.service.DisableParticipant(ctx, caller, req.Id)
	if err != nil {
		return nil, fail(ctx, err)
	}
	tokens, err := s.service.Tokens(caller, req.Id)
	if err != nil {
		return nil, fail(ctx, err)
	}
	return participantMessage(&info, tokens), nil
}

func (s *participants) AddToken(ctx context.Context, req *v1.AddTokenRequest) (*v1.AddTokenResponse, error) {
	caller, err := s.admin(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	expires, err := moment("expires", req.Expires)
	if err != nil {
		return nil, fail(ctx, err)
	}
	token, err := s.service.AddToken(ctx, caller, req.Id, expires)
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &v1.AddTokenResponse{Number: token.Number, Token: token.Secret, Expires: timestamp(token.Expires)}, nil
}

func (s *participants) RevokeToken(ctx context.Context, req *v1.RevokeTokenRequest) (*v1.Token, error) {
	caller, err := s.admin(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	token, err := s.service.RevokeToken(caller, req.Id, req.Number)
	if err != nil {
		return nil, fail(ctx, err)
	}
	return tokenMessage(token), nil
}

func participantMessage(info *participant.Info, tokens []provenance.Token) *v1.Participant {
	m := &v1.Participant{
		Id: info.ID, Number: info.Number, Name: info.Name, State: participant.Disabled, Grants: info.Grants,
		OwnKeys: keyTexts(info.Own), ManagedKeys: keyTexts(info.Managed), Index: info.Index,
	}
	if info.Active {
		m.State = participant.Active
	}
	for _, t := range tokens {
		m.Tokens = append(m.Tokens, tokenMessage(t))
	}
	return m
}

func keyTexts(keys []entry.Verifier) []string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = k.String()
	}
	return texts
}

func tokenMessage(t provenance.Token) *v1.Token {
	return &v1.Token{Number: t.Number, Created: timestamp(t.Created), Expires: timestamp(t.Expires), Revoked: timestamp(t.Revoked)}
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// moment reads a time that may be absent.
func moment(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, invalid(field, "is no time; write it like 2027-01-31T00:00:00Z")
	}
	return t.AsTime(), nil
}
