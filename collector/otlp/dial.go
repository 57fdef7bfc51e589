package otlp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
)

// The exporters do not retry by themselves: the agent does, with newer points.

func (s *Sink) dialGRPC(c Config) error {
	tc := insecure.NewCredentials()
	if !c.Insecure {
		t, err := c.tls()
		if err != nil {
			return err
		}
		tc = credentials.NewTLS(t)
	}
	opts := []grpc.DialOption{grpc.WithTransportCredentials(tc), grpc.WithPerRPCCredentials(bearer{c})}
	if c.Compression != "none" {
		opts = append(opts, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	conn, err := grpc.NewClient(c.Endpoint, opts...)
	if err != nil {
		return err
	}
	s.redial, s.close = conn.ResetConnectBackoff, conn.Close

	ctx := context.Background()
	s.metrics, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithHeaders(c.Headers),
		otlpmetricgrpc.WithTimeout(c.Timeout), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	s.logs, err = otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithHeaders(c.Headers),
		otlploggrpc.WithTimeout(c.Timeout), otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return nil
}

func (s *Sink) dialHTTP(c Config) error {
	host, prefix, _ := strings.Cut(c.Endpoint, "/")
	prefix = "/" + strings.Trim(prefix, "/")
	if prefix != "/" {
		prefix += "/"
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	metrics := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpoint(host), otlpmetrichttp.WithURLPath(prefix + "v1/metrics"),
		otlpmetrichttp.WithHeaders(c.Headers), otlpmetrichttp.WithTimeout(c.Timeout), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{})}
	logs := []otlploghttp.Option{otlploghttp.WithEndpoint(host), otlploghttp.WithURLPath(prefix + "v1/logs"),
		otlploghttp.WithHeaders(c.Headers), otlploghttp.WithTimeout(c.Timeout), otlploghttp.WithRetry(otlploghttp.RetryConfig{})}
	if c.Insecure {
		metrics, logs = append(metrics, otlpmetrichttp.WithInsecure()), append(logs, otlploghttp.WithInsecure())
	} else {
		t, err := c.tls()
		if err != nil {
			return err
		}
		transport.TLSClientConfig = t
	}
	if c.Compression != "none" {
		metrics = append(metrics, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
		logs = append(logs, otlploghttp.WithCompression(otlploghttp.GzipCompression))
	}
	client := &http.Client{Transport: withBearer{bearer{c}, transport}, Timeout: c.Timeout}

	ctx := context.Background()
	var err error
	if s.metrics, err = otlpmetrichttp.New(ctx, append(metrics, otlpmetrichttp.WithHTTPClient(client))...); err != nil {
		return err
	}
	if s.logs, err = otlploghttp.New(ctx, append(logs, otlploghttp.WithHTTPClient(client))...); err != nil {
		return err
	}
	s.redial = func() {}
	s.close = func() error { transport.CloseIdleConnections(); return nil }
	return nil
}

func (c Config) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("a certificate to show and its key go together")
	}
	if c.CertFile != "" {
		show := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read the certificate to show: %w", err)
			}
			return &pair, nil
		}
		if _, err := show(nil); err != nil {
			return nil, err
		}
		t.GetClientCertificate = show
	}
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", c.CAFile)
	}
	return t, nil
}

// A bearer is the token of a configuration, read anew for every request where
// it is in a file: Kubernetes replaces those.
type bearer struct{ c Config }

var _ credentials.PerRPCCredentials = bearer{}

// GetRequestMetadata implements [credentials.PerRPCCredentials].
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := b.token()
	if err != nil || token == "" {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials].
func (b bearer) RequireTransportSecurity() bool { return !b.c.Insecure }

func (b bearer) token() (string, error) {
	if b.c.TokenFile == "" {
		return b.c.Token, nil
	}
	text, err := os.ReadFile(b.c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// withBearer adds the token to HTTP requests.
type withBearer struct {
	bearer
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (w withBearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := w.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.next.RoundTrip(r)
}
