package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// TestWebConfig has the page behind TLS and a password, as a web config file of
// Prometheus' exporters puts it.
func TestWebConfig(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	srv := httptest.NewUnstartedServer(nil) // has a certificate for 127.0.0.1
	srv.StartTLS()
	srv.Close()
	key, err := x509.MarshalPKCS8PrivateKey(srv.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	put("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	put("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	hash, err := bcrypt.GenerateFromPassword([]byte("sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := put("web.yml", fmt.Sprintf("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  prometheus: %s\n", hash))

	proc, sys := nodeRoots(t)
	address := freeAddress(t)
	var errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"--listen", address, "--web-config-file", file, "--node", "n1", "--proc-root", proc, "--sys-root", sys,
			"--kmsg", "", "--dcgm", "off", "--period", "1h"}, io.Discard, &errs)
	}()
	client := srv.Client() // trusts the certificate
	get := func(url, user, password string) (int, string, error) {
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return res.StatusCode, string(text), err
	}
	for limit := time.After(30 * time.Second); ; { // until it has looked
		code, text, err := get("https://"+address+"/metrics", "prometheus", "sesame")
		if err == nil && code == http.StatusOK && strings.Contains(text, "node_load1") {
			break
		}
		select {
		case <-limit:
			t.Fatalf("status %d, error %v, page %q", code, err, text)
		case code := <-done:
			t.Fatalf("run = %d: %s", code, errs.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	for _, who := range [][2]string{{"", ""}, {"prometheus", "guess"}, {"root", "sesame"}} {
		if code, text, err := get("https://"+address+"/metrics", who[0], who[1]); err != nil || code != http.StatusUnauthorized || strings.Contains(text, "node_") {
			t.Errorf("%v: status %d, error %v, %q; want 401 and nothing", who, code, err, text)
		}
	}
	if code, _, err := get("http://"+address+"/metrics", "prometheus", "sesame"); err == nil && code == http.StatusOK {
		t.Error("without TLS it answers too")
	}
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("run = %d: %s", code, errs.String())
	}

	for _, text := range []string{"tls_server_config:\n  cert_file: gone.pem\n  key_file: key.pem\n", "passwords: yes\n"} {
		var errs bytes.Buffer
		code := run(t.Context(), []string{"--listen", freeAddress(t), "--web-config-file", put("bad.yml", text), "--node", "n1", "--kmsg", "", "--dcgm", "off"}, io.Discard, &errs)
		if code != exitError || !strings.Contains(errs.String(), "bad.yml") {
			t.Errorf("%q: run = %d, %q; want an error that names the file", text, code, errs.String())
		}
	}
}
