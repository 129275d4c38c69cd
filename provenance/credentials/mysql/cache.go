package mysql

import (
	"log/slog"
	"sync"
	"time"

	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/provenance/credentials"
	"golang.org/x/time/rate"
)

const (
	// maxKnown and maxUnknown bound what is remembered: twice as many tokens of
	// about 250 bytes, and twice as many numbers that no token has.
	maxKnown   = 1 << 15
	maxUnknown = 1 << 12
	// newPerSecond bounds how often tokens that are not remembered are looked up,
	// so that guessing tokens does not keep the database busy; newBurst is for a
	// start, when all are new.
	newPerSecond = 200
	newBurst     = 1000
	// warnEvery is how often the log is told that guesses are turned away.
	warnEvery = time.Minute
)

// key names a token.
type key struct {
	participant string
	number      uint64
}

// entry is what was read of a key.
type entry struct {
	token credentials.Token
	found bool
	read  time.Time // when it was asked for
}

// cache stands between requests and the database.
type cache struct {
	ask          func(key) (credentials.Token, bool, error)
	fresh, stale time.Duration
	now          func() time.Time
	logger       *slog.Logger

	mu      sync.Mutex
	known   generations // tokens
	unknown generations // numbers that no token had
	asking  map[key]*question
	novel   *rate.Limiter
	warned  time.Time // when the log was told of guesses
	away    bool      // the last question failed
	pause   time.Time // until then nothing is asked, since it failed
}

// question is one that the database is asked now, for all who wait for it.
type question struct {
	done     chan struct{}
	entry    entry
	err      error
	outdated bool // the token was changed here since it was asked
}

func newCache(ask func(key) (credentials.Token, bool, error), fresh, stale time.Duration, logger *slog.Logger) *cache {
	return &cache{
		ask: ask, fresh: fresh, stale: stale, now: time.Now, logger: logger,
		known: generations{limit: maxKnown}, unknown: generations{limit: maxUnknown},
		asking: map[key]*question{}, novel: rate.NewLimiter(newPerSecond, newBurst),
	}
}

// token gives what the database says of the key, now or a moment ago.
func (c *cache) token(k key) (credentials.Token, bool, error) {
	c.mu.Lock()
	now := c.now()
	have, ok := c.known.get(k)
	if !ok {
		have, ok = c.unknown.get(k)
	}
	q := c.asking[k]
	switch {
	case ok && now.Sub(have.read) < c.fresh:
		c.mu.Unlock()
		return have.token, have.found, nil
	case q != nil:
	case now.Before(c.pause), !ok && !c.mayAsk(now):
		c.mu.Unlock()
		return c.without(have, now)
	default:
		q = &question{done: make(chan struct{}), entry: entry{read: now}}
		c.asking[k] = q
		go c.answer(k, q)
	}
	c.mu.Unlock()
	<-q.done
	if q.err != nil {
		return c.without(have, c.now())
	}
	return q.entry.token, q.entry.found, nil
}

// without is the answer where the database gives none: a token that was known a
// while ago is taken, and of all others nothing is said.
func (c *cache) without(have entry, now time.Time) (credentials.Token, bool, error) {
	if have.found && now.Sub(have.read) < c.stale {
		return have.token, true, nil
	}
	return credentials.Token{}, false, credentials.ErrUnavailable
}

// mayAsk says whether a token that is not remembered may be looked up. The caller
// holds mu.
func (c *cache) mayAsk(now time.Time) bool {
	if c.novel.AllowN(now, 1) {
		return true
	}
	if now.Sub(c.warned) >= warnEvery {
		c.warned = now
		c.logger.Warn("tokens that this process has not seen come too fast, as if somebody guessed; some are turned away unread", "perSecond", newPerSecond)
	}
	return false
}

func (c *cache) answer(k key, q *question) {
	q.entry.token, q.entry.found, q.err = c.ask(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(q.done)
	if c.asking[k] == q {
		delete(c.asking, k)
	}
	if q.err != nil {
		c.pause = c.now().Add(c.fresh)
		if !c.away {
			c.logger.Warn("tokens cannot be looked up; those that are known are taken for a while", "for", c.stale, "error", mysqldb.Explain(q.err))
		}
		c.away = true
		return
	}
	if c.away {
		c.logger.Info("tokens can be looked up again")
	}
	c.away = false
	switch {
	case q.outdated:
	case q.entry.found:
		c.unknown.remove(k)
		c.known.put(k, q.entry)
	default:
		c.known.remove(k)
		c.unknown.put(k, q.entry)
	}
}

// forget makes the next one who needs the key ask for it: it was changed here.
// What is being asked for just now may have been read before the change.
func (c *cache) forget(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.remove(k)
	c.unknown.remove(k)
	if q := c.asking[k]; q != nil {
		q.outdated = true
		delete(c.asking, k)
	}
}

// generations is a map of at most twice limit entries that loses those that were
// not used for longest, roughly: when the young ones reach the limit they become
// the old ones, and what is used of those becomes young again.
type generations struct {
	limit      int
	young, old map[key]entry
}

func (g *generations) get(k key) (entry, bool) {
	if e, ok := g.young[k]; ok {
		return e, true
	}
	e, ok := g.old[k]
	if ok {
		g.put(k, e)
	}
	return e, ok
}

func (g *generations) put(k key, e entry) {
	if len(g.young) >= g.limit || g.young == nil {
		g.old, g.young = g.young, map[key]entry{}
	}
	g.young[k] = e
}

func (g *generations) remove(k key) {
	delete(g.young, k)
	delete(g.old, k)
}
