// Package credentials keeps what the service must remember and the log does
// not hold: which bearer tokens are good for whom, and the private keys with
// which the service signs for participants that send their events unsigned.
//
// Of a token only the SHA-256 is stored; it is shown once, when it is made, and
// compared in constant time. Every change is durable when the call returns. The
// packages below this one store it: in the data directory, or in a database.
package credentials

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/entry"
)

// What is wrong with a token. A caller may tell its sender: revoked and expired
// are only said of a token whose secret was right.
var (
	ErrMalformed = errors.New("this is not a Tallyroot token: it reads tallyroot_<participant>_<number>_<secret>")
	ErrUnknown   = errors.New("no such token: it was mistyped, or made by another service")
	ErrRevoked   = errors.New("this token was revoked: ask the operator for a new one")
	ErrExpired   = errors.New("this token has expired: ask the operator for a new one")
)

// What a Store gives.
var (
	// ErrUnavailable says that the store cannot be read or written now; nothing
	// is said of any token. Its text may be told to anybody: the cause is for
	// the service's log.
	ErrUnavailable = errors.New("tokens and keys cannot be looked up now; try again in a minute")
	// ErrTaken says that the participant has a token of that number.
	ErrTaken = errors.New("the participant has a token of that number")
)

// Token is what is kept of one bearer token.
type Token struct {
	Participant string    `json:"participant"`
	Number      uint64    `json:"number"` // 1, 2, 3 … for each participant
	Hash        [32]byte  `json:"hash"`   // SHA-256 of the whole token
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero"` // zero: never
	Revoked     time.Time `json:"revoked,omitzero"` // zero: it is good
}

// Store remembers tokens and managed keys, for one process or for several. It is
// safe for concurrent use, every change is durable when the call returns, and
// times are kept to the microsecond at least. Nothing is ever replaced: of two
// who add the same at once, one is first.
type Store interface {
	// Token gives the participant's token of that number, and false when there
	// is none. It is asked on every write, so what another process changed may
	// come a moment later.
	Token(participant string, number uint64) (Token, bool, error)
	// Tokens gives all tokens of a participant, in the order of their numbers,
	// as they are now.
	Tokens(participant string) ([]Token, error)
	// AddToken stores a new token, or gives ErrTaken.
	AddToken(Token) error
	// RevokeToken ends the token and gives it, and false when there is none.
	// One that was revoked before stays as it was.
	RevokeToken(participant string, number uint64, at time.Time) (Token, bool, error)
	// ManagedKey gives the private key (the text of a note signer) with which
	// the service signs for the participant, and "" when there is none.
	ManagedKey(participant string) (string, error)
	// AddManagedKey stores the participant's key. Where there is one, that
	// stays, and it is no error.
	AddManagedKey(participant, key string) error
	// Participants gives, in order, the ids of all that have a token or a key.
	Participants() ([]string, error)
	Close() error
}

const (
	prefix      = "tallyroot"
	secretBytes = 32
	secretText  = 43 // those in base64
	// maxToken bounds what is looked at: prefix, a slug, a number, a secret.
	maxToken = len(prefix) + 1 + 63 + 1 + 20 + 1 + secretText
	// maxIssue bounds how often Issue tries the next number, which only others
	// that issue for the participant at the same time can make it do.
	maxIssue = 100
)

// Issue makes a token for the participant, stores its hash and gives the token
// itself, which nobody can give again. A zero expires means never.
func Issue(store Store, participant string, now, expires time.Time) (secret string, t Token, err error) {
	for range maxIssue {
		have, err := store.Tokens(participant)
		if err != nil {
			return "", Token{}, err
		}
		number := uint64(1)
		if len(have) > 0 {
			number = have[len(have)-1].Number + 1
		}
		secret = NewSecret(participant, number)
		t = Token{Participant: participant, Number: number, Hash: sha256.Sum256([]byte(secret)), Created: now.UTC(), Expires: expires.UTC()}
		if expires.IsZero() {
			t.Expires = time.Time{}
		}
		if err = store.AddToken(t); err == nil {
			return secret, t, nil
		}
		if !errors.Is(err, ErrTaken) {
			return "", Token{}, err
		}
	}
	return "", Token{}, ErrTaken
}

// NewSecret gives the text of a new token: 256 random bits behind a name that
// tells a reader, and a scanner for leaked secrets, what it is.
func NewSecret(participant string, number uint64) string {
	var random [secretBytes]byte
	rand.Read(random[:])
	return strings.Join([]string{prefix, participant, strconv.FormatUint(number, 10), base64.RawURLEncoding.EncodeToString(random[:])}, "_")
}

// Check gives the participant that the token speaks for, or one of the errors
// above.
func Check(store Store, token string, now time.Time) (participant string, err error) {
	if len(token) > maxToken {
		return "", ErrMalformed
	}
	// Neither a slug nor a number has an underscore; the secret may have some.
	parts := strings.SplitN(token, "_", 4)
	if len(parts) != 4 || parts[0] != prefix {
		return "", ErrMalformed
	}
	number, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return "", ErrMalformed
	}
	// What cannot have been issued is not asked for.
	if number == 0 || len(parts[3]) != secretText || entry.ParticipantID(parts[1]) != nil {
		return "", ErrUnknown
	}
	t, found, err := store.Token(parts[1], number)
	if err != nil {
		return "", err
	}
	// An unknown token costs the same as a wrong one: its hash is compared
	// with zeros.
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) != 1 || !found {
		return "", ErrUnknown
	}
	switch {
	case !t.Revoked.IsZero():
		return "", ErrRevoked
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return "", ErrExpired
	}
	return t.Participant, nil
}
