package liar

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/witness"
)

// An Answer is what a witness said to a liar's checkpoint.
type Answer struct {
	Witness string // by its name in the policy
	Status  int    // 200: it cosigned
	Text    string // what else it said
}

// AskLog asks the witnesses of a policy to cosign the checkpoint of the log that is
// shown, each at its newest size. Those cosignatures that it gets are shown.
func (f *Face) AskLog(ctx context.Context, p *policy.Policy) ([]Answer, error) {
	return f.ask(ctx, p, &f.World.Log, &f.Snapshot.LogNote)
}

// AskIndex asks those of the index log likewise.
func (f *Face) AskIndex(ctx context.Context, p *policy.Policy) ([]Answer, error) {
	return f.ask(ctx, p, &f.World.Index, &f.Snapshot.Index)
}

func (f *Face) ask(ctx context.Context, p *policy.Policy, tree *verifytest.Tree, note *checkpoint.Note) (answers []Answer, err error) {
	c, err := checkpoint.ParseBody(note.Text)
	if err != nil {
		return nil, err
	}
	bare := checkpoint.Note{Text: note.Text, Signatures: note.Signatures[:1:1]}
	signatures := bare.Signatures
	for _, w := range p.Witnesses() {
		a := Answer{Witness: w.Name}
		r := witness.Request{Old: c.Size, Checkpoint: c, Note: &bare}
		// It says how far it is when it is asked to begin somewhere else.
		for range 10 {
			if a.Status, a.Text, err = post(ctx, w.URL, r.Append(nil)); err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			size, err := strconv.ParseUint(strings.TrimSpace(a.Text), 10, 64)
			if a.Status == http.StatusServiceUnavailable {
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-time.After(100 * time.Millisecond):
				}
				continue
			}
			if a.Status != http.StatusConflict || err != nil || size >= c.Size || size == r.Old {
				break
			}
			r.Old, r.Proof = size, tree.Consistency(size, c.Size)
		}
		if a.Status == http.StatusOK {
			_, signed, err := checkpoint.Parse(bytes.Join([][]byte{[]byte(bare.Text), []byte(a.Text)}, []byte("\n")))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			signatures = append(signatures, signed.Signatures...)
		}
		answers = append(answers, a)
	}
	// An index-verifier read what is shown while it was asked.
	f.mu.Lock()
	defer f.mu.Unlock()
	note.Signatures = signatures
	return answers, nil
}

func post(ctx context.Context, url string, body []byte) (status int, text string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	return answer.StatusCode, string(b), err
}
