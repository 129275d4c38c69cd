package witness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/time/rate"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/datadir"
)

// Defaults of [Options].
const (
	DefaultRole        = "witness"
	DefaultMaxRequests = 64
	DefaultMaxRate     = 1000
	DefaultVerifyWait  = 3 * time.Second
)

// BodyWait is how long a client may take to send its request, and as long again to
// read the answer.
const BodyWait = 10 * time.Second

// MaxClockBack is how far the clock may stand behind the last cosignature of a log.
// Up to there the last cosignature's time is used again; beyond, nothing is cosigned
// until the clock is right.
const MaxClockBack = time.Minute

// ErrRefuted is what an Options.Verify wraps when a checkpoint claims what is not so.
var ErrRefuted = errors.New("the checkpoint claims what is not so")

// Options are what a witness is made of.
type Options struct {
	// Dir is the witness's folder: its key, what it has cosigned, and a lock. It is
	// never restored from a backup: a witness that forgets would vouch for two logs
	// under one name. When it is lost, start a new witness with a new key.
	Dir string
	// Name is the key's name. It is needed at the first start, when the key is made;
	// afterwards it may be empty.
	Name string
	// Role is what a cosignature of the key says: DefaultRole if empty, which vouches
	// for growth alone. A folder keeps its role for life, because whoever trusts the
	// key trusts it for that.
	Role string
	// Logs are the logs that it follows; SetLogs replaces them.
	Logs []Log

	// Verify is asked before a checkpoint is cosigned that is not the last one again:
	// nil says that it may be. It may be called for several logs at once, but for
	// each log once at a time: requests for the same checkpoint share one call. It
	// must return when ctx ends, which it does after VerifyWait. An error that wraps
	// ErrRefuted refuses the checkpoint (422). With any other one the checkpoint is
	// not cosigned yet (503, with Retry-After): what was learned meanwhile should be
	// kept for the next call. signed is the note with the log's signatures, which
	// hold; it continues what was cosigned before.
	Verify     func(ctx context.Context, c checkpoint.Checkpoint, signed []byte) error
	VerifyWait time.Duration // 0: DefaultVerifyWait

	MaxRequests int // that are worked on at once, and do not wait for Verify; 0: DefaultMaxRequests
	MaxRate     int // checkpoints a second by which one log may grow; 0: DefaultMaxRate

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()

	sync     func(*os.File) error // nil: that of the file; in tests
	bodyWait time.Duration        // 0: BodyWait; in tests
}

// Server is a witness: an http.Handler for the submission prefix and the monitoring
// prefix of https://c2sp.org/tlog-witness,
//
//	POST /add-checkpoint
//	GET  /<SHA-256 of an origin, in hexadecimal>/checkpoint
//
// It is safe for concurrent use.
type Server struct {
	options Options
	key     *Key
	dir     *datadir.Dir
	store   store
	logger  *slog.Logger
	routes  *http.ServeMux
	metrics *metrics
	slots   chan struct{} // one token for each request that is worked on
	keeping sync.Mutex    // while the proof of a fork is written

	life  context.Context // ends when the server closes
	end   context.CancelFunc
	using sync.WaitGroup // requests between enter and their end

	mu     sync.RWMutex
	closed bool
	logs   map[string][]note.Verifier // the keys of the logs that it follows
	states map[string]*state          // of those and of all that it has ever cosigned for
	byName map[string]*state          // the same by their files' names
}

// state is a log's. Whoever holds the turn may change the rest.
type state struct {
	turn   chan struct{} // holds one token while nobody has the turn
	verify chan struct{} // likewise, for Options.Verify
	asked  questions     // those to it
	last   atomic.Pointer[memory]
	growth *rate.Limiter
}

