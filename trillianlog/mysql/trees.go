package mysql

import (
	"context"
	"database/sql"

	"github.com/google/trillian"
	trillianstorage "github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// trees is the database's logtree.Trees.
type trees struct {
	db    *sql.DB
	admin trillianstorage.AdminStorage
}

// Named lists the trees of that description. Trillian's own ListTrees is not
// asked: it takes a list that breaks off for a whole one, and refuses all when it
// does not know the type of one.
func (t trees) Named(ctx context.Context, description string) ([]*trillian.Tree, error) {
	ids, err := column[int64](ctx, t.db, "SELECT TreeId FROM Trees WHERE Description=?", description)
	if err != nil {
		return nil, err
	}
	var found []*trillian.Tree
	for _, id := range ids {
		tree, err := t.Get(ctx, id)
		if status.Code(err) == codes.NotFound {
			continue // deleted for good in between
		} else if err != nil {
			return nil, err
		}
		found = append(found, tree)
	}
	return found, nil
}

func (t trees) Get(ctx context.Context, id int64) (*trillian.Tree, error) {
	return trillianstorage.GetTree(ctx, t.admin, id)
}

func (t trees) Create(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	return trillianstorage.CreateTree(ctx, t.admin, tree)
}
