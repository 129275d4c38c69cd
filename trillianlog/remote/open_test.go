package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/stock"
	"github.com/tallyroot/tallyroot/trillianlog/internal/logtree"
)

// What is at the address, or at no address, is said in a sentence.
func TestAddress(t *testing.T) {
	s := common(t)
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := grpc.NewServer()
	defer other.Stop()
	go func() { _ = other.Serve(listener) }()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for _, tt := range []struct {
		name, address string
		tls           bool
		words         string
	}{
		{"none", "", false, "must be HOST:PORT"},
		{"no port", "localhost", false, "must be HOST:PORT"},
		{"an empty port", "localhost:", false, "must be HOST:PORT"},
		{"nobody there", nobody.Addr().String(), false, "see whether trillian_log_server runs"},
		{"no such host", "nowhere.invalid:8090", false, "does not answer"},
		{"a web server", web.Listener.Addr().String(), false, "does not answer like Trillian's log server"},
		{"the server's own web port", s.servers.Server.HTTP, false, "does not answer like Trillian's log server"},
		{"another gRPC server", listener.Addr().String(), false, "is not Trillian's log server"},
		{"the log signer", s.servers.Signer.Address, false, "is not Trillian's log server"},
		{"one without TLS", s.servers.Server.Address, true, "does not speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.options(t)
			o.Address, o.Wait = tt.address, 300*time.Millisecond
			if tt.tls {
				o.TLS = new(tls.Config)
			}
			failsWith(t, o, tt.words)
		})
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key, trusted := certify(t, dir)
	s := own(t, mariadb.Shared(t), stock.Options{Cert: certificate, Key: key})
	o := s.options(t)
	o.Wait = 2 * time.Second
	o.TLS = &tls.Config{RootCAs: trusted}
	b := open(t, o)
	add(t, b, 0, 5)
	grown(t, b, 5)
	closeIt(t, b)

	o.TLS = new(tls.Config)
	failsWith(t, o, "the certificate of Trillian's log server", "is not accepted")
	o.TLS = &tls.Config{RootCAs: trusted, ServerName: "another.example"}
	failsWith(t, o, "is not accepted", "another.example")
	o.TLS, o.Wait = nil, 300*time.Millisecond
	failsWith(t, o, "if it asks for TLS, say so")
}

// certify makes a certificate for 127.0.0.1, as files, and whom to trust for it.
func certify(t *testing.T, dir string) (certFile, keyFile string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	certFile, keyFile = write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted = x509.NewCertPool()
	trusted.AddCert(certificate)
	return certFile, keyFile, trusted
}

// A tree that cannot hold the log is refused at once; one that can, by its number.
func TestTree(t *testing.T) {
	s := common(t)
	conn, err := dial(s.servers.Server.Address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	make := func(kind trillian.TreeType) int64 {
		tree, err := trillian.NewTrillianAdminClient(conn).CreateTree(t.Context(), &trillian.CreateTreeRequest{Tree: &trillian.Tree{
			TreeType: kind, TreeState: trillian.TreeState_ACTIVE, MaxRootDuration: durationpb.New(0)}})
		if err != nil {
			t.Fatal(err)
		}
		return tree.TreeId
	}
	o := s.options(t)
	for id, words := range map[int64]string{make(trillian.TreeType_LOG): "PREORDERED_LOG", 12345: "there is no tree 12345"} {
		o.TreeID = id
		failsWith(t, o, words)
		if _, err := Open(t.Context(), o); !errors.Is(err, logtree.ErrUnfit) {
			t.Fatalf("got %v", err)
		}
	}
	o.TreeID = make(trillian.TreeType_PREORDERED_LOG)
	b := open(t, o)
	if b.TreeID() != o.TreeID {
		t.Fatalf("tree %d, want %d", b.TreeID(), o.TreeID)
	}
	add(t, b, 0, 1)
	grown(t, b, 1)
}

// A tree that is frozen or deleted under a log that runs is said to be, and what it
// takes to go on; it goes on by itself.
func TestTreeThatChanges(t *testing.T) {
	s := common(t)
	b := open(t, s.options(t))
	add(t, b, 0, 1)
	set := func(what string) { s.exec(t, fmt.Sprintf("UPDATE Trees SET %s WHERE TreeId = %d", what, b.TreeID())) }
	for _, tt := range []struct{ to, back, words string }{
		{"TreeState = 'FROZEN'", "TreeState = 'ACTIVE'", "updatetree"},
		{"Deleted = TRUE", "Deleted = NULL", "undelete"},
	} {
		set(tt.to)
		_, err := send(b, 1, entry(1))
		if err == nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", tt.to, err)
		}
		set(tt.back)
	}
	add(t, b, 1, 2)
	grown(t, b, 2)
}

// A root from the future means that a clock is wrong.
func TestClock(t *testing.T) {
	s := common(t)
	o := s.options(t)
	b := open(t, o)
	add(t, b, 0, 3)
	grown(t, b, 3)
	closeIt(t, b)
	shift := func(by time.Duration) {
		s.exec(t, fmt.Sprintf("UPDATE TreeHead SET TreeHeadTimestamp = TreeHeadTimestamp + %d WHERE TreeId = %d ORDER BY TreeHeadTimestamp DESC LIMIT 1", by, b.TreeID()))
	}
	shift(time.Hour)
	failsWith(t, o, "set the clock right", "1h0m0s")
	shift(MaxAhead - time.Hour - time.Second)
	closeIt(t, open(t, o))
}

// Open waits for a database that comes, and says what is missing in one without
// tables.
func TestWaits(t *testing.T) {
	s := own(t, mariadb.Own(t), stock.Options{})
	o := s.options(t)
	o.Wait = 300 * time.Millisecond
	if err := s.db.Kill(); err != nil {
		t.Fatal(err)
	}
	failsWith(t, o, "does not reach its database", "waited 300ms")
	o.Wait = time.Minute
	opened := make(chan error, 1)
	go func() {
		b, err := Open(t.Context(), o)
		if err == nil {
			err = b.Close()
		}
		opened <- err
	}()
	if err := s.db.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if err := s.db.Exec("", "DROP DATABASE "+s.database, "CREATE DATABASE "+s.database); err != nil {
		t.Fatal(err)
	}
	o.Wait = 300 * time.Millisecond
	failsWith(t, o, "`tallyroot schema apply` makes them")
}

// Calls after Close are errors.
func TestClosed(t *testing.T) {
	s := common(t)
	b := open(t, s.options(t))
	closeIt(t, b)
	closeIt(t, b)
	_, findErr := b.Find(t.Context(), nil)
	_, _, nextErr := b.Next(t.Context())
	_, addErr := send(b, 0, entry(0))
	_, rootErr := b.root(t.Context())
	for _, err := range []error{findErr, nextErr, addErr, rootErr} {
		if err == nil {
			t.Errorf("a call after Close succeeds")
		}
	}
}

func TestIdentitySize(t *testing.T) {
	s := common(t)
	b := open(t, s.options(t))
	for _, id := range [][]byte{nil, make([]byte, 31), make([]byte, 33)} {
		leaf := entry(0)
		leaf.LeafIdentityHash = id
		if _, err := send(b, 0, leaf); err == nil || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("an identity of %d bytes: %v", len(id), err)
		}
	}
}
