package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/tallyroot/tallyroot/internal/mariadb"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
	"github.com/tallyroot/tallyroot/internal/schema"
	"github.com/tallyroot/tallyroot/internal/stock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Trillian's own server reads the file as it is meant, also a password that is
// hard to quote, and speaks TLS to a database that demands it.
func TestTrillianFlagFile(t *testing.T) {
	const password = `it's "a" # b\ c;&|~*?=!`
	cert, key := selfSigned(t)
	server := mariadb.Own(t, "--ssl-cert="+cert, "--ssl-key="+key)
	name := server.Database(t)
	if err := server.Exec("", "CREATE USER farm@'%' IDENTIFIED BY '"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)+"' REQUIRE SSL", "GRANT ALL ON "+name+".* TO farm@'%'"); err != nil {
		t.Fatal(err)
	}
	dsn := server.Config(name)
	dsn.User = "farm"
	config := mysqldb.Config{DSN: dsn.FormatDSN(), Password: password, TLSCA: cert}
	db, err := mysqldb.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := schema.Apply(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	flags, err := trillianFlagFile(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "flags")
	if err := os.WriteFile(file, flags, 0o600); err != nil {
		t.Fatal(err)
	}
	// The last --config holds; the first one's database does not exist.
	servers := stock.Own(t, stock.Options{DSN: "nobody@tcp(127.0.0.1:1)/x", Server: []string{"--config=" + file}, Signer: []string{"--config=" + file}})
	conn, err := grpc.NewClient(servers.Server.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := trillian.NewTrillianAdminClient(conn).ListTrees(t.Context(), &trillian.ListTreesRequest{}); err != nil {
		t.Fatal(err)
	}
}

// What Trillian would take for a variable is refused, and nothing repeats it.
func TestTrillianFlagFileRefuses(t *testing.T) {
	for _, tt := range []struct {
		password string
		ok       bool
	}{
		{"plain", true}, {"pass$.word", true}, {"$ alone", true},
		{"ends-with$", false}, {"pass$word", false}, {"pass${word}", false}, {"pass$1", false}, {"zero\x00byte", false},
	} {
		b, err := trillianFlagFile(mysqldb.Config{DSN: "farm@tcp(127.0.0.1:1)/farm", Password: tt.password})
		if (err == nil) != tt.ok || err != nil && strings.Contains(err.Error(), tt.password) {
			t.Errorf("%q: %q, %v", tt.password, b, err)
		}
	}
	if _, err := trillianFlagFile(mysqldb.Config{DSN: "farm:hush-hush@nowhere"}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a DSN that is none: %v", err)
	}
}

// selfSigned gives the files of a certificate for 127.0.0.1, which is its own
// authority, and of its private key.
func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private)
}
