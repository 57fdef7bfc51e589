package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"vedette.dev/collector/kubelet"
)

// A kubeletConfig is how the kubelet is asked: over its PodResources socket
// and at its own port.
type kubeletConfig struct {
	Socket     string   `yaml:"socket"`
	Address    string   `yaml:"address"`
	TokenFile  string   `yaml:"tokenFile"`
	CAFile     string   `yaml:"caFile"`
	SkipVerify bool     `yaml:"insecureSkipVerify"`
	PodLabels  []string `yaml:"podLabels"`
}

func kubeletDefaults() kubeletConfig {
	return kubeletConfig{Socket: "auto", Address: "auto", TokenFile: kubelet.DefaultTokenFile, CAFile: kubelet.DefaultCAFile}
}

// check reports what cannot be.
func (c *kubeletConfig) check() error {
	if c.Socket != "auto" && c.Socket != "off" && !strings.HasPrefix(c.Socket, "/") {
		return usageError{fmt.Errorf("kubelet.socket is %q, want auto, off or its path", c.Socket)}
	}
	if c.Address != "auto" && c.Address != "off" {
		// The token is shown to nobody without TLS.
		if u, err := url.Parse(c.Address); err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return usageError{fmt.Errorf("kubelet.address is %q, want auto, off or https://host:port", c.Address)}
		}
	}
	if _, err := c.podLabels(); err != nil {
		return usageError{err}
	}
	return nil
}

func (c *kubeletConfig) podLabels() ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	for _, text := range c.PodLabels {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("kubelet.podLabels: %w", err)
		}
		all = append(all, re)
	}
	return all, nil
}

// socket returns where the kubelet is asked who holds a GPU, and whether it
// is: auto is where one has been. A machine outside a cluster has none, which
// is no trouble.
func (c *kubeletConfig) socket() (socket string, wanted bool) {
	switch c.Socket {
	case "off":
		return "", false
	case "auto":
		_, err := os.Stat(filepath.Dir(kubelet.DefaultSocket))
		return kubelet.DefaultSocket, err == nil
	}
	return c.Socket, true
}

const (
	// kubeletPort is the kubelet's own.
	kubeletPort = "10250"
	// maxKubeletPatience is enough for the pages of a large node; a Prometheus
	// would wait for twice as long.
	maxKubeletPatience = 5 * time.Second
)

// kubeletAPI returns what asks the kubelet's own port, and whether it is
// asked: auto is where there is a token to show, as in a pod, at the node's
// address ($NODE_IP) or at this machine's own. It is not waited for longer than
// half of the period, as DCGM is not: the rest has to be sent in it.
func (c *config) kubeletAPI() (api *kubelet.API, wanted bool) {
	k := &c.Kubelet
	address := k.Address
	switch address {
	case "off":
		return nil, false
	case "auto":
		if _, err := os.Stat(k.TokenFile); err != nil {
			return nil, false
		}
		host := os.Getenv("NODE_IP")
		if host == "" {
			host = "127.0.0.1"
		}
		address = "https://" + net.JoinHostPort(host, kubeletPort)
	}
	labels, _ := k.podLabels() // checked
	return &kubelet.API{Address: address, Node: c.Node, TokenFile: k.TokenFile, CAFile: k.CAFile, SkipVerify: k.SkipVerify, PodLabels: labels,
		Patience: min(time.Duration(c.Period)/2, maxKubeletPatience), Now: time.Now}, true
}
