package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/scale/keda/externalscaler"
	"vedette.dev/rules/strictyaml"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.issue(t, "ca", a.cert, a.key)
	return a
}

// issue writes name.crt and name.key.
func (a *authority) issue(t *testing.T, name string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(a.path(name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

func (a *authority) leaf(t *testing.T, name string, usage x509.ExtKeyUsage) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.issue(t, name, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage}}, key)
}

// aboutToRise is a demand, in PromQL, that on every day more than doubles some
// minutes after this time of it, is a little different from day to day, and trembles.
func aboutToRise(now time.Time) string {
	soon := now.Add(8 * time.Minute).Unix()
	return fmt.Sprintf("100 + 40 * sin(vector(time() / 45000)) + time() * 7919 %% 97 / 10 + 150 * ((time() + 86400 - %d) %% 86400 < bool 7200)", soon%86400)
}

// TestScaling: a service that only observes notes what it would do, touches
// nothing, and tells KEDA, which has to show a certificate.
func TestScaling(t *testing.T) {
	ca := newAuthority(t)
	ca.leaf(t, "server", x509.ExtKeyUsageServerAuth)
	ca.leaf(t, "keda", x509.ExtKeyUsageClientAuth)
	eks := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("EKS is asked: %s %s", r.Method, r.URL)
	}))
	defer eks.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	cfg := new(Config)
	cfg.APIVersion, cfg.Kind, cfg.Data = "vedette.dev/v1", "ServerConfig", t.TempDir()
	cfg.Listen.HTTP, cfg.Listen.OTLP, cfg.Kubernetes.Disabled = "127.0.0.1:0", "127.0.0.1:0", true
	cfg.Scaling.Pools = []scaledPool{{Name: "llm", Demand: aboutToRise(time.Now()), Capacity: 20, Min: 1, Max: 40, GPUs: 8, Instance: "p5.48xlarge",
		Target: scaledTarget{Kind: "nodegroup", Name: "prod/h100", Approve: "policy"}}}
	cfg.Scaling.Pools[0].Boot = strictyaml.Duration(15 * time.Minute)
	k := &cfg.Scaling.KEDA
	k.Listen, k.CertFile, k.KeyFile, k.ClientCAFile = "127.0.0.1:0", ca.path("server.crt"), ca.path("server.key"), ca.path("ca.crt")
	cfg.Scaling.EKS.Region, cfg.Scaling.EKS.Endpoint = "eu-west-1", eks.URL
	cfg.fill()
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	s, err := open(cfg, slog.New(slog.DiscardHandler), extras{})
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	g.Go(func() error { return serveGRPC(t.Context(), s.scaler, s.keda) })
	t.Cleanup(func() {
		if err := g.Wait(); err != nil { // t.Context has ended by now
			t.Error(err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	s.foresee(t.Context(), time.Now())
	st, _ := s.scaling.State("llm")
	if st.Advice == nil || st.Advice.Added() == 0 {
		t.Fatalf("state is %+v", st)
	}

	es, err := s.ledger.Entries(t.Context(), 9)
	if err != nil || len(es) != 1 {
		t.Fatalf("entries are %v, %v", es, err)
	}
	if e := es[0]; e.State != action.Noted || e.Kind != action.ScaleNodegroup || !strings.Contains(e.Reason, "more cost $") ||
		e.Effect != fmt.Sprintf("prod/h100 goes from 1 to %d nodes at least", st.Advice.Units) {
		t.Errorf("entry is %+v", e)
	}

	roots := x509.NewCertPool()
	roots.AddCert(must(x509.ParseCertificate(must(tls.LoadX509KeyPair(ca.path("ca.crt"), ca.path("ca.key"))).Certificate[0])))
	ask := func(certs ...tls.Certificate) (*externalscaler.GetMetricsResponse, error) {
		conn, err := grpc.NewClient(s.keda.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: certs})))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return externalscaler.NewExternalScalerClient(conn).GetMetrics(t.Context(), &externalscaler.GetMetricsRequest{MetricName: "vedette_recommended_replicas",
			ScaledObjectRef: &externalscaler.ScaledObjectRef{ScalerMetadata: map[string]string{"pool": "llm"}}})
	}
	got, err := ask(must(tls.LoadX509KeyPair(ca.path("keda.crt"), ca.path("keda.key"))))
	if err != nil || int(got.MetricValues[0].MetricValueFloat) != st.Advice.Units {
		t.Errorf("KEDA is told %v, %v, want %d", got, err, st.Advice.Units)
	}
	if got, err := ask(); err == nil {
		t.Errorf("without a certificate it is told %v", got)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
