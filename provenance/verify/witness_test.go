package verify_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/provenance/historyindex"
	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
	"github.com/tallyroot/tallyroot/trillianlog/checkpoint"
	"github.com/tallyroot/tallyroot/trillianlog/policy"
	"github.com/tallyroot/tallyroot/trillianlog/receipt"
)

// TestWitnessed checks a checkpoint that a witness cosigned, with the signer of
// transparency-dev, and the times at which a reader takes it.
func TestWitnessed(t *testing.T) {
	l := newLog(t)
	skey, vkey, err := note.GenerateKey(rand.Reader, "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	witness, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(l.LogKey.Secret())
	if err != nil {
		t.Fatal(err)
	}
	bare := []byte(l.publish().LogCheckpoint())
	c, _, err := checkpoint.Parse(bare)
	if err != nil {
		t.Fatal(err)
	}
	cosigned, err := checkpoint.Sign(c, signer, witness)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse(fmt.Appendf(nil, "log %s\nwitness W %s\nquorum W\n", l.LogKey.Verifier(), vkey))
	if err != nil {
		t.Fatal(err)
	}
	give := func(checkpoint []byte) []byte {
		return receipt.Receipt{Index: 1, Proof: l.publish().Entry(1).Proof, Checkpoint: checkpoint}.Append(nil)
	}
	v, err := verify.Receipt(l.Log.Leaves[1], give(cosigned), verify.Trust{Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	if s := v.String(); !v.Witnessed || !strings.Contains(s, "W") || !strings.Contains(s, v.Time.Format(time.RFC3339)) || strings.Contains(s, "quorum none") {
		t.Errorf("the verdict says: %s", s)
	}
	if _, err := verify.Receipt(l.Log.Leaves[1], give(bare), verify.Trust{Policy: p}); !errors.Is(err, verify.ErrLogQuorum) || !errors.Is(err, policy.ErrQuorum) {
		t.Errorf("without the cosignature: %v", err)
	}
	old := verify.Trust{Policy: p, Now: v.Time.Add(365 * 24 * time.Hour)}
	if _, err := verify.Receipt(l.Log.Leaves[1], give(cosigned), old); err != nil {
		t.Errorf("a receipt of a year ago: %v", err)
	}
	old.MaxAge = time.Hour
	if _, err := verify.Receipt(l.Log.Leaves[1], give(cosigned), old); !errors.Is(err, verify.ErrStale) {
		t.Errorf("a receipt of a year ago, where an hour is allowed: %v", err)
	}
	for _, c := range []struct {
		name   string
		after  time.Duration // the reader's clock after the witness's
		maxAge time.Duration
		want   error
	}{
		{"5 min ahead", -policy.MaxAhead, 0, nil},
		{"more than 5 min ahead", -policy.MaxAhead - time.Second, 0, verify.ErrAhead},
		{"a day old", 24 * time.Hour, 0, nil},
		{"more than a day old", 24*time.Hour + time.Second, 0, verify.ErrStale},
		{"a year old", 365 * 24 * time.Hour, verify.AnyAge, nil},
		{"ahead, at any age", -policy.MaxAhead - time.Second, verify.AnyAge, verify.ErrAhead},
		{"as old as may be", time.Hour, time.Hour, nil},
		{"too old", time.Hour + time.Second, time.Hour, verify.ErrStale},
	} {
		h := l.history(historyindex.Participant, "farm")
		everywhere(h, string(cosigned))
		trust := verify.Trust{Policy: p, Now: v.Time.Add(c.after), MaxAge: c.maxAge}
		if _, err := verify.History(h.Append(nil), historyindex.Key{}, trust); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestRebuilders holds that a verdict names as those who rebuilt the index none but
// the index-verifiers that cosigned it.
func TestRebuilders(t *testing.T) {
	l := newLog(t)
	plain, verifier, away := verifytest.NewCosigner("plain.example"), verifytest.NewCosigner("iv.example"), verifytest.NewCosigner("away.example")
	l.IndexCosigners = []*verifytest.Cosigner{plain, verifier}
	key := historyindex.Key{Kind: historyindex.Participant, Identifier: "farm"}
	saved := l.publish().History(key).Append(nil)
	text := "log " + l.IndexKey.Verifier().String() + "\nwitness plain " + plain.Verifier() + "\nwitness iv " + verifier.Verifier() + "\nwitness away " + away.Verifier() + "\n"
	for _, c := range []struct {
		quorum    string
		verifiers []string
		want      []string
		sentence  string
	}{
		{"group rebuilt any iv away\ngroup q all plain rebuilt\nquorum q\n", []string{verifier.Verifier(), away.Verifier()}, []string{"iv"}, "rebuilt by iv; no witness says when."},
		{"group q 2 plain iv away\nquorum q\n", []string{verifier.Verifier()}, []string{"iv"}, "not independently rebuilt"},
		{"quorum plain\n", nil, nil, "not independently rebuilt"},
	} {
		p, err := policy.Parse([]byte(text + c.quorum))
		if err != nil {
			t.Fatal(err)
		}
		trust := l.trust()
		trust.IndexPolicy, trust.IndexVerifiers = p, c.verifiers
		v, err := verify.History(saved, key, trust)
		if err != nil {
			t.Fatal(err)
		}
		if s := v.String(); !slices.Equal(v.Rebuilders, c.want) || !strings.Contains(s, c.sentence) || v.Independent != strings.Contains(s, "rebuilt from the log by iv.") {
			t.Errorf("%s: %q: %s", c.quorum, v.Rebuilders, s)
		}
	}
}
