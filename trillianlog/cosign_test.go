package trillianlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/trillianlog"
	"github.com/tallyroot/tallyroot/trillianlog/outagetest"
)

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// A log that does not grow is cosigned again and again, also while its back end is
// away, and says so when it cannot be.
func TestAQuietLogIsCosignedAgain(t *testing.T) {
	w := newWorld(t)
	cosigner := newWitness(t)
	l, back := w.openFaulty(func(o *trillianlog.Options) {
		cosigner.options(w.vkey)(o)
		o.CosignEvery = 50 * time.Millisecond
	})
	w.log(l, "a", 3)
	later := func() {
		_, signed := l.Published()
		before, err := l.Verdict(signed)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "a later cosignature", func() bool {
			c, signed := l.Published()
			now, err := l.Verdict(signed)
			if err != nil || c.Size != 3 {
				t.Fatalf("published %+v: %v", c, err)
			}
			return now.Time.After(before.Time)
		})
	}
	later()
	back.Set(outagetest.Fails)
	until(t, "the outage", func() bool { return l.Refusal() != nil })
	later()
	back.Set(outagetest.Works)
	until(t, "the outage's end", func() bool { return l.Refusal() == nil })

	cosigner.set(errors.New("connection refused"))
	until(t, "an alarm", func() bool { return l.Status().Publishing != nil })
	if st := l.Status(); st.Readable != nil || st.Err != nil || st.Writable != nil || st.Published != 3 {
		t.Fatalf("status %+v", st)
	}
	add(t, l, leaf("b", "text"))
	until(t, "the leaf to be stored", func() bool { return l.Status().Stored == 4 })
	cosigner.set(nil)
	until(t, "the end of the alarm", func() bool { st := l.Status(); return st.Publishing == nil && st.Published == 4 })
	w.check(l)
}

// One that was witnessed long ago is cosigned again when the log is opened.
func TestAnOldCheckpointIsCosignedAtTheStart(t *testing.T) {
	w := newWorld(t)
	cosigner := newWitness(t)
	l := w.open(cosigner.options(w.vkey))
	w.log(l, "a", 3)
	w.close(l)
	_, before := l.Published()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the next cosignature differs
	l = w.open(func(o *trillianlog.Options) {
		cosigner.options(w.vkey)(o)
		o.CosignEvery = time.Millisecond
	})
	until(t, "another cosignature", func() bool { _, now := l.Published(); return !bytes.Equal(now, before) })
}

// Nobody can give a cosignature again after a crash but the witness, which may be
// away then: so what is published is in its file when it is answered.
func TestCosignaturesAreDurableAtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.open(newWitness(t).options(w.vkey))
	for i := range 5 {
		w.log(l, fmt.Sprint("leaf ", i), 1)
		_, signed := l.Published()
		file, err := os.ReadFile(filepath.Join(w.dir, "log", "checkpoint"))
		if err != nil || !bytes.Equal(file, signed) {
			t.Fatalf("published %q, in the file %q: %v", signed, file, err)
		}
	}
}

// A log that closes does not wait for witnesses that do not answer.
func TestClosingDoesNotWaitForWitnesses(t *testing.T) {
	w := newWorld(t)
	asked := make(chan struct{})
	l := w.open(func(o *trillianlog.Options) {
		newWitness(t).options(w.vkey)(o)
		o.Witness = func(ctx context.Context, _ []byte, _ func(uint64) ([][]byte, error)) ([]byte, error) {
			close(asked)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	add(t, l, leaf("a", "text"))
	<-asked
	w.close(l)
}
