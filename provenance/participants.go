package provenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/trillianlog"
)

// NewParticipant is what the operator says of a participant that it adds.
type NewParticipant struct {
	ID     string // "" makes one from the name
	Name   string
	Grants []string // what it may describe: participant.Covers
	// OwnKeys are verifier keys that the participant holds, and Proofs their
	// signatures of the statement (participant.Statement.Prove). With them the
	// service makes no key of its own for the participant: everything that it
	// logs is signed on its side.
	OwnKeys []string
	Proofs  []string
	// TokenExpires ends its first token; zero means never.
	TokenExpires time.Time
}

func (s *Service) onlyOperator(caller Caller) error {
	switch {
	case s.mirrored != nil:
		return ErrMirror
	case caller.Admin:
		return nil
	case caller.Participant == "":
		return fmt.Errorf("%w: send the operator's token (admin.token in the data directory) in the header Authorization: Bearer TOKEN", ErrUnauthenticated)
	}
	return fmt.Errorf("%w: participants and tokens are the operator's: use its token (admin.token in the data directory)", ErrForbidden)
}

// AddParticipant logs the statement that makes a participant, and gives its
// first token.
func (s *Service) AddParticipant(ctx context.Context, caller Caller, n NewParticipant) (participant.Info, Token, error) {
	if err := s.onlyOperator(caller); err != nil {
		return participant.Info{}, Token{}, err
	}
	if n.ID == "" {
		slug, err := entry.Slug(n.Name)
		if err != nil {
			return participant.Info{}, Token{}, refuse("id", fmt.Sprintf("cannot be made from the name %.80q", n.Name), "give one (--id): a-z, 0-9, . and -, such as green-valley-farm")
		}
		n.ID = slug
	}
	if err := entry.ParticipantID(n.ID); err != nil {
		return participant.Info{}, Token{}, refuse("id", err.Error(), "give another (--id): a-z, 0-9, . and -, such as green-valley-farm")
	}
	statement := participant.Statement{
		ID: n.ID, Number: 1, Name: n.Name, Grants: n.Grants, State: participant.Active,
		OwnKeys: n.OwnKeys, Proofs: n.Proofs,
	}
	if err := s.PutParticipant(ctx, caller, statement); errors.Is(err, participant.ErrNumber) || errors.Is(err, ErrExists) {
		return participant.Info{}, Token{}, fmt.Errorf("%w: there is a participant %q; give the new one another id (--id). If it is the one that you mean and it has no token yet: tallyroot token add %s", ErrExists, n.ID, n.ID)
	} else if err != nil {
		return participant.Info{}, Token{}, err
	}
	token, err := s.AddToken(ctx, caller, n.ID, n.TokenExpires)
	if err != nil {
		return participant.Info{}, Token{}, err
	}
	info, err := s.Participant(n.ID)
	return info, token, err
}

// PutParticipant logs the next statement about a participant: all that holds
// about it from then on. For one without own keys the service makes a key, or
// goes on with the one that it has.
func (s *Service) PutParticipant(ctx context.Context, caller Caller, statement participant.Statement) error {
	if err := s.onlyOperator(caller); err != nil {
		return err
	}
	if err := s.beginChange(statement.ID); err != nil {
		return err
	}
	ticket, err := s.queueParticipant(statement)
	if err != nil {
		s.endChange(statement.ID)
		return err
	}
	if _, err = ticket.Wait(ctx); ctx.Err() != nil {
		go func() {
			_, _ = ticket.Wait(context.Background())
			s.endChange(statement.ID)
		}()
		return fmt.Errorf("the statement about %s: %w", statement.ID, ErrUnderWay)
	}
	s.endChange(statement.ID)
	return unavailable(err)
}

// queueParticipant completes a statement about a participant, and queues it if it
// will hold.
func (s *Service) queueParticipant(statement participant.Statement) (*trillianlog.Ticket, error) {
	if err := s.Takes(); err != nil {
		return nil, err
	}
	if _, known := s.projection.State().Latest().Participant(statement.ID); known && statement.Number == 1 {
		return nil, ErrExists
	}
	if len(statement.OwnKeys) == 0 && len(statement.ManagedKeys) == 0 {
		key, err := s.managed.make(s.origin, statement.ID)
		if err != nil {
			return nil, err
		}
		statement.ManagedKeys = []string{key.Verifier().String()}
	}
	leaf, err := s.statementLeaf(entry.Operator, statement.JSON(), s.keys.operator)
	if err != nil {
		return nil, err
	}
	e, err := entry.Parse(leaf.Value)
	if err != nil {
		return nil, err
	}
	// What would have no effect in the log is not put there.
	if effect := s.projection.State().Try(s.projection.Next(), e); effect.Err != nil {
		return nil, refuseStatement(effect.Err)
	}
	ticket, err := s.log.Add(leaf)
	return ticket, unavailable(err)
}