// Open starts a witness. At the first start it makes its folder (mode 0700) and its
// key; afterwards both must be there. Two processes cannot have one folder: the
// error is then datadir.ErrLocked.
func Open(o Options) (*Server, error) {
	o = o.withDefaults()
	dir, err := datadir.Lock(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	s := &Server{
		options: o, dir: dir, logger: o.Logger, metrics: newMetrics(),
		store: store{filepath.Join(o.Dir, "cosigned"), o.sync},
		slots: make(chan struct{}, o.MaxRequests),
	}
	s.life, s.end = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		s.end()
		dir.Close()
		return nil, fmt.Errorf("witness in %s: %w", o.Dir, err)
	}
	s.routes = s.newRoutes()
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Role == "" {
		o.Role = DefaultRole
	}
	if o.VerifyWait <= 0 {
		o.VerifyWait = DefaultVerifyWait
	}
	if o.MaxRequests <= 0 {
		o.MaxRequests = DefaultMaxRequests
	}
	if o.MaxRate <= 0 {
		o.MaxRate = DefaultMaxRate
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.sync == nil {
		o.sync = (*os.File).Sync
	}
	if o.bodyWait <= 0 {
		o.bodyWait = BodyWait
	}
	return o
}

func (s *Server) open() error {
	if err := s.openKey(); err != nil {
		return err
	}
	remembered, err := s.store.load(s.key)
	if err != nil {
		return err
	}
	s.states, s.byName = make(map[string]*state), make(map[string]*state)
	for _, m := range remembered {
		s.addState(m)
	}
	return s.SetLogs(s.options.Logs)
}

func (s *Server) addState(last *memory) {
	st := &state{
		turn: make(chan struct{}, 1), verify: make(chan struct{}, 1),
		growth: rate.NewLimiter(rate.Limit(s.options.MaxRate), s.options.MaxRate),
	}
	st.turn <- struct{}{}
	st.verify <- struct{}{}
	st.last.Store(last)
	s.states[last.Origin], s.byName[fileName(last.Origin)] = st, st
}

// SetLogs replaces the logs that the witness follows, at once and while it serves.
// What it has cosigned of a log is kept, also while it does not follow it: when the
// log comes back, it has to continue from there. After an error nothing has changed.
func (s *Server) SetLogs(logs []Log) error {
	byOrigin, err := verifiers(logs)
	if err != nil {
		return err
	}
	for _, l := range logs {
		if s.key.hasPublic(l.Key) {
			return fmt.Errorf("the key of the log %s is the witness's own: nobody is a witness of himself", l.Origin())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for origin := range byOrigin {
		if s.states[origin] == nil {
			s.addState(&memory{Checkpoint: emptyCheckpoint(origin)})
		}
	}
	s.logs = byOrigin
	return nil
}

// Verifier is the witness's public key as a vkey, for policies:
// "witness <any name> <vkey> <address of the submission prefix>".
func (s *Server) Verifier() string { return s.key.Verifier() }

// LogStatus is how a log stands with the witness.
type LogStatus struct {
	Origin   string
	Followed bool      // whether its checkpoints are cosigned now
	Size     uint64    // of the last checkpoint that was cosigned
	Time     time.Time // of the last cosignature; zero: there is none
}

// Status gives all logs that the witness follows or has ever cosigned for, by their
// origins.
func (s *Server) Status() []LogStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]LogStatus, 0, len(s.states))
	for origin, st := range s.states {
		last := st.last.Load()
		status := LogStatus{Origin: origin, Followed: s.logs[origin] != nil, Size: last.Size}
		if last.signed != nil {
			status.Time = time.Unix(int64(last.time), 0).UTC()
		}
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b LogStatus) int { return strings.Compare(a.Origin, b.Origin) })
	return all
}

// Close lets the requests end that are worked on, refuses all others, and gives the
// folder back.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.using.Wait()
	return s.dir.Close()
}

// enter tells whether the server is open, and keeps it so until s.using.Done.
func (s *Server) enter() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.closed {
		s.using.Add(1)
	}
	return !s.closed
}

// follows gives the keys and the state of a log that the witness follows.
func (s *Server) follows(origin string) ([]note.Verifier, *state, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys, ok := s.logs[origin]
	return keys, s.states[origin], ok
}
