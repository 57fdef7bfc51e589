package kubelet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"vedette.dev/collector/kubelet"
)

// pages are what a port serves, by path, and the subresource of nodes that a
// kubelet wants one to have a right to.
var pages = map[string]struct{ file, subresource string }{
	"/metrics/cadvisor": {"cadvisor.txt", "metrics"},
	"/stats/summary":    {"summary.json", "stats"},
	"/configz":          {"configz.json", "configz proxy"},
	"/pods":             {"pods.json", "pods proxy"},
}

// A port is a kubelet's HTTPS port, which serves the pages of testdata. It is
// strict: it answers nobody without its token, nothing but GET, and no path
// that a kubelet has not.
type port struct {
	t          *testing.T
	dir        string // with token, ca.crt
	authority  *x509.Certificate
	key        *ecdsa.PrivateKey
	server     *httptest.Server
	address    string
	connection int

	mu      sync.Mutex
	token   string
	asked   map[string]int
	instead map[string]func(w http.ResponseWriter, r *http.Request, page []byte) // of serving the page
}

// newPort starts a port whose certificate is for a name.
func newPort(t *testing.T, name string) *port {
	t.Helper()
	p := &port{t: t, dir: t.TempDir(), token: "t1", asked: map[string]int{}, instead: map[string]func(http.ResponseWriter, *http.Request, []byte){}}
	p.authority, p.key = p.certify(&x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true}, nil, nil)
	p.write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.authority.Raw})))
	p.write("token", p.token+"\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	p.serve(l, name)
	t.Cleanup(func() { p.server.CloseClientConnections(); p.server.Close() })
	return p
}

// restart starts the port anew at its address.
func (p *port) restart(name string) {
	p.t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.serve(l, name)
}

func (p *port) stop() { p.server.CloseClientConnections(); p.server.Close() }

func (p *port) serve(l net.Listener, name string) {
	cert, key := p.certify(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}, p.authority, p.key)
	p.server = httptest.NewUnstartedServer(p)
	p.server.Listener.Close()
	p.server.Listener = l
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of handshakes that are meant to fail
	p.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			p.mu.Lock()
			p.connection++
			p.mu.Unlock()
		}
	}
	p.server.StartTLS()
}

func (p *port) certify(c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	if parent == nil {
		parent, by = c, key
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return c, key
}

func (p *port) write(file, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, file), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// set has a path answered by f.
func (p *port) set(path string, f func(w http.ResponseWriter, r *http.Request, page []byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instead[path] = f
}

func (p *port) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	token, instead := p.token, p.instead[r.URL.Path]
	p.mu.Unlock()
	of, known := pages[r.URL.Path]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	case !known || r.Method != http.MethodGet || r.URL.RawQuery != "":
		http.NotFound(w, r)
		return
	}
	text, err := os.ReadFile(filepath.Join("testdata", "pages", of.file))
	if err != nil {
		p.t.Error(err)
	}
	if instead != nil {
		instead(w, r, text)
		return
	}
	w.Write(text)
}

// forbid answers as a kubelet does whoever lacks a right.
func forbid(w http.ResponseWriter, r *http.Request, _ []byte) {
	http.Error(w, fmt.Sprintf("Forbidden (user=system:serviceaccount:vedette:vedette-agent, verb=get, resource=nodes, subresource(s)=[%s])",
		pages[r.URL.Path].subresource), http.StatusForbidden)
}

// api is what asks the port, as of a time.
func (p *port) api(now func() time.Time) *kubelet.API {
	a := &kubelet.API{Address: "https://" + p.address, Node: "n1", TokenFile: filepath.Join(p.dir, "token"), CAFile: filepath.Join(p.dir, "ca.crt"),
		Patience: time.Minute, Now: now}
	p.t.Cleanup(func() { a.Close() })
	return a
}