// beginChange keeps entries of the participant out of the log while a statement
// about it is under way: they would be judged by a state that nobody knows yet.
func (s *Service) beginChange(id string) error {
	s.order.Lock()
	defer s.order.Unlock()
	if s.changing[id] {
		return &Unavailable{Why: fmt.Sprintf("the participant %s is being changed by another request; nothing of this was logged", id), After: time.Second}
	}
	s.changing[id] = true
	return nil
}

func (s *Service) endChange(id string) {
	s.order.Lock()
	defer s.order.Unlock()
	delete(s.changing, id)
}

// Participant gives what holds now about a participant.
func (s *Service) Participant(id string) (participant.Info, error) {
	info, ok := s.projection.State().Latest().Participant(id)
	if !ok {
		return info, fmt.Errorf("%w: no participant has the id %q", ErrNotFound, id)
	}
	return info, nil
}

// Participants gives all participants, by id.
func (s *Service) Participants() []participant.Info { return s.projection.State().Participants() }

// DisableParticipant logs the statement after which nothing that the participant
// signs holds.
func (s *Service) DisableParticipant(ctx context.Context, caller Caller, id string) (participant.Info, error) {
	if err := s.onlyOperator(caller); err != nil {
		return participant.Info{}, err
	}
	info, err := s.Participant(id)
	if err != nil || !info.Active {
		return info, err
	}
	statement := participant.Statement{
		ID: id, Number: info.Number + 1, Name: info.Name, Grants: info.Grants, State: participant.Disabled,
		OwnKeys: vkeys(info.Own), ManagedKeys: vkeys(info.Managed),
	}
	if err := s.PutParticipant(ctx, caller, statement); err != nil {
		return participant.Info{}, err
	}
	return s.Participant(id)
}

func vkeys(keys []entry.Verifier) []string {
	var list []string
	for _, k := range keys {
		list = append(list, k.String())
	}
	return list
}

// Tokens gives a participant's tokens, without their secrets.
func (s *Service) Tokens(caller Caller, id string) ([]Token, error) {
	if err := s.onlyOperator(caller); err != nil {
		return nil, err
	}
	list, err := s.credentials.Tokens(id)
	tokens := make([]Token, len(list))
	for i, t := range list {
		tokens[i] = tokenOf(t)
	}
	return tokens, storeError(err)
}

func tokenOf(t credentials.Token) Token {
	return Token{Participant: t.Participant, Number: t.Number, Created: t.Created, Expires: t.Expires, Revoked: t.Revoked}
}

// AddToken makes a further token for a participant; a zero expires means never.
// Where the service has lost the key with which it signs for the participant, it
// makes a new one first.
func (s *Service) AddToken(ctx context.Context, caller Caller, id string, expires time.Time) (Token, error) {
	if err := s.onlyOperator(caller); err != nil {
		return Token{}, err
	}
	info, err := s.Participant(id)
	if err != nil {
		return Token{}, err
	}
	if err := s.renewLostKey(ctx, caller, info); err != nil {
		return Token{}, err
	}
	now := s.now()
	if !expires.IsZero() && !expires.After(now) {
		return Token{}, refuse("expires", "is past", "a time to come, or none for a token that stays good")
	}
	secret, t, err := credentials.Issue(s.credentials, id, now, expires)
	token := tokenOf(t)
	token.Secret = secret
	return token, storeError(err)
}

// renewLostKey gives an active participant that holds no key itself a new managed
// key, if the service does not have the one that is in force: its folder of keys
// and tokens was lost.
func (s *Service) renewLostKey(ctx context.Context, caller Caller, info participant.Info) error {
	if !info.Active || len(info.Own) > 0 {
		return nil
	}
	key, err := s.managed.make(s.origin, info.ID)
	if err != nil {
		return err
	}
	if slices.Contains(info.Managed, key.Verifier()) {
		return nil
	}
	return s.PutParticipant(ctx, caller, participant.Statement{
		ID: info.ID, Number: info.Number + 1, Name: info.Name, Grants: info.Grants, State: participant.Active,
		ManagedKeys: []string{key.Verifier().String()},
	})
}

// RevokeToken ends a token. One that was revoked before stays as it was.
func (s *Service) RevokeToken(caller Caller, id string, number uint64) (Token, error) {
	if err := s.onlyOperator(caller); err != nil {
		return Token{}, err
	}
	t, ok, err := s.credentials.RevokeToken(id, number, s.now())
	if err != nil {
		return Token{}, storeError(err)
	}
	if !ok {
		return Token{}, fmt.Errorf("%w: %s has no token number %d", ErrNotFound, id, number)
	}
	return tokenOf(t), nil
}
