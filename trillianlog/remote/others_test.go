package remote

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Two processes write to one tree. Who is refused finds out what is there.
func TestTwoWriters(t *testing.T) {
	s := common(t)
	o := s.options(t)
	a := open(t, o)
	o.Dir = t.TempDir()
	b := open(t, o)

	add(t, a, 0, 10)
	grown(t, a, 10)
	// b does not know of them.
	said, err := send(b, 0, entry(5), entry(100), entry(7))
	want := []string{saysIdentityTaken, saysIndexTaken, saysIdentityTaken}
	for i := range want {
		if err != nil || !strings.Contains(said[i], want[i]) {
			t.Fatalf("got %q, %v", said, err)
		}
	}
	next(t, b, 10)
	finds(t, b, 0, 10)
	findsNone(t, b, entry(100))
	store(t, b, 10, entry(100), entry(101))
	grown(t, b, 12)

	// What a has in mind overlaps with that.
	said, err = send(a, 10, entry(102), entry(101), entry(103))
	if err != nil || !strings.Contains(said[0], saysIndexTaken) || !strings.Contains(said[1], saysIdentityTaken) || said[2] != taken {
		t.Fatalf("got %q, %v", said, err)
	}
	next(t, a, 13)
	found(t, a, 10, entry(100))
	found(t, a, 11, entry(101))
	found(t, a, 12, entry(103))
	findsNone(t, a, entry(102))
	grown(t, a, 13)
}

// Leaves behind a hole are known to a process without any memory once they are in
// the way.
func TestBehindHole(t *testing.T) {
	s := common(t)
	for _, size := range []uint64{0, 4} {
		t.Run(fmt.Sprintf("size %d", size), func(t *testing.T) {
			o := s.options(t)
			a := open(t, o)
			add(t, a, 0, size)
			grown(t, a, size)
			add(t, a, size+20, size+22)
			add(t, a, size+3, size+5)
			next(t, a, size+22, holes(size, 3, 5, 20)...)
			closeIt(t, a)

			remove(t, o.Dir)
			b := open(t, o)
			next(t, b, size) // all that Trillian shows
			findsNone(t, b, entry(size+21))

			// The identity is in the way of another index.
			said, err := send(b, size, entry(size+4))
			if err != nil || !strings.Contains(said[0], saysIdentityTaken) {
				t.Fatalf("got %q, %v", said, err)
			}
			found(t, b, size+4, entry(size+4))
			next(t, b, size+5, holes(size, 4)...)

			// So is the leaf at size+3, of which nothing is known yet.
			for i := range uint64(4) {
				said, err := send(b, size+i, entry(1000+size+i))
				if err != nil || (said[0] == taken) != (i < 3) {
					t.Fatalf("index %d: %q, %v", size+i, said, err)
				}
			}
			if size == 0 {
				grown(t, b, 5)
			}
			next(t, b, size+5)
			found(t, b, size+3, entry(size+3))
			grown(t, b, size+5)

			// A process that is killed now has left a hole, and what lies behind.
			closeIt(t, b)
			b = open(t, o)
			next(t, b, size+5)
			said, err = send(b, size+5, entry(size+21))
			if err != nil || !strings.Contains(said[0], saysIdentityTaken) {
				t.Fatalf("got %q, %v", said, err)
			}
			next(t, b, size+22, holes(size, 5, 21)...)
			add(t, b, size+5, size+20)
			next(t, b, size+22)
			finds(t, b, size+5, size+22)
			grown(t, b, size+22)
		})
	}
}

// holes gives the indices from ≤ i < to for each pair, from size on.
func holes(size uint64, ends ...uint64) (all []uint64) {
	if len(ends)%2 == 1 {
		ends = append([]uint64{0}, ends...)
	}
	for pair := range slices.Chunk(ends, 2) {
		for i := pair[0]; i < pair[1]; i++ {
			all = append(all, size+i)
		}
	}
	return all
}

