package witness

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// Each wrong thing gets its status, and none changes what was cosigned.
func TestAttacks(t *testing.T) {
	l, unknown := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/unknown")
	impostor, other := witnesstest.NewLog(t, "log.example/a"), witnesstest.NewLog(t, "log.example/b")
	fresh := witnesstest.NewLog(t, "log.example/fresh")
	for _, l := range []*witnesstest.Log{l, unknown, impostor, other, fresh} {
		l.Grow(40)
	}
	fork := l.Fork(7)
	wrongEmpty := func(l *witnesstest.Log) []byte {
		signed, err := checkpoint.Sign(checkpoint.Checkpoint{Origin: l.Origin, Root: [32]byte{1}}, l.Signer())
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	resigned := func(c checkpoint.Checkpoint, signer note.Signer) []byte {
		n := checkpoint.Note{Text: c.Body()}
		sig, err := signer.Sign([]byte(n.Text))
		if err != nil {
			t.Fatal(err)
		}
		n.Signatures = []checkpoint.Signature{{Name: signer.Name(), KeyID: signer.KeyHash(), Sig: sig}}
		return n.Append(nil)
	}
	changed := func(signed []byte, from, to string) []byte { return bytes.Replace(signed, []byte(from), []byte(to), 1) }
	proof := l.Proof(10, 30)
	swapped := append([][]byte{proof[1], proof[0]}, proof[2:]...)

	b := newBench(t, nil, l, other, fresh)
	b.cosigned(b.post(grow(l, 0, 10)), l.Signed(10))
	b.cosigned(b.post(grow(other, 0, 10)), other.Signed(10))
	for _, test := range []struct {
		name   string
		body   string
		status int
	}{
		{"nothing", "", 400},
		{"no request", "hello", 400},
		{"an extension line", ask(10, proof, changed(l.Signed(30), "\n\n", "\nmore\n\n")), 400},
		{"no signature", ask(10, proof, []byte(l.At(30).Body())), 400},
		{"old above size", ask(31, nil, l.Signed(30)), 400},
		{"old above size, as stored", ask(10, nil, l.Signed(9)), 400},

		{"an unknown log", grow(unknown, 0, 5), 404},
		{"an unknown log, old above size", ask(9, nil, unknown.Signed(5)), 404},
		{"another log's checkpoint by a known key", ask(0, nil, resigned(unknown.At(5), l.Signer())), 404},

		{"signed by nobody known", grow(impostor, 10, 30), 403},
		{"signed by another log's key", ask(10, proof, resigned(l.At(30), other.Signer())), 403},
		{"another size than was signed", ask(10, proof, changed(l.Signed(30), "\n30\n", "\n31\n")), 403},
		{"one of two signatures broken", ask(10, proof, append(l.Signed(30), fork.Signed(30)[len(fork.At(30).Body())+1:]...)), 403},
		{"forged, old above size", ask(40, nil, changed(l.Signed(30), "\n30\n", "\n31\n")), 403},

		{"old below what was cosigned", grow(l, 9, 30), 409},
		{"old above what was cosigned", grow(l, 11, 30), 409},
		{"as if for the first time", grow(l, 0, 30), 409},
		{"back to an older size", grow(l, 5, 9), 409},
		{"an older fork", grow(fork, 8, 9), 409},
		{"a new log, not at the start", grow(fresh, 5, 30), 409},

		{"no proof", ask(10, nil, l.Signed(30)), 422},
		{"a short proof", ask(10, proof[1:], l.Signed(30)), 422},
		{"a long proof", ask(10, append(proof, proof[0]), l.Signed(30)), 422},
		{"a proof in another order", ask(10, swapped, l.Signed(30)), 422},
		{"the proof of another size", ask(10, l.Proof(10, 31), l.Signed(30)), 422},
		{"the proof from another size", ask(10, l.Proof(9, 30), l.Signed(30)), 422},
		{"a fork's proof", grow(fork, 10, 30), 422},
		{"a fork's checkpoint", ask(10, proof, fork.Signed(30)), 422},
		{"the same size, another root", grow(fork, 10, 10), 422},
		{"the same checkpoint with a proof", ask(10, proof, l.Signed(10)), 422},
		{"the first one with a proof", ask(0, proof, fresh.Signed(30)), 422},
		{"the first one, empty, with a proof", ask(0, proof, fresh.Signed(0)), 422},
		{"a wrong empty root", ask(0, nil, wrongEmpty(fresh)), 422},
	} {
		got := b.post(test.body)
		if got.status != test.status {
			t.Errorf("%s: %d %q, want %d", test.name, got.status, got.body, test.status)
		}
		if size := got.header.Get("Content-Type") == "text/x.tlog.size"; size != (test.status == 409) {
			t.Errorf("%s: content type %q", test.name, got.header.Get("Content-Type"))
		}
		if strings.Contains(got.body, "— ") || !strings.HasSuffix(got.body, "\n") || strings.Count(got.body, "\n") != 1 {
			t.Errorf("%s: body %q", test.name, got.body)
		}
	}
	for _, l := range []*witnesstest.Log{l, other} {
		b.cosigned(b.post(grow(l, 10, 40)), l.Signed(40))
	}
	b.cosigned(b.post(grow(fresh, 0, 40)), fresh.Signed(40))
}

// Two checkpoints of one size that the log signed are kept for everybody to see.
func TestForkIsKept(t *testing.T) {
	l := witnesstest.NewLog(t, "log.example/a")
	l.Grow(9)
	b := newBench(t, nil, l)
	b.post(grow(l, 0, 5))
	b.post(grow(l.Fork(3), 5, 5))
	b.post(grow(l.Fork(1), 5, 5))
	path := filepath.Join(b.options.Dir, "forks", fileName(l.Origin))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(text), "\n\nlog.example/a\n")
	if !ok {
		t.Fatalf("kept: %q", text)
	}
	for i, signed := range []string{first + "\n", "log.example/a\n" + second} {
		c, err := checkpoint.Open([]byte(signed), mustVerifier(t, l.Key))
		if err != nil || c != []checkpoint.Checkpoint{l.At(5), l.Fork(3).At(5)}[i] {
			t.Errorf("note %d is %v, %v", i, c, err)
		}
	}
}
