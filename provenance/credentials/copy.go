package credentials

import (
	"context"
	"fmt"
)

// Copy brings all tokens and managed keys of one store into another, and says how
// many it added there. It may be cut off and repeated: what is there already
// stays, but for a token that was revoked since. A token or a key that differs
// between the two is an error, and stays as it is.
func Copy(ctx context.Context, from, to Store) (added int, err error) {
	participants, err := from.Participants()
	if err != nil {
		return 0, err
	}
	for _, id := range participants {
		if err := ctx.Err(); err != nil {
			return added, err
		}
		n, err := copyTokens(id, from, to)
		added += n
		if err != nil {
			return added, err
		}
		n, err = copyManagedKey(id, from, to)
		added += n
		if err != nil {
			return added, err
		}
	}
	return added, nil
}

func copyTokens(participant string, from, to Store) (added int, err error) {
	tokens, err := from.Tokens(participant)
	if err != nil {
		return 0, err
	}
	list, err := to.Tokens(participant)
	if err != nil {
		return 0, err
	}
	have := map[uint64]Token{}
	for _, t := range list {
		have[t.Number] = t
	}
	for _, t := range tokens {
		old, ok := have[t.Number]
		switch {
		case !ok:
			if err := to.AddToken(t); err != nil {
				return added, fmt.Errorf("copy the token %d of %s: %w", t.Number, participant, err)
			}
			added++
		case old.Hash != t.Hash:
			return added, fmt.Errorf("%s has two different tokens of the number %d: the stores belong to different services, or both issued tokens since the last copy", participant, t.Number)
		case old.Revoked.IsZero() && !t.Revoked.IsZero():
			if _, _, err := to.RevokeToken(participant, t.Number, t.Revoked); err != nil {
				return added, fmt.Errorf("revoke the token %d of %s: %w", t.Number, participant, err)
			}
		}
	}
	return added, nil
}

func copyManagedKey(participant string, from, to Store) (added int, err error) {
	key, err := from.ManagedKey(participant)
	if err != nil || key == "" {
		return 0, err
	}
	have, err := to.ManagedKey(participant)
	if err != nil {
		return 0, err
	}
	if have == "" {
		return 1, to.AddManagedKey(participant, key)
	}
	if have != key {
		return 0, fmt.Errorf("the service signs for %s with two different keys: the stores belong to different services", participant)
	}
	return 0, nil
}
