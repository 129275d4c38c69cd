// Package mysql keeps tokens and managed keys in MySQL or MariaDB, for any number
// of processes.
//
// Who can read the table of tokens learns no token: it holds hashes. Who can
// write it can let anybody in, so its user should be the service's alone. The
// private keys are sealed with a key that lies in the service's data directory
// and never in the database (seal.key): neither the database nor its backups
// alone let anybody sign. Several processes of one service need the same
// seal.key, as they need the same log.key. Services of different origins may
// share a database; none knows the other's tokens.
//
// A token is looked up at most once in a short time, however often it is used,
// and one that is known is taken for a longer time while the database is away.
// It is never said of a token that it is unknown because the database is away.
package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/provenance/credentials"
)

// What holds where Options says nothing.
const (
	// DefaultFresh is for how long a token is taken as it was read: the time
	// after which a revocation by another process has an effect here.
	DefaultFresh = 2 * time.Second
	// DefaultStale is for how long a known token is taken as it was read while
	// the database is away: the longest time that a revocation may need then.
	DefaultStale = 5 * time.Minute
	// DefaultTimeout ends one question to the database, the wait for a
	// connection included.
	DefaultTimeout = 5 * time.Second
)

// Options are all optional.
type Options struct {
	Fresh   time.Duration // 0: DefaultFresh
	Stale   time.Duration // 0: DefaultStale
	Timeout time.Duration // 0: DefaultTimeout
	Logger  *slog.Logger  // nil: slog.Default(). Why the database does not answer
}

// store is a credentials.Store.
type store struct {
	db      *sql.DB
	origin  string
	seal    *seal
	cache   *cache
	timeout time.Duration
	logger  *slog.Logger
}

// Open gives the store of the service with that origin in the database, which has
// our schema. dir is a folder for the key that seals private keys; it is made if
// it is not there. Where there are private keys that the folder's key does not
// open, or there is none, that is an error. The store does not own db.
func Open(db *sql.DB, origin, dir string, o Options) (credentials.Store, error) {
	seal, err := openSeal(dir, origin)
	if err != nil {
		return nil, err
	}
	s := &store{db: db, origin: origin, seal: seal, timeout: cmp.Or(o.Timeout, DefaultTimeout), logger: o.Logger}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	s.cache = newCache(s.readToken, cmp.Or(o.Fresh, DefaultFresh), cmp.Or(o.Stale, DefaultStale), s.logger)
	ctx, cancel := s.context()
	defer cancel()
	wrong, err := s.sealIsWrong(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for managed keys: %w", mysqldb.Explain(err))
	}
	if wrong != nil {
		return nil, wrong
	}
	return s, nil
}

// sealIsWrong says why the seal does not open what is in the database, by one key
// that is there; err is why that cannot be read.
func (s *store) sealIsWrong(ctx context.Context) (wrong, err error) {
	var participant string
	var sealed []byte
	err = s.db.QueryRowContext(ctx, "SELECT participant, sealed FROM tallyroot_managed_keys WHERE origin = ? ORDER BY participant LIMIT 1", s.origin).Scan(&participant, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		_, wrong = s.seal.open(participant, sealed)
	}
	return wrong, err
}

// Close leaves the database open.
func (s *store) Close() error { return nil }

func (s *store) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), s.timeout)
}

// failed logs why the database did not do it. Its own words are not for who asked:
// they tell of the inside.
func (s *store) failed(what string, err error) error {
	s.logger.Warn("the database of tokens and keys", "what", what, "error", mysqldb.Explain(err))
	return credentials.ErrUnavailable
}

const columns = "SELECT participant, number, hash, created, expires, revoked FROM tallyroot_tokens WHERE origin = ? AND participant = ?"

func (s *store) Token(participant string, number uint64) (credentials.Token, bool, error) {
	return s.cache.token(key{participant, number})
}

// readToken reads a token past the cache.
func (s *store) readToken(k key) (credentials.Token, bool, error) {
	list, err := s.readTokens(columns+" AND number = ?", s.origin, k.participant, k.number)
	if err != nil || len(list) == 0 {
		return credentials.Token{}, false, err
	}
	return list[0], true, nil
}

func (s *store) Tokens(participant string) ([]credentials.Token, error) {
	list, err := s.readTokens(columns+" ORDER BY number", s.origin, participant)
	if err != nil {
		return nil, s.failed("read the tokens of "+participant, err)
	}
	return list, nil
}

