// Package provenance is the domain: what participants say about products,
// written into the log as signed entries and read back as histories with
// proofs. It knows EPCIS, GS1 identifiers, participants and their keys, and
// nothing of HTTP.
//
// The log is the database. A Service validates what it is given, signs it where
// the participant sends it unsigned, and appends it; everything that it answers
// from memory or from its projections was computed from the log's leaves, in
// order, and can be computed again. It promises that what it acknowledged is
// durable and covered by a published checkpoint, whose receipt it has checked
// with the reader's own code. It never puts a clock of its own into an entry,
// never changes the text that it was given, and never says of a history more
// than the reader's proof shows.
//
// # Reading
//
// Histories and journeys are answered by a Reader, which every Service has. It is
// made of two things: an Index, which gives the history index as it was published
// last, and the log's tiles. Whoever has verified copies of both logs makes a map from
// them (package store, Follow), fills in an indexlog.Snapshot, and gives the same
// answers, byte for byte, with NewReader: without Trillian, a database or any key.
package provenance

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/internal/pebblelog"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	"github.com/tallyroot/tallyroot/provenance/entry"
	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/participant"
	"github.com/tallyroot/tallyroot/provenance/projection"
	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/tiles"
	"github.com/tallyroot/tallyroot/trillianlog/witness/quorum"
)

// Config is what a Service is opened with.
type Config struct {
	// Dir is the data directory; it is made if it is not there.
	Dir string
	// Origin names the log; it stands in every entry and checkpoint.
	Origin string
	// Backend opens Trillian. It is called once, with the folder for the back
	// end's own files.
	Backend func(ctx context.Context, dir string) (trillianlog.Backend, error)
	// Credentials opens what is remembered beside the log: tokens and managed
	// keys. It is called once, with the folder for its own files.
	Credentials func(dir string) (credentials.Store, error)
	// Policy is the text of a C2SP tlog-policy whose quorum every published
	// checkpoint must meet; nil means quorum none, for this log.
	Policy []byte
	// IndexPolicy is the same for the index log and its checkpoints.
	IndexPolicy []byte
	// Witnessing says how the witnesses of both policies are asked.
	Witnessing Witnessing
	// LastCheckpoint is the file of the last signed checkpoint; "" means
	// last-checkpoint in Dir. It must not be restored together with the rest.
	LastCheckpoint string
	// LastIndexCheckpoint is the same for the index log; "" means
	// last-index-checkpoint beside LastCheckpoint.
	LastIndexCheckpoint string
	// MinFree is the free disk space in bytes below which nothing is taken;
	// 0 means DefaultMinFree, or a tenth of a smaller file system.
	MinFree uint64
	// MaxQueue bounds the leaves that wait for an index; 0 means the log's own
	// default.
	MaxQueue int
	// CallTimeout and IntegrationTimeout are the log's, see trillianlog.Options; 0
	// means its defaults.
	CallTimeout        time.Duration
	IntegrationTimeout time.Duration
	// Hooks are told what the log does, for metrics.
	Hooks trillianlog.Hooks
	// IndexEvery is the time from one index checkpoint to the next; 0: the second below
	// which the format does not go.
	IndexEvery time.Duration
	// OnIndexPublish is told how long the index took for the log's newest checkpoint.
	OnIndexPublish func(took time.Duration)

	Logger *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now. For warnings and for tokens' ends, never for an entry
}

// DefaultMinFree is the free disk space that the service keeps: room for what
// is under way, for compactions and for an operator to look around.
const DefaultMinFree = 256 << 20

// Service logs events and reads histories. It is safe for concurrent use.
type Service struct {
	*Reader // of this log

	origin      string
	logger      *slog.Logger
	now         func() time.Time
	keys        *keyring
	lock        *datadir.Dir
	credentials credentials.Store
	projection  *projection.Projection
	tiles       *tiles.Store
	log         *trillianlog.Log
	read        reading   // the log, or what is read in its place
	mirrored    *mirrored // nil: this is no mirror
	policy      *policy.Policy
	witnesses   *quorum.Client // nil: the policy asks for none
	index       indexed
	managed     managedKeys

	// order makes what is checked against the participants' state land in the
	// log under that state: entries are checked and queued under the read lock,
	// and a participant is marked as changing, before a statement about it is
	// queued, under the write lock.
	order    sync.RWMutex
	changing map[string]bool // participants about whom a statement is under way

	numbering turns // of product and place statements: one at a time
	underWay  underWay
	masters   masters

	closing sync.Once
	closed  error
}

