package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairwayhq/fairway/internal/certificate"
	"github.com/fairwayhq/fairway/internal/fault"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), name+".crt")}
	a.key = newKey(t)
	der := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, a.key, a.key)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.file, "CERTIFICATE", der)
	return a
}

// issue writes a certificate and its key to the files.
func (a *authority) issue(name, cert, key string) {
	a.t.Helper()
	own := newKey(a.t)
	write(a.t, cert, "CERTIFICATE", sign(a.t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, own, a.key))
	der, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, key, "EC PRIVATE KEY", der)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// warnings collects what is told.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) add(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, err.Error())
}

func (w *warnings) said() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}

// serve answers with the name on the client's certificate.
func serve(t *testing.T, f certificate.Files, w *warnings) (url string) {
	t.Helper()
	config, err := certificate.Server(f, w.add)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.VerifiedChains) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_, _ = io.WriteString(w, who)
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(tls.NewListener(plain, config)) }()
	t.Cleanup(func() { _ = srv.Close(); <-ended })
	return "https://" + plain.Addr().String()
}

// ask makes a request on a new connection and returns the answer, and the name of the
// server's certificate.
func ask(t *testing.T, rt http.RoundTripper, url string) (answer, server string, err error) {
	t.Helper()
	c := &http.Client{Transport: rt}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := c.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), resp.TLS.PeerCertificates[0].Subject.CommonName, err
}

func transport(t *testing.T, f certificate.Files, w *warnings) http.RoundTripper {
	t.Helper()
	rt, err := certificate.Transport(f, w.add)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// pair names the files of a certificate and its key.
func pair(t *testing.T, name, ca string) certificate.Files {
	dir := t.TempDir()
	return certificate.Files{Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key"), CA: ca}
}

func TestBothSidesUseTheCertificateOfNow(t *testing.T) {
	servers, workers := newAuthority(t, "servers"), newAuthority(t, "workers")
	srv, cli := pair(t, "server", workers.file), pair(t, "client", servers.file)
	servers.issue("server 1", srv.Cert, srv.Key)
	workers.issue("worker 1", cli.Cert, cli.Key)
	var w warnings
	url, rt := serve(t, srv, &w), transport(t, cli, &w)
	if who, server, err := ask(t, rt, url); who != "worker 1" || server != "server 1" || err != nil {
		t.Fatalf("%q talks to %q: %v", who, server, err)
	}
	servers.issue("server 2", srv.Cert, srv.Key)
	workers.issue("worker 2", cli.Cert, cli.Key)
	if who, server, err := ask(t, rt, url); who != "worker 2" || server != "server 2" || err != nil {
		t.Errorf("after the rotation %q talks to %q: %v", who, server, err)
	}
	// The authorities are replaced too: the server's first, with both in the file.
	next := newAuthority(t, "next")
	both, _ := os.ReadFile(workers.file)
	more, _ := os.ReadFile(next.file)
	if err := os.WriteFile(workers.file, append(both, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	next.issue("worker 3", cli.Cert, cli.Key)
	if who, _, err := ask(t, rt, url); who != "worker 3" || err != nil {
		t.Errorf("after the rotation of the authority %q is heard: %v", who, err)
	}
	if said := w.said(); len(said) > 0 {
		t.Errorf("it warned: %v", said)
	}
}

func TestHalfARotationKeepsWhatWasGood(t *testing.T) {
	servers := newAuthority(t, "servers")
	srv := pair(t, "server", "")
	servers.issue("server 1", srv.Cert, srv.Key)
	var w warnings
	url, rt := serve(t, srv, &w), transport(t, certificate.Files{CA: servers.file}, &w)
	other := pair(t, "other", "")
	servers.issue("server 2", other.Cert, other.Key)
	replace := func(from, to string) {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(other.Cert, srv.Cert)
	for range 2 {
		if _, server, err := ask(t, rt, url); server != "server 1" || err != nil {
			t.Errorf("with half a rotation %q answers: %v", server, err)
		}
	}
	if said := w.said(); len(said) != 1 || !strings.Contains(said[0], "cannot be used with the key") {
		t.Errorf("it warned: %q", said)
	}
	replace(other.Key, srv.Key)
	if _, server, err := ask(t, rt, url); server != "server 2" || err != nil {
		t.Errorf("after the rotation %q answers: %v", server, err)
	}
}

func TestStrangersAreNotBelieved(t *testing.T) {
	servers, workers, strangers := newAuthority(t, "servers"), newAuthority(t, "workers"), newAuthority(t, "strangers")
	srv := pair(t, "server", workers.file)
	servers.issue("server", srv.Cert, srv.Key)
	var w warnings
	url := serve(t, srv, &w)
	if who, _, err := ask(t, transport(t, certificate.Files{CA: servers.file}, &w), url); who != "nobody" || err != nil {
		t.Errorf("who shows nothing is %q: %v", who, err)
	}
	stranger := pair(t, "stranger", servers.file)
	strangers.issue("stranger", stranger.Cert, stranger.Key)
	// A client leaves out a certificate that the server did not ask for; it is nobody then.
	if who, _, err := ask(t, transport(t, stranger, &w), url); who != "nobody" && err == nil {
		t.Errorf("a stranger is heard as %q", who)
	}
	if who, _, err := ask(t, transport(t, certificate.Files{CA: strangers.file}, &w), url); err == nil {
		t.Errorf("a server of strangers is believed; it heard %q", who)
	}
}

func TestFilesThatCannotBeUsedAreAnErrorAtTheStart(t *testing.T) {
	a := newAuthority(t, "servers")
	good := pair(t, "server", "")
	a.issue("server", good.Cert, good.Key)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for say, f := range map[string]certificate.Files{
		"belong together":    {Cert: good.Cert},
		"cannot be used":     {Cert: good.Cert, Key: empty},
		"cannot be read":     {Cert: good.Cert, Key: good.Key, CA: good.Cert + ".none"},
		"has no certificate": {Cert: good.Cert, Key: good.Key, CA: empty},
	} {
		if _, err := certificate.Server(f, nil); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), say) {
			t.Errorf("a server with %+v: %v", f, err)
		}
		if _, err := certificate.Transport(f, nil); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), say) {
			t.Errorf("a client with %+v: %v", f, err)
		}
	}
	if _, err := certificate.Server(certificate.Files{}, nil); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a server without a certificate: %v", err)
	}
}
