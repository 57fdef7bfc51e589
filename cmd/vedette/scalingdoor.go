package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// A scalingDoor is where an autoscaler asks, which sends no token: it shows a
// certificate, or anyone may ask.
type scalingDoor struct {
	Listen       string `yaml:"listen"`       // 127.0.0.1:8791, say; "" is none
	CertFile     string `yaml:"certFile"`     // its certificate
	KeyFile      string `yaml:"keyFile"`      // of the certificate
	ClientCAFile string `yaml:"clientCAFile"` // who signs the certificates of those who may ask; "" asks for none
	Insecure     bool   `yaml:"insecure"`     // let anyone who reaches it ask
}

func (d scalingDoor) check(where string) error {
	if d.Listen == "" {
		return nil
	}
	if (d.CertFile == "") != (d.KeyFile == "") || d.ClientCAFile != "" && d.CertFile == "" {
		return fmt.Errorf("%s: certFile and keyFile go together, and clientCAFile needs both", where)
	}
	host, _, err := net.SplitHostPort(d.Listen)
	if err != nil {
		return fmt.Errorf("%s.listen: %w", where, err)
	}
	if !loopback(host) && !d.Insecure && d.ClientCAFile == "" {
		return fmt.Errorf("%s.listen: %s is reachable from elsewhere, and an autoscaler sends no token: set clientCAFile, or insecure where everyone may know", where, d.Listen)
	}
	return nil
}

// tls reads the files of a door.
func (d scalingDoor) tls() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(d.CertFile, d.KeyFile)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if d.ClientCAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(d.ClientCAFile)
	if err != nil {
		return nil, err
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New(d.ClientCAFile + " holds no certificate")
	}
	return c, nil
}
