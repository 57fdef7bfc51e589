package kubelet

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const (
	// maxPage bounds a page: cAdvisor's of 250 pods of three containers each,
	// which is more than twice what a node runs by default, is some 25 MiB.
	maxPage = 32 << 20
	// maxReason bounds what is repeated of a refusal: the kubelet's says who may
	// not get what, in one line.
	maxReason = 300
	// maxConnections is one for each page that is read at a time.
	maxConnections = 4
)

var errTooLarge = fmt.Errorf("the page is larger than %d MiB", maxPage>>20)

// get asks for a page. Whoever closes it need not have read it.
func (a *API) get(ctx context.Context, path string) (io.ReadCloser, error) {
	a.once.Do(a.dial)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(a.Address, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	if a.TokenFile != "" {
		token, err := os.ReadFile(a.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	}
	resp, err := a.client.Do(req)
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // whoever is told knows the URL
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason))
		resp.Body.Close()
		return nil, errors.New(strings.Join(strings.Fields(resp.Status+" "+string(why)), " "))
	}
	return answer{io.LimitReader(resp.Body, maxPage), resp.Body}, nil
}

// dial makes the client. It follows nobody elsewhere with the token, uses no
// proxy on the way to its own node, and asks for no compression there.
func (a *API) dial() {
	a.client = &http.Client{
		Transport: &http.Transport{
			DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conf, err := a.tls(address)
				if err != nil {
					return nil, err
				}
				return (&tls.Dialer{Config: conf}).DialContext(ctx, network, address)
			},
			DisableCompression:  true,
			MaxIdleConnsPerHost: maxConnections,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// tls is how the kubelet at an address has to show who it is. Its certificate
// is for its node's name and addresses, and for none of the loopback's.
func (a *API) tls(address string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: a.SkipVerify}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c.ServerName = host
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		c.ServerName = a.Node
	}
	if a.SkipVerify || a.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificates: %s holds none", a.CAFile)
	}
	return c, nil
}

// An answer is a page that ends with an error where it is too large.
type answer struct {
	bounded io.Reader
	body    io.ReadCloser
}

func (a answer) Read(b []byte) (int, error) {
	n, err := a.bounded.Read(b)
	if err == io.EOF {
		if more, _ := io.ReadFull(a.body, make([]byte, 1)); more > 0 {
			return n, errTooLarge
		}
	}
	return n, err
}

func (a answer) Close() error { return a.body.Close() }