// A row of LeafData that stands at no index keeps its identity out for ever: the
// error says how to mend that, and other leaves are taken.
func TestHalfWrittenRow(t *testing.T) {
	s := common(t)
	o := s.options(t)
	b := open(t, o)
	add(t, b, 0, 3)
	bad := entry(3)
	s.exec(t, fmt.Sprintf("INSERT INTO LeafData(TreeId,LeafIdentityHash,LeafValue,ExtraData,QueueTimestampNanos) VALUES(%d,x'%x',x'%x','',0)",
		b.TreeID(), bad.LeafIdentityHash, bad.LeafValue))

	said, err := send(b, 3, entry(4), bad, entry(5))
	if err != nil || said[0] != taken || said[1] == taken || said[2] != taken {
		t.Fatalf("got %q, %v", said, err)
	}
	next(t, b, 6, 4)
	findsNone(t, b, bad)
	store(t, b, 4, entry(6))
	next(t, b, 6)
	grown(t, b, 6)
	said, err = send(b, 6, bad)
	if err != nil || len(said) != 1 {
		t.Fatalf("got %q, %v", said, err)
	}
	if !strings.HasPrefix(said[0], "DataLoss") {
		t.Errorf("it has the code of %s", said[0])
	}
	statement := regexp.MustCompile(`DELETE FROM [^;]*`).FindString(said[0])
	if statement == "" {
		t.Fatalf("it does not say what to do: %s", said[0])
	}
	// Of a leaf that stands somewhere, the same statement deletes nothing.
	whole := strings.ReplaceAll(statement, fmt.Sprintf("%x", bad.LeafIdentityHash), fmt.Sprintf("%x", entry(1).LeafIdentityHash))
	s.exec(t, whole)
	found(t, b, 1, entry(1))
	if got, err := b.read(t.Context(), 1, 1); err != nil || got[0].hash != hash(entry(1)) {
		t.Fatalf("leaf 1 is now %v, %v", got, err)
	}
	s.exec(t, statement)
	next(t, b, 6)
	store(t, b, 6, bad)
	grown(t, b, 7)
	found(t, b, 6, bad)
}

// A write whose answer is lost may be stored where Trillian does not show it.
func TestLostAnswer(t *testing.T) {
	s := common(t)
	for _, tt := range []struct {
		name   string
		stored bool
		first  uint64 // index of the write, of two leaves
		next   uint64
		holes  []uint64
	}{
		{"empty tree, stored", true, 0, 2, nil},
		{"empty tree, not stored", false, 0, 0, nil},
		{"empty tree, stored behind a hole", true, 2, 4, []uint64{0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t, s.options(t))
			server := b.client.TrillianLogClient
			b.client.TrillianLogClient = loses{server, tt.stored}
			if _, err := send(b, tt.first, entry(tt.first), entry(tt.first+1)); err == nil {
				t.Fatal("there is an answer")
			}
			b.client.TrillianLogClient = server
			next(t, b, tt.next, tt.holes...)
			if tt.stored {
				finds(t, b, tt.first, tt.first+2)
			} else {
				findsNone(t, b, entry(tt.first), entry(tt.first+1))
			}
			for _, hole := range tt.holes {
				add(t, b, hole, hole+1)
			}
			add(t, b, tt.next, tt.next+1)
			grown(t, b, tt.next+1)
		})
	}
}

// loses is a server that a write does, or does not, come to, and whose answer is
// lost.
type loses struct {
	trillian.TrillianLogClient
	stored bool
}

func (l loses) AddSequencedLeaves(ctx context.Context, request *trillian.AddSequencedLeavesRequest, _ ...grpc.CallOption) (*trillian.AddSequencedLeavesResponse, error) {
	if l.stored {
		if _, err := l.TrillianLogClient.AddSequencedLeaves(ctx, request); err != nil {
			return nil, err
		}
	}
	return nil, status.Error(codes.Unavailable, "the connection broke")
}
