package logtree

import (
	"context"

	"github.com/google/trillian"
)

// Admin is the administration that a Trillian log server offers.
func Admin(client trillian.TrillianAdminClient) Trees { return admin{client} }

type admin struct{ client trillian.TrillianAdminClient }

func (a admin) Named(ctx context.Context, _ string) ([]*trillian.Tree, error) {
	// Trillian lists all or none.
	list, err := a.client.ListTrees(ctx, &trillian.ListTreesRequest{ShowDeleted: true})
	return list.GetTree(), err
}

func (a admin) Get(ctx context.Context, id int64) (*trillian.Tree, error) {
	return a.client.GetTree(ctx, &trillian.GetTreeRequest{TreeId: id})
}

func (a admin) Create(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	return a.client.CreateTree(ctx, &trillian.CreateTreeRequest{Tree: tree})
}
