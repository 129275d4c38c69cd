// Package logtree says which of Trillian's trees holds a log: the one that is
// named after its origin, made when there is none.
//
// It never makes a second one beside it, and never gives a tree that the log
// cannot use: two processes that start at once get the same tree, or an error.
package logtree

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ErrUnfit is in every error that says that a tree cannot hold the log. It does
// not go away by itself.
var ErrUnfit = errors.New("the tree cannot hold this log")

// ErrNoTree is in the error of Open where the origin has no tree among those of
// [Existing].
var ErrNoTree = errors.New("there is no tree for it yet")

// Existing gives the trees that there are, and makes none.
func Existing(t Trees) Trees { return existing{t} }

type existing struct{ Trees }

func (existing) Create(context.Context, *trillian.Tree) (*trillian.Tree, error) {
	return nil, ErrNoTree
}

// Trees is Trillian's administration of trees, as far as it is needed here.
type Trees interface {
	// Named gives the trees that have the description; it may give others too.
	// Deleted ones are among them.
	Named(ctx context.Context, description string) ([]*trillian.Tree, error)
	// Get gives one tree, deleted or not. An error of the gRPC code NotFound
	// says that there is none.
	Get(ctx context.Context, id int64) (*trillian.Tree, error)
	// Create makes a tree and gives it a number.
	Create(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error)
}

// maxDescription is how long Trillian's description of a tree can be.
const maxDescription = 200

// prefix begins the description of every tree that this package makes.
const prefix = "tallyroot log "

// Description is what the tree of the origin is called. An origin that is too
// long, or that not every database's character set can hold, is named by its
// SHA-256.
func Description(origin string) string {
	plain := !strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r > '~' })
	if d := prefix + origin; plain && len(d) <= maxDescription {
		return d
	}
	return fmt.Sprintf("%ssha256:%x", prefix, sha256.Sum256([]byte(origin)))
}

// turns bounds how often the trees are looked at. Each look finds one step done;
// more are only needed when another process does the same at the same time.
const turns = 8

// pause is between two looks when a step failed.
const pause = 50 * time.Millisecond

// Open gives the initialised tree of the origin: the one of the number id, or
// the origin's own if id is 0. log is Trillian's log server for the same trees.
func Open(ctx context.Context, trees Trees, log trillian.TrillianLogClient, origin string, id int64) (*trillian.Tree, error) {
	if id != 0 {
		return numbered(ctx, trees, log, origin, id)
	}
	var failed error
	for range turns {
		found, err := trees.Named(ctx, Description(origin))
		if err != nil {
			return nil, fmt.Errorf("list the trees: %w", err)
		}
		found = slices.DeleteFunc(found, func(t *trillian.Tree) bool { return t.Description != Description(origin) })
		tree, err := choose(ctx, log, found)
		if tree != nil || err != nil {
			return tree, err
		}
		// Nothing is believed of what was made: the next look says what is there.
		if len(found) > 0 {
			failed = initialise(ctx, log, oldest(found))
		} else if _, failed = trees.Create(ctx, fresh(origin)); failed != nil {
			// It may have been made all the same.
			failed = fmt.Errorf("make a tree: %w", failed)
		}
		if errors.Is(failed, ErrNoTree) || failed != nil && !sleep(ctx) {
			break
		}
	}
	return nil, fmt.Errorf("no tree for the log %s: %w", origin, cmp.Or(failed, errBusy))
}

var errBusy = errors.New("other processes make one at the same time; start again")

