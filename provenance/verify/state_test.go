package verify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tallyroot/tallyroot/provenance/verify"
	"github.com/tallyroot/tallyroot/provenance/verify/verifytest"
)

func TestState(t *testing.T) {
	l := newLog(t)
	older := l.publish()
	l.sign(observed(t, "urn:x:1"), l.farm)
	newer := l.publish()
	fork := newLog(t)
	fork.sign(observed(t, "urn:x:2"), fork.farm)
	forked := fork.publish()

	s := new(verify.State)
	if _, _, ok := s.Last(origin); ok {
		t.Error("it has seen something")
	}
	for _, signed := range []string{older.LogCheckpoint(), string(older.Index.Append(nil))} {
		if err := s.See(signed, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.See(newer.LogCheckpoint(), l.Log.Consistency(older.Size, newer.Size)); err != nil {
		t.Fatal(err)
	}
	// It is written to a file, read again, and remembers.
	text := s.Append(nil)
	s, err := verify.ParseState(text)
	if err != nil || string(s.Append(nil)) != string(text) {
		t.Fatalf("%v\n%s", err, text)
	}
	err = s.See(forked.LogCheckpoint(), nil)
	var evidence *verify.ForkError
	if !errors.Is(err, verify.ErrFork) || !errors.As(err, &evidence) || evidence.Seen != newer.LogCheckpoint() || evidence.Now != forked.LogCheckpoint() {
		t.Errorf("got %v", err)
	}
	fork.sign(observed(t, "urn:x:3"), fork.farm)
	if err := s.See(fork.publish().LogCheckpoint(), fork.Log.Consistency(newer.Size, fork.Log.Size())); !errors.Is(err, verify.ErrInconsistent) {
		t.Errorf("got %v", err)
	}
	if err := s.See("nothing", nil); !errors.Is(err, verify.ErrLogForm) {
		t.Errorf("got %v", err)
	}
	if c, signed, ok := s.Last(origin); !ok || c.Size != newer.Size || signed != newer.LogCheckpoint() {
		t.Errorf("the last one is %v", c)
	}
	if c, _, ok := s.Last(origin + "/index"); !ok || c.Size != older.IndexAt {
		t.Errorf("the index log's last one is %v", c)
	}

	for name, bad := range map[string]string{
		"nothing":         ``,
		"a list":          `[]`,
		"no checkpoints":  `{}`,
		"another member":  strings.Replace(string(text), `{`, `{"a":1,`, 1),
		"no text":         `{"checkpoints":[1]}`,
		"no checkpoint":   `{"checkpoints":["x"]}`,
		"two of one log":  `{"checkpoints":[` + strings.Repeat(string(text[len(`{"checkpoints":[`):strings.Index(string(text), `\n",`)+3])+",", 2) + `]}`,
		"behind it":       string(text) + "x",
		"twice that text": strings.Replace(string(text), `]}`, `,`+string(text[len(`{"checkpoints":[`):]), 1),
	} {
		if _, err := verify.ParseState([]byte(bad)); !errors.Is(err, verify.ErrMalformed) {
			t.Errorf("%s: %v\n%s", name, err, bad)
		}
	}
}

func FuzzParseState(f *testing.F) {
	l := verifytest.New(f, origin)
	s := new(verify.State)
	if err := s.See(l.Publish(now).LogCheckpoint(), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := verify.ParseState(b)
		if err != nil {
			return
		}
		again, err := verify.ParseState(s.Append(nil))
		if err != nil || string(again.Append(nil)) != string(s.Append(nil)) {
			t.Errorf("what was read does not read back: %v", err)
		}
	})
}