func (s *store) readTokens(query string, args ...any) ([]credentials.Token, error) {
	ctx, cancel := s.context()
	defer cancel()
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []credentials.Token
	for rows.Next() {
		var (
			t                credentials.Token
			hash             []byte
			expires, revoked sql.NullTime
		)
		if err := rows.Scan(&t.Participant, &t.Number, &hash, &t.Created, &expires, &revoked); err != nil {
			return nil, err
		}
		if copy(t.Hash[:], hash) != len(t.Hash) {
			return nil, fmt.Errorf("the hash of the token %d of %s has %d bytes", t.Number, t.Participant, len(hash))
		}
		t.Expires, t.Revoked = expires.Time, revoked.Time
		list = append(list, t)
	}
	return list, rows.Err()
}

// moment is a time as the database keeps it: it would round to the microsecond,
// and a token must not live longer than it was given.
func moment(t time.Time) sql.NullTime {
	return sql.NullTime{Time: t.UTC().Truncate(time.Microsecond), Valid: !t.IsZero()}
}

func (s *store) AddToken(t credentials.Token) error {
	ctx, cancel := s.context()
	defer cancel()
	_, err := s.db.ExecContext(ctx, "INSERT INTO tallyroot_tokens(origin, participant, number, hash, created, expires, revoked) VALUES(?, ?, ?, ?, ?, ?, ?)",
		s.origin, t.Participant, t.Number, t.Hash[:], moment(t.Created), moment(t.Expires), moment(t.Revoked))
	if mysqldb.Duplicate(err) {
		return credentials.ErrTaken
	}
	if err != nil {
		return s.failed("add a token of "+t.Participant, err)
	}
	s.cache.forget(key{t.Participant, t.Number})
	return nil
}

func (s *store) RevokeToken(participant string, number uint64, at time.Time) (credentials.Token, bool, error) {
	t, found, err := s.revoke(key{participant, number}, at)
	if err != nil {
		return credentials.Token{}, false, s.failed("revoke a token of "+participant, err)
	}
	return t, found, nil
}

func (s *store) revoke(k key, at time.Time) (credentials.Token, bool, error) {
	ctx, cancel := s.context()
	defer cancel()
	// Whatever comes of it, the token is looked up anew.
	defer s.cache.forget(k)
	_, err := s.db.ExecContext(ctx, "UPDATE tallyroot_tokens SET revoked = ? WHERE origin = ? AND participant = ? AND number = ? AND revoked IS NULL",
		moment(at), s.origin, k.participant, k.number)
	if err != nil {
		return credentials.Token{}, false, err
	}
	return s.readToken(k)
}

func (s *store) ManagedKey(participant string) (string, error) {
	ctx, cancel := s.context()
	defer cancel()
	var sealed []byte
	err := s.db.QueryRowContext(ctx, "SELECT sealed FROM tallyroot_managed_keys WHERE origin = ? AND participant = ?", s.origin, participant).Scan(&sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", s.failed("read the managed key of "+participant, err)
	}
	return s.seal.open(participant, sealed)
}

func (s *store) AddManagedKey(participant, private string) error {
	ctx, cancel := s.context()
	defer cancel()
	// A new seal beside keys that another one closed would open none of them.
	wrong, err := s.sealIsWrong(ctx)
	if err != nil {
		return s.failed("look for managed keys", err)
	}
	if wrong != nil {
		return wrong
	}
	sealed, err := s.seal.close(participant, private)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, "INSERT INTO tallyroot_managed_keys(origin, participant, sealed) VALUES(?, ?, ?)", s.origin, participant, sealed)
	if err != nil && !mysqldb.Duplicate(err) {
		return s.failed("add a managed key of "+participant, err)
	}
	return nil
}

func (s *store) Participants() ([]string, error) {
	ctx, cancel := s.context()
	defer cancel()
	rows, err := s.db.QueryContext(ctx, "SELECT participant FROM tallyroot_tokens WHERE origin = ? "+
		"UNION SELECT participant FROM tallyroot_managed_keys WHERE origin = ? ORDER BY participant", s.origin, s.origin)
	if err != nil {
		return nil, s.failed("list the participants", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, s.failed("list the participants", err)
		}
		list = append(list, id)
	}
	if err := rows.Err(); err != nil {
		return nil, s.failed("list the participants", err)
	}
	return list, nil
}