// Open opens the service in its data directory, or makes a new one there: keys,
// an empty log, Genesis as leaf 0. No other process may have the directory.
func Open(ctx context.Context, c Config) (_ *Service, err error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LastCheckpoint == "" {
		c.LastCheckpoint = filepath.Join(c.Dir, "last-checkpoint")
	}
	if c.LastIndexCheckpoint == "" {
		c.LastIndexCheckpoint = filepath.Join(filepath.Dir(c.LastCheckpoint), "last-index-checkpoint")
	}
	s := &Service{origin: c.Origin, logger: c.Logger, now: c.Now, changing: map[string]bool{}, numbering: make(turns, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	if s.lock, err = datadir.Lock(c.Dir); err != nil {
		return nil, err
	}
	return s, s.open(ctx, c)
}

func (s *Service) open(ctx context.Context, c Config) (err error) {
	store := filepath.Join(c.Dir, "store")
	if s.keys, err = openKeys(c.Dir, c.Origin, c.LastCheckpoint); err != nil {
		return err
	}
	warnOfOpenKeys(c.Dir, s.logger)
	if s.policy, err = servicePolicy("the policy", c.Policy, s.LogKey()); err != nil {
		return err
	}
	if s.witnesses, err = openWitnesses("the policy", c, c.Origin, s.policy); err != nil {
		return err
	}
	if err := s.index.openPolicy(c, s.IndexKey()); err != nil {
		return err
	}
	signer, indexSigner, err := s.keys.checkpointSigners()
	if err != nil {
		return err
	}
	if s.credentials, err = c.Credentials(filepath.Join(c.Dir, "private")); err != nil {
		return err
	}
	s.managed.store = s.credentials
	if s.projection, err = projection.Open(filepath.Join(c.Dir, "projections"), pebblelog.Logger{To: s.logger}); err != nil {
		return err
	}
	if s.tiles, err = tiles.Open(filepath.Join(c.Dir, "log")); err != nil {
		return err
	}
	backend, err := c.Backend(ctx, store)
	if err != nil {
		return err
	}
	options := trillianlog.Options{
		Backend:    backend,
		Tiles:      s.tiles,
		Last:       trillianlog.FileLastCheckpoint(c.LastCheckpoint),
		Origin:     c.Origin,
		Signer:     signer,
		Policy:     s.policy,
		Projection: s.projection,
		Void:       s.void,
		MaxQueue:   c.MaxQueue,
		Reserve:    both(freeSpace(c.Dir, c.MinFree), backend),
		Hooks:      c.Hooks,
		Logger:     s.logger,

		CallTimeout:        c.CallTimeout,
		IntegrationTimeout: c.IntegrationTimeout,
	}
	if s.witnesses != nil {
		options.Witness, options.CosignEvery = s.witnesses.Cosign, c.Witnessing.Every
	}
	announce := new(announcer)
	options.OnPublish = announce.after(c.Hooks.OnPublish)
	if s.log, err = trillianlog.Open(ctx, options); err != nil {
		return errors.Join(err, backend.Close())
	}
	s.read = s.log
	if err := s.index.open(ctx, c, indexSigner, indexSource{s.tiles, s.log}); err != nil {
		return err
	}
	s.Reader = NewReader(ReaderOptions{Index: s.index.log, Tiles: s.tiles, State: s.projection.State()})
	announce.to.Store(s.index.log)
	s.index.log.LogPublished()
	s.catchUp(ctx)
	return s.genesis(ctx)
}

// catchUpTime is how long Open waits for the leaves that an earlier process had
// stored and not published. A witness or a full disk may keep it from that; then
// reads go on, and Takes answers those who write.
const catchUpTime = 5 * time.Second

func (s *Service) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for s.Takes() != nil && s.log.Status().Publishing == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// nothingAt tells whether none of the files is there. Keys are made before any of
// them, so where one is, a missing key was lost.
func nothingAt(paths ...string) (bool, error) {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return false, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
	}
	return true, nil
}

// genesisTime is how long Open waits for a checkpoint over the first entry.
const genesisTime = time.Minute

// genesis makes leaf 0 of a new log, and checks that of an old one.
func (s *Service) genesis(ctx context.Context) error {
	want := participant.Genesis{
		Origin:      s.origin,
		LogKey:      s.keys.log.Verifier().String(),
		IndexKey:    s.keys.index.Verifier().String(),
		OperatorKey: s.keys.operator.Verifier().String(),
		KeysVersion: historyindex.Version,
	}
	if published, _ := s.log.Published(); published.Size > 0 {
		return s.checkGenesis(ctx, want)
	}
	if err := s.log.Status().Err; err != nil {
		return nil // the log says why it takes nothing; reads go on
	}
	ctx, cancel := context.WithTimeout(ctx, genesisTime)
	defer cancel()
	if _, err := s.logStatement(ctx, want.JSON()); err != nil {
		return fmt.Errorf("log the first entry: %w", errors.Join(err, s.log.Status().Publishing))
	}
	return nil
}

func (s *Service) checkGenesis(ctx context.Context, want participant.Genesis) error {
	b, err := s.tiles.Entry(ctx, 0)
	if err != nil {
		return err
	}
	e, err := entry.Parse(b)
	if err != nil {
		return fmt.Errorf("leaf 0: %w", err)
	}
	have, err := participant.ParseGenesis(e.JSON)
	if err != nil {
		return fmt.Errorf("leaf 0: %w", err)
	}
	if have.Origin != want.Origin || have.LogKey != want.LogKey {
		return fmt.Errorf("leaf 0 is the beginning of the log %s with the key %s, and the key here is %s: put log.key back from a backup", have.Origin, have.LogKey, want.LogKey)
	}
	if have.IndexKey != want.IndexKey {
		return fmt.Errorf("leaf 0 names the index log's key %s, and the key here is %s: put index.key back from a backup", have.IndexKey, want.IndexKey)
	}
	if key, ok := s.projection.State().Latest().OperatorKey(); ok && key != s.keys.operator.Verifier() {
		return fmt.Errorf("the log's operator signs with %s, and operator.key is the key %s: put operator.key back from a backup", key, s.keys.operator.Verifier())
	}
	return nil
}

// void makes the entry that fills a hole at index (rule 8 of the log).
func (s *Service) void(index uint64) (trillianlog.Leaf, error) {
	return s.statementLeaf(entry.Operator, participant.Void{Number: index}.JSON(), s.keys.operator)
}

// Close lets what is under way finish, and releases the directory. A second call
// does nothing.
func (s *Service) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Service) close() (err error) {
	if s.mirrored != nil {
		return s.mirrored.close()
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	err = errors.Join(err, s.index.close())
	if s.witnesses != nil {
		s.witnesses.Close()
	}
	if s.tiles != nil {
		err = errors.Join(err, s.tiles.Close())
	}
	if s.projection != nil {
		err = errors.Join(err, s.projection.Close())
	}
	if s.credentials != nil {
		err = errors.Join(err, s.credentials.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// Origin is the log's name.
func (s *Service) Origin() string { return s.origin }

// LogKey is the verifier key of the log's checkpoints.
func (s *Service) LogKey() string {
	if s.mirrored != nil {
		return s.policy.Logs()[0].Key
	}
	return s.keys.log.Verifier().String()
}

// Published is the newest published checkpoint: what it says, and its text.
func (s *Service) Published() (checkpoint.Checkpoint, []byte) { return s.read.Published() }

// Status says whether the log takes and publishes entries, and why not.
func (s *Service) Status() trillianlog.Status { return s.read.Status() }

// Tiles are the log's static files.
func (s *Service) Tiles() *tiles.Store { return s.tiles }

// Authenticate says for whom a bearer token speaks. "" is the public. A token that
// cannot be looked up now is ErrUnavailable, not ErrUnauthenticated.
func (s *Service) Authenticate(token string) (Caller, error) {
	if token == "" {
		return Caller{}, nil
	}
	if s.mirrored != nil {
		return Caller{}, ErrMirror
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.keys.adminToken)) == 1 {
		return Caller{Admin: true}, nil
	}
	id, err := credentials.Check(s.credentials, token, s.now())
	if errors.Is(err, credentials.ErrUnavailable) {
		return Caller{}, storeError(err)
	}
	if err != nil {
		return Caller{}, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	return Caller{Participant: id}, nil
}
