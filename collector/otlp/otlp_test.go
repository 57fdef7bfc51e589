package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"vedette.dev/collector"
)

// A receiver is an OTLP server that writes down what it gets.
type receiver struct {
	mu           sync.Mutex
	token        string // the only one it takes, unless empty
	refuse       bool   // logs, in part
	fail         bool   // metrics
	points, logs []string
	tokens       []string
}

// take writes down a request, unless its token or its content is refused.
func (r *receiver) take(token string, m *pmetric.Metrics, l *plog.Logs) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = append(r.tokens, token)
	switch {
	case r.token != "" && token != "Bearer "+r.token:
		return status.Error(codes.Unauthenticated, "who are you?")
	case m != nil && r.fail:
		return status.Error(codes.Internal, "the disk is full")
	}
	if m != nil {
		r.points = append(r.points, metricLines(*m)...)
	}
	if l != nil {
		r.logs = append(r.logs, logLines(*l)...)
	}
	return nil
}

func (r *receiver) got() (points, logs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	points, logs = r.points, r.logs
	r.points, r.logs = nil, nil
	return points, logs
}

func (r *receiver) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func metricLines(md pmetric.Metrics) (ls []string) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			head := fmt.Sprint(sorted(rm.Resource().Attributes()), " ", sm.Scope().Name())
			for _, m := range sm.Metrics().All() {
				var points pmetric.NumberDataPointSlice
				kind := m.Type().String()
				switch m.Type() {
				case pmetric.MetricTypeSum:
					points = m.Sum().DataPoints()
					kind += fmt.Sprint(" ", m.Sum().AggregationTemporality(), " ", m.Sum().IsMonotonic())
				case pmetric.MetricTypeGauge:
					points = m.Gauge().DataPoints()
				}
				for _, p := range points.All() {
					ls = append(ls, fmt.Sprint(head, " ", m.Name(), " ", m.Unit(), " ", kind, " ", sorted(p.Attributes()),
						" ", p.DoubleValue(), " ", p.StartTimestamp().AsTime().Unix(), " ", p.Timestamp().AsTime().Unix()))
				}
			}
		}
	}
	return ls
}

func logLines(ld plog.Logs) (ls []string) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				ls = append(ls, fmt.Sprint(sorted(rl.Resource().Attributes()), " ", sl.Scope().Name(), " ", l.EventName(), " ",
					l.Timestamp().AsTime().UnixNano(), " ", l.Body().Type(), " ", l.Body().AsString(), " ", sorted(l.Attributes())))
			}
		}
	}
	return ls
}

func sorted(m pcommon.Map) []string {
	var kvs []string
	for k, v := range m.All() {
		kvs = append(kvs, k+"="+v.AsString())
	}
	slices.Sort(kvs)
	return kvs
}

// The receiver over gRPC.

type metricService struct {
	pmetricotlp.UnimplementedGRPCServer
	*receiver
}

func (s *metricService) Export(ctx context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	m := r.Metrics()
	return pmetricotlp.NewExportResponse(), s.take(authorization(ctx), &m, nil)
}

type logService struct {
	plogotlp.UnimplementedGRPCServer
	*receiver
}

func (s *logService) Export(ctx context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	l := r.Logs()
	out := plogotlp.NewExportResponse()
	if s.refuse {
		out.PartialSuccess().SetRejectedLogRecords(1)
		out.PartialSuccess().SetErrorMessage("too old")
	}
	return out, s.take(authorization(ctx), nil, &l)
}

func authorization(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(append(md.Get("authorization"), md.Get("x-scope-orgid")...), ",")
}

// listen serves r over gRPC at address and returns the address and a way to stop.
func (r *receiver) listen(t *testing.T, address string, opts ...grpc.ServerOption) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	pmetricotlp.RegisterGRPCServer(s, &metricService{receiver: r})
	plogotlp.RegisterGRPCServer(s, &logService{receiver: r})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String(), s.Stop
}