func sleep(ctx context.Context) bool {
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// numbered gives the tree that the operator has chosen.
func numbered(ctx context.Context, trees Trees, log trillian.TrillianLogClient, origin string, id int64) (*trillian.Tree, error) {
	tree, err := trees.Get(ctx, id)
	if status.Code(err) == codes.NotFound {
		return nil, fmt.Errorf("%w: there is no tree %d; give the number of one that is there, or none, and one is made", ErrUnfit, id)
	} else if err != nil {
		return nil, fmt.Errorf("read tree %d: %w", id, err)
	}
	if strings.HasPrefix(tree.Description, prefix) && tree.Description != Description(origin) {
		return nil, fmt.Errorf("%w: tree %d is called %q, and the log is %s; each log has a tree of its own", ErrUnfit, id, tree.Description, origin)
	}
	if err := usable(tree); err != nil {
		return nil, err
	}
	for range turns {
		ready, readErr := initialised(ctx, log, tree)
		if ready || readErr != nil {
			return tree, readErr
		}
		if err = initialise(ctx, log, tree); err != nil && !sleep(ctx) {
			break
		}
	}
	return nil, err
}

// choose gives the one tree that is initialised; nil if there is none yet. A tree
// that is not initialised is empty and holds no log.
func choose(ctx context.Context, log trillian.TrillianLogClient, found []*trillian.Tree) (*trillian.Tree, error) {
	var ready *trillian.Tree
	for _, tree := range found {
		// One that was deleted or changed is not replaced by a new one: that
		// would be another log under the same name.
		if err := usable(tree); err != nil {
			return nil, err
		}
		ok, err := initialised(ctx, log, tree)
		switch {
		case err != nil:
			return nil, err
		case ok && ready != nil:
			return nil, fmt.Errorf("%w: the trees %d and %d are both called %q; say by its number which one holds the log", ErrUnfit, ready.TreeId, tree.TreeId, tree.Description)
		case ok:
			ready = tree
		}
	}
	return ready, nil
}

// oldest is the tree that all who start at once initialise.
func oldest(found []*trillian.Tree) *trillian.Tree {
	return slices.MinFunc(found, func(a, b *trillian.Tree) int {
		return cmp.Or(a.CreateTime.AsTime().Compare(b.CreateTime.AsTime()), cmp.Compare(a.TreeId, b.TreeId))
	})
}

func fresh(origin string) *trillian.Tree {
	return &trillian.Tree{
		TreeState:   trillian.TreeState_ACTIVE,
		TreeType:    trillian.TreeType_PREORDERED_LOG,
		DisplayName: "tallyroot",
		Description: Description(origin),
		// Trillian refuses a tree where this is not set. Roots are made by
		// leaves alone.
		MaxRootDuration: durationpb.New(0),
	}
}

// usable says why the tree cannot hold a log, and what to do.
func usable(tree *trillian.Tree) error {
	switch {
	case tree.Deleted:
		return fmt.Errorf("%[1]w: tree %[2]d (%[3]q) is marked as deleted and will be removed for good; if that is a mistake, undelete it with Trillian's deletetree --undelete_tree --log_id %[2]d, soon", ErrUnfit, tree.TreeId, tree.Description)
	case tree.TreeType != trillian.TreeType_PREORDERED_LOG:
		return fmt.Errorf("%w: tree %d is a %s, and a PREORDERED_LOG is needed, since this service gives the order itself; give the number of one, or none, and one is made", ErrUnfit, tree.TreeId, tree.TreeType)
	case tree.TreeState != trillian.TreeState_ACTIVE:
		return fmt.Errorf("%[1]w: tree %[2]d is %[3]s, so nothing can be logged; if it is to be written again, set it to ACTIVE with Trillian's updatetree --tree_id %[2]d --tree_state ACTIVE", ErrUnfit, tree.TreeId, tree.TreeState)
	}
	return nil
}

// initialised says whether the tree has a root.
func initialised(ctx context.Context, log trillian.TrillianLogClient, tree *trillian.Tree) (bool, error) {
	// Of a tree that is not initialised, Trillian's server forgets to close the
	// transaction; the end of the context does.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: tree.TreeId})
	switch {
	case err == nil:
		return true, nil
	case status.Code(err) == codes.FailedPrecondition: // Trillian's ErrTreeNeedsInit
		return false, nil
	}
	return false, fmt.Errorf("ask for the root of tree %d: %w", tree.TreeId, err)
}

// initialise gives the tree its empty root. Another process may be quicker.
func initialise(ctx context.Context, log trillian.TrillianLogClient, tree *trillian.Tree) error {
	_, err := log.InitLog(ctx, &trillian.InitLogRequest{LogId: tree.TreeId})
	if err == nil || status.Code(err) == codes.AlreadyExists {
		return nil
	}
	return fmt.Errorf("initialise tree %d: %w", tree.TreeId, err)
}
