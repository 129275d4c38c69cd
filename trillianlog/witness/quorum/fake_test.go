package quorum_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallyroot/tallyroot/trillianlog/witness/witnesstest"
)

// fake is a witness that is written from the specification's text, with no code of
// ours. A test can put something before it.
type fake struct {
	name    string
	private ed25519.PrivateKey
	log     note.Verifier
	web     *httptest.Server

	mu    sync.Mutex
	size  uint64
	root  []byte
	now   time.Time // zero: the time of day
	olds  []uint64  // of all requests
	conns int       // connections that were made
	// before may answer a request itself. It is called one at a time.
	before func(w http.ResponseWriter, r *http.Request) (done bool)
}

func newFake(t *testing.T, name string, l *witnesstest.Log) *fake {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(l.Key)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{name: name, private: private, log: verifier}
	f.web = httptest.NewUnstartedServer(f)
	f.web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.mu.Lock()
			f.conns++
			f.mu.Unlock()
		}
	}
	f.web.Start()
	t.Cleanup(f.web.Close)
	return f
}

// set changes the witness between two requests.
func (f *fake) set(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// answers makes it give the same answer to all requests.
func (f *fake) answers(status int, header, body string) {
	f.set(func(f *fake) {
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	})
}

func (f *fake) asked() []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]uint64(nil), f.olds...)
}

func (f *fake) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns
}

// id is the key id of signed-note: for cosignatures, type 4.
func (f *fake) id() []byte {
	h := sha256.New()
	h.Write([]byte(f.name + "\n\x04"))
	h.Write(f.private.Public().(ed25519.PublicKey))
	return h.Sum(nil)[:4]
}

func (f *fake) vkey() string {
	raw := append([]byte{4}, f.private.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%x+%s", f.name, f.id(), base64.StdEncoding.EncodeToString(raw))
}

// cosign gives the signature line for a checkpoint's text.
func (f *fake) cosign(text string, at time.Time) string {
	raw := binary.BigEndian.AppendUint64(f.id(), uint64(at.Unix()))
	raw = append(raw, ed25519.Sign(f.private, []byte("cosignature/v1\ntime "+strconv.FormatInt(at.Unix(), 10)+"\n"+text))...)
	return "— " + f.name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/prefix/add-checkpoint" || r.Header.Get("User-Agent") != "tallyroot" {
		http.Error(w, r.Method+" "+r.URL.Path, http.StatusTeapot)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	head, signed, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseUint(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.olds = append(f.olds, old)
	if f.before != nil && f.before(w, r) {
		return
	}
	n, err := note.Open([]byte(signed), note.VerifierList(f.log))
	if err != nil || !strings.HasPrefix(n.Text, f.log.Name()+"\n") {
		http.Error(w, "signature", http.StatusForbidden)
		return
	}
	text := strings.Split(n.Text, "\n")
	size, err := strconv.ParseUint(text[1], 10, 64)
	root, err2 := base64.StdEncoding.DecodeString(text[2])
	var hashes [][]byte
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		hashes = append(hashes, hash)
	}
	switch {
	case err != nil || err2 != nil || old > size:
		http.Error(w, "checkpoint", http.StatusBadRequest)
	case old != f.size:
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", f.size)
	case old == size && f.root != nil && !bytes.Equal(root, f.root):
		http.Error(w, "another root", http.StatusUnprocessableEntity)
	case old == 0 && len(hashes) != 0 || old != 0 && proof.VerifyConsistency(rfc6962.DefaultHasher, old, size, hashes, f.root, root) != nil:
		http.Error(w, "proof", http.StatusUnprocessableEntity)
	default:
		f.size, f.root = size, root
		at := f.now
		if at.IsZero() {
			at = time.Now()
		}
		io.WriteString(w, f.cosign(n.Text, at))
	}
}