// ServeHTTP is the receiver over HTTP.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	z, err := gzip.NewReader(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(z)
	if err == nil {
		switch req.URL.Path {
		case "/otlp/v1/metrics":
			in := pmetricotlp.NewExportRequest()
			if err = in.UnmarshalProto(body); err == nil {
				m := in.Metrics()
				err = r.take(req.Header.Get("Authorization"), &m, nil)
			}
		case "/otlp/v1/logs":
			in := plogotlp.NewExportRequest()
			if err = in.UnmarshalProto(body); err == nil {
				l := in.Logs()
				err = r.take(req.Header.Get("Authorization"), nil, &l)
			}
		default:
			http.NotFound(w, req)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
	}
}

func open(t *testing.T, c Config) *Sink {
	t.Helper()
	c.Node = "gpu-node-1"
	c.Start = time.Unix(1000, 0)
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var batch = collector.Batch{
	Points: []collector.Point{
		{Metric: "DCGM_FI_DEV_GPU_TEMP", Value: 83, At: time.Unix(2000, 0), Attrs: []collector.Attr{{Key: "gpu", Value: "0"}, {Key: "Hostname", Value: "gpu-node-1"}}},
		{Metric: "node_vmstat_oom_kill", Counter: true, Value: 2, At: time.Unix(2001, 0), Attrs: []collector.Attr{{Key: "instance", Value: "gpu-node-1"}}},
		{Metric: "DCGM_FI_DEV_GPU_TEMP", Value: 84.5, At: time.Unix(2002, 0), Attrs: []collector.Attr{{Key: "gpu", Value: "1"}}},
		{Metric: "not_in_the_catalog", Value: 1, At: time.Unix(2003, 0)},
	},
	Events: []collector.Event{{Kind: collector.KernelLine, At: time.Unix(2000, 5), Text: "NVRM: Xid (PCI:0000:4e:00): 79",
		Attrs: []collector.Attr{{Key: collector.AttrXid, Value: "79"}, {Key: collector.AttrNode, Value: "gpu-node-1"}}}},
}

const head = "[host.name=gpu-node-1 k8s.node.name=gpu-node-1 service.name=vedette-agent] vedette.dev/collector "

var (
	wantPoints = []string{
		head + "DCGM_FI_DEV_GPU_TEMP Cel Gauge [Hostname=gpu-node-1 gpu=0] 83 0 2000",
		head + "DCGM_FI_DEV_GPU_TEMP Cel Gauge [gpu=1] 84.5 0 2002",
		head + "node_vmstat_oom_kill {event} Sum Cumulative true [instance=gpu-node-1] 2 1000 2001",
		head + "not_in_the_catalog  Gauge [] 1 0 2003",
	}
	wantLogs = []string{head + "kernel 2000000000005 Str NVRM: Xid (PCI:0000:4e:00): 79 [k8s.node.name=gpu-node-1 nvidia.xid=79]"}
)

func check(t *testing.T, r *receiver, wantPoints, wantLogs []string) {
	t.Helper()
	points, logs := r.got()
	if diff := cmp.Diff(wantPoints, points); diff != "" {
		t.Errorf("points received (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantLogs, logs); diff != "" {
		t.Errorf("logs received (-want +got):\n%s", diff)
	}
}

func TestGRPC(t *testing.T) {
	r := &receiver{token: "s3cret,team-a"}
	address, _ := r.listen(t, "127.0.0.1:0")
	s := open(t, Config{Endpoint: address, Insecure: true, Token: "s3cret", Headers: map[string]string{"X-Scope-OrgID": "team-a"}})
	if err := s.Push(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	check(t, r, wantPoints, wantLogs)
}

func TestHTTP(t *testing.T) {
	r := &receiver{token: "s3cret"}
	config, ca := certificate(t)
	srv := httptest.NewUnstartedServer(r)
	srv.TLS = config
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	endpoint := strings.TrimPrefix(srv.URL, "https://") + "/otlp"
	s := open(t, Config{Endpoint: endpoint, Protocol: HTTP, Token: "s3cret", CAFile: ca})
	if err := s.Push(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	check(t, r, wantPoints, wantLogs)

	untrusting := open(t, Config{Endpoint: endpoint, Protocol: HTTP, Token: "s3cret"})
	if err := untrusting.Push(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the server's certificate: error %v", err)
	}
}

// A token in a file is read for every push.
func TestTokenFile(t *testing.T) {
	r := &receiver{token: "new"}
	address, _ := r.listen(t, "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	s := open(t, Config{Endpoint: address, Insecure: true, Token: "ignored", TokenFile: file})
	err := s.Push(t.Context(), batch)
	if err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "who are you?") {
		t.Errorf("with a refused token: error %v, want the endpoint and the refusal", err)
	}
	check(t, r, nil, nil)
	write("new")
	if err := s.Push(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	check(t, r, wantPoints, wantLogs)
	if want := []string{"Bearer old", "Bearer old", "Bearer new", "Bearer new"}; !slices.Equal(r.tokens, want) {
		t.Errorf("tokens seen %v, want %v", r.tokens, want)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := s.Push(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "read the token") {
		t.Errorf("without the file: error %v", err)
	}
}

func TestServerDown(t *testing.T) {
	r := &receiver{}
	address, stop := r.listen(t, "127.0.0.1:0")
	s := open(t, Config{Endpoint: address, Insecure: true})
	stop()
	if err := s.Push(t.Context(), batch); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("of a server that is down: error %v, want the endpoint", err)
	}
	r.listen(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := s.Push(ctx, batch)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the server is up again: %v", err)
		}
	}
	_, logs := r.got()
	if diff := cmp.Diff(wantLogs, logs); diff != "" {
		t.Errorf("logs received (-want +got):\n%s", diff)
	}
}

// Events that were accepted are not sent twice because the points were not.
func TestHalfAccepted(t *testing.T) {
	r := &receiver{fail: true}
	address, _ := r.listen(t, "127.0.0.1:0")
	s := open(t, Config{Endpoint: address, Insecure: true})
	if err := s.Push(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v, want the server's", err)
	}
	check(t, r, nil, wantLogs)
	r.set(func() { r.fail = false })
	if err := s.Push(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	check(t, r, wantPoints, nil)
	if err := s.Push(t.Context(), batch); err != nil { // a third time it is another event
		t.Fatal(err)
	}
	check(t, r, wantPoints, wantLogs)
}

// What a receiver refuses for good is an error once, and not sent again.
func TestPartialSuccess(t *testing.T) {
	r := &receiver{refuse: true}
	address, _ := r.listen(t, "127.0.0.1:0")
	s := open(t, Config{Endpoint: address, Insecure: true})
	if err := s.Push(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("error %v, want the server's", err)
	}
	r.got()
	if err := s.Push(t.Context(), batch); err != nil {
		t.Errorf("again: %v", err)
	}
	check(t, r, wantPoints, nil)
}

func TestLargeEvents(t *testing.T) {
	r := &receiver{}
	address, _ := r.listen(t, "127.0.0.1:0")
	s := open(t, Config{Endpoint: address, Insecure: true, Compression: "none"})
	var big collector.Batch
	for i := range 7 {
		big.Events = append(big.Events, collector.Event{Kind: collector.KubeObject, At: time.Unix(int64(i), 0), Text: string(bytes.Repeat([]byte("x"), 1<<20))})
	}
	if err := s.Push(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	if _, logs := r.got(); len(logs) != 7 || len(r.tokens) != 4 {
		t.Errorf("%d logs in %d requests, want 7 in 4", len(logs), len(r.tokens))
	}
}

func TestNewErrors(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		in   Config
		want string
	}{
		{"protocol", Config{Endpoint: "h:1", Protocol: "udp"}, `send to OTLP endpoint "h:1": protocol "udp" is neither grpc nor http`},
		{"compression", Config{Endpoint: "h:1", Compression: "zip"}, `compression "zip" is neither gzip nor none`},
		{"no CA", Config{Endpoint: "h:1", CAFile: "/does/not/exist"}, "read the certificates to trust: "},
		{"not PEM", Config{Endpoint: "h:1", Protocol: HTTP, CAFile: notPEM}, "holds no PEM certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestGRPCOverTLS(t *testing.T) {
	r := &receiver{token: "s3cret"}
	config, ca := certificate(t)
	address, _ := r.listen(t, "127.0.0.1:0", grpc.Creds(credentials.NewTLS(config)))
	c := Config{Endpoint: address, Token: "s3cret", CAFile: ca}
	if err := open(t, c).Push(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	check(t, r, wantPoints, wantLogs)
	c.CAFile = ""
	if err := open(t, c).Push(t.Context(), batch); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of an unknown authority: error %v", err)
	}
}

// A receiver that asks for a certificate takes from who shows one it trusts,
// over both protocols, and from nobody else.
func TestMutualTLS(t *testing.T) {
	config, ca := certificate(t)
	certFile, keyFile, authority := clientCertificate(t)
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, authority
	for _, protocol := range []Protocol{GRPC, HTTP} {
		r := &receiver{token: "s3cret"}
		var address string
		if protocol == GRPC {
			address, _ = r.listen(t, "127.0.0.1:0", grpc.Creds(credentials.NewTLS(config.Clone())))
		} else {
			srv := httptest.NewUnstartedServer(r)
			srv.TLS, srv.Config.ErrorLog = config.Clone(), log.New(io.Discard, "", 0)
			srv.StartTLS()
			defer srv.Close()
			address = strings.TrimPrefix(srv.URL, "https://") + "/otlp"
		}
		c := Config{Endpoint: address, Protocol: protocol, Token: "s3cret", CAFile: ca, CertFile: certFile, KeyFile: keyFile}
		if err := open(t, c).Push(t.Context(), batch); err != nil {
			t.Errorf("%s with the certificate: %v", protocol, err)
		}
		c.CertFile, c.KeyFile = "", ""
		if err := open(t, c).Push(t.Context(), batch); err == nil {
			t.Errorf("%s without one: the batch was taken", protocol)
		}
	}
	for _, c := range []Config{{Endpoint: "h:1", CertFile: certFile}, {Endpoint: "h:1", CertFile: ca, KeyFile: "/does/not/exist"}} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "certificate to show") {
			t.Errorf("a certificate without its key: %v", err)
		}
	}
}

// clientCertificate returns the files of a client's certificate and key, and
// who vouches for it.
func clientCertificate(t *testing.T) (certFile, keyFile string, authority *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gpu-01"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authority = x509.NewCertPool()
	authority.AddCert(cert)
	return certFile, keyFile, authority
}

// certificate returns the TLS of a server, and the file of who vouches for it.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: srv.TLS.Certificates}, ca
}

func TestPage(t *testing.T) {
	page := &Page{}
	get := func() string {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	if got := get(); got != "" {
		t.Errorf("before the first push: %q", got)
	}
	for range 2 {
		if err := page.Push(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	const want = `# HELP DCGM_FI_DEV_GPU_TEMP HELP
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{Hostname="gpu-node-1",gpu="0"} 83
DCGM_FI_DEV_GPU_TEMP{gpu="1"} 84.5
# HELP node_vmstat_oom_kill HELP
# TYPE node_vmstat_oom_kill counter
node_vmstat_oom_kill{instance="gpu-node-1"} 2
# HELP not_in_the_catalog HELP
# TYPE not_in_the_catalog gauge
not_in_the_catalog 1
`
	var lines []string
	for l := range strings.Lines(get()) {
		if h, ok := strings.CutPrefix(l, "# HELP "); ok {
			name, _, _ := strings.Cut(h, " ")
			l = "# HELP " + name + " HELP\n"
		}
		lines = append(lines, l)
	}
	if diff := cmp.Diff(want, strings.Join(lines, "")); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}
