package mysqldb

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallyroot/tallyroot/internal/mariadb"
)

// authority is a certificate authority of the test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(dir, name+".pem")}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = a.sign(t, template, template, a.key, a.file)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey, file string) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// flags make a server of MariaDB show a certificate for the address.
func (a *authority) flags(t *testing.T, dir string, address net.IP) []string {
	t.Helper()
	key := newKey(t)
	certFile, keyFile := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{address},
	}, a.cert, key, certFile)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--ssl-ca=" + a.file, "--ssl-cert=" + certFile, "--ssl-key=" + keyFile}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ours, other := newAuthority(t, dir, "ours"), newAuthority(t, dir, "other")
	s := mariadb.Own(t, ours.flags(t, dir, net.IPv4(127, 0, 0, 1))...)
	exec(t, open(t, Config{DSN: s.DSN("mysql"), TLSCA: ours.file}), "SET GLOBAL require_secure_transport = 1")
	localhost := strings.Replace(s.DSN("mysql"), "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		name string
		Config
		says string // "" where it connects
	}{
		{"our authority", Config{DSN: s.DSN("mysql"), TLSCA: ours.file}, ""},
		{"tls=true as well", Config{DSN: s.DSN("mysql") + "?tls=true", TLSCA: ours.file}, ""},
		{"not verified, as the DSN says", Config{DSN: s.DSN("mysql") + "?tls=skip-verify"}, ""},
		{"another authority", Config{DSN: s.DSN("mysql"), TLSCA: other.file}, "cannot be trusted"},
		{"the system's authorities", Config{DSN: s.DSN("mysql") + "?tls=true"}, "cannot be trusted"},
		{"another name", Config{DSN: localhost, TLSCA: ours.file}, "cannot be trusted"},
		{"no TLS", Config{DSN: s.DSN("mysql")}, "over TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t, c.Config)
			err := Wait(t.Context(), db, 0, slog.New(slog.DiscardHandler))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || Unavailable(err) || Class(err) != ClassDenied {
					t.Errorf("%v, class %s; want %q", err, Class(err), c.says)
				}
				return
			}
			var name, cipher string
			if err := db.QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || cipher == "" {
				t.Errorf("cipher %q, %v", cipher, err)
			}
		})
	}
}

// A Unix socket serves as well as an address.
func TestUnixSocket(t *testing.T) {
	c := mariadb.Shared(t).Config("mysql")
	var path string
	if err := open(t, Config{DSN: c.FormatDSN()}).QueryRow("SELECT @@socket").Scan(&path); err != nil {
		t.Fatal(err)
	}
	c.Net, c.Addr = "unix", path
	db := open(t, Config{DSN: c.FormatDSN()})
	if err := Wait(t.Context(), db, 0, nil); err != nil {
		t.Error(err)
	}
}
