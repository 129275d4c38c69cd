package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// queuer is what most users of Trillian do: one QueueLeaf for each leaf, to an
// ordinary log on the same server.
type queuer struct {
	conn *grpc.ClientConn
	log  trillian.TrillianLogClient
	tree int64
}

func newQueuer(address string) (*queuer, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tree, err := trillian.NewTrillianAdminClient(conn).CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(0), DisplayName: "bench",
	}})
	q := &queuer{conn: conn, log: trillian.NewTrillianLogClient(conn)}
	if err == nil {
		q.tree = tree.TreeId
		_, err = q.log.InitLog(ctx, &trillian.InitLogRequest{LogId: q.tree})
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return q, nil
}

func (q *queuer) close() { _ = q.conn.Close() }

var leaves atomic.Uint64

func (q *queuer) queue(ctx context.Context) ([]byte, error) {
	value := make([]byte, 600)
	if _, err := rand.Read(value[8:]); err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint64(value, leaves.Add(1))
	_, err := q.log.QueueLeaf(ctx, &trillian.QueueLeafRequest{LogId: q.tree, Leaf: &trillian.LogLeaf{LeafValue: value}})
	return value, err
}

// load queues leaves from as many clients as the other loads have. One more
// client, by itself, waits for each of its leaves until it can be proved: the
// p50 and p99 are its.
func (q *queuer) load(d time.Duration) (figures, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d+time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	var n atomic.Int64
	var failed atomic.Pointer[error]
	fail := func(err error) {
		if err != nil {
			failed.Store(&err)
		}
	}
	more := forTime(d)
	begin, own := time.Now(), ownCPU()
	for range clients {
		wg.Go(func() {
			for more() && failed.Load() == nil {
				if _, err := q.queue(ctx); err != nil {
					fail(err)
					return
				}
				n.Add(1)
			}
		})
	}
	var times []time.Duration
	wg.Go(func() {
		for more() && failed.Load() == nil {
			start := time.Now()
			if err := q.queueAndProve(ctx); err != nil {
				fail(err)
				return
			}
			times = append(times, time.Since(start))
			n.Add(1)
		}
	})
	wg.Wait()
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return figures{}, *err
	}
	if len(times) == 0 {
		return figures{}, errors.New("no leaf of the plain client could be proved in time")
	}
	slices.Sort(times)
	return figures{
		rate: float64(n.Load()) / took.Seconds(), n: int(n.Load()),
		p50: times[len(times)/2], p99: times[len(times)*99/100],
		own: (ownCPU() - own) / time.Duration(n.Load()),
	}, nil
}

func (q *queuer) queueAndProve(ctx context.Context) error {
	value, err := q.queue(ctx)
	if err != nil {
		return err
	}
	hash := rfc6962.DefaultHasher.HashLeaf(value)
	for ; ; time.Sleep(5 * time.Millisecond) {
		latest, err := q.log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: q.tree})
		if err != nil {
			return err
		}
		var root types.LogRootV1
		if err := root.UnmarshalBinary(latest.SignedLogRoot.LogRoot); err != nil {
			return err
		}
		if root.TreeSize == 0 {
			continue
		}
		proof, err := q.log.GetInclusionProofByHash(ctx, &trillian.GetInclusionProofByHashRequest{
			LogId: q.tree, LeafHash: hash, TreeSize: int64(root.TreeSize)})
		switch {
		case status.Code(err) == codes.NotFound:
		case err != nil:
			return fmt.Errorf("ask for the proof of a queued leaf: %w", err)
		case len(proof.Proof) > 0:
			return nil
		}
	}
}
