package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"time"

	"vedette.dev/analyzer/access"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/cost"
	"vedette.dev/analyzer/detect"
	"vedette.dev/collector/cluster"
	"vedette.dev/rules/strictyaml"
)

// A Config is what `vedette server --config` reads. The zero value of a field
// means the default that its comment gives.
type Config struct {
	APIVersion string `yaml:"apiVersion"` // vedette.dev/v1
	Kind       string `yaml:"kind"`       // ServerConfig

	Cluster struct {
		Name     string `yaml:"name"`     // "default"
		Provider string `yaml:"provider"` // eks, aks, gke, openshift; "" is not known
		Version  string `yaml:"version"`
	} `yaml:"cluster"`
	Listen struct {
		HTTP string `yaml:"http"` // page, API, OTLP over HTTP; 127.0.0.1:8790
		OTLP string `yaml:"otlp"` // OTLP over gRPC; 127.0.0.1:4317
	} `yaml:"listen"`
	Data      string              `yaml:"data"`      // directory; required
	Retention strictyaml.Duration `yaml:"retention"` // 15d
	Tokens    struct {
		Ingest string `yaml:"ingest"` // file with one token a line, for agents
		API    string `yaml:"api"`    // file with one token a line, for people and tools
	} `yaml:"tokens"`
	Alertmanagers []string            `yaml:"alertmanagers"` // URLs
	ExternalURL   string              `yaml:"externalURL"`   // where people reach the page; http://<listen.http>
	Evaluate      strictyaml.Duration `yaml:"evaluate"`      // interval of rules and diagnosis; 15s
	Kubernetes    struct {
		Kubeconfig string              `yaml:"kubeconfig"` // how to reach the API server; "" is the service account of the pod, where this is one
		Disabled   bool                `yaml:"disabled"`   // watch no API server
		Period     strictyaml.Duration `yaml:"period"`     // spacing of the kube_* series; 30s
		Labels     map[string][]string `yaml:"labels"`     // labels that become series kube_<kind>_labels, by resource: {pods: [app, team]}; of nodes and namespaces what a cost report goes by
	} `yaml:"kubernetes"`
	Anomalies struct {
		Rate      float64  `yaml:"rate"`      // alerts a day that a thousand series may raise by chance; 1
		Bands     []string `yaml:"bands"`     // watched metrics whose every series gets vedette_anomaly_expected_low and _high; else only those that are unusual do
		Explained []string `yaml:"explained"` // files of more metrics that another explains, in the form of analyzer/detect/explained.csv
	} `yaml:"anomalies"`
	Prometheus struct { // one that is there already: its series are read instead of watched and scraped for
		URL       string              `yaml:"url"`       // of anything with Prometheus' HTTP API; "" is none
		TokenFile string              `yaml:"tokenFile"` // bearer token
		CAFile    string              `yaml:"caFile"`    // who signs its certificate; "" is the system's
		Headers   map[string]string   `yaml:"headers"`   // such as X-Scope-OrgID
		Every     strictyaml.Duration `yaml:"every"`     // how often the detectors are told what is new there; 30s
	} `yaml:"prometheus"`
	Scrape struct {
		Disabled bool     `yaml:"disabled"` // read no metrics page that announces itself in the cluster
		Files    []string `yaml:"files"`    // more to read: Prometheus configuration files, of which scrape_configs are taken
	} `yaml:"scrape"`
	Publish struct { // where rules are published besides here; none unless set
		Runbooks string   `yaml:"runbooks"` // URL of what to do, by the alert's name: https://runbooks.example/{alert}; "" is none
		Files    struct { // a directory that a Prometheus, a Thanos ruler or a vmalert reads
			Dir    string `yaml:"dir"`    // "" is none
			Reload string `yaml:"reload"` // URL that makes it read them: http://prometheus:9090/-/reload
			API    string `yaml:"api"`    // URL where it is asked whether it has: http://prometheus:9090; "" is not asked
		} `yaml:"files"`
		Operator struct { // PrometheusRule objects in the cluster of kubernetes.kubeconfig
			Namespace string            `yaml:"namespace"` // "" is none
			Labels    map[string]string `yaml:"labels"`    // by which a Prometheus chooses its rules: {release: kube-prometheus-stack}
		} `yaml:"operator"`
		Ruler struct { // of Mimir or Cortex
			URL       string `yaml:"url"`       // of its configuration API: http://mimir/prometheus/config/v1/rules; "" is none
			Namespace string `yaml:"namespace"` // of the rule groups; vedette
			Tenant    string `yaml:"tenant"`    // X-Scope-OrgID; "" is none
			TokenFile string `yaml:"tokenFile"` // bearer token
		} `yaml:"ruler"`
		Amazon struct { // Managed Service for Prometheus
			Workspace string `yaml:"workspace"` // ws-…; "" is none
			Region    string `yaml:"region"`    // "" is the environment's
			Endpoint  string `yaml:"endpoint"`  // "" is AWS' own
		} `yaml:"amazon"`
	} `yaml:"publish"`
	Prices struct { // of GPUs and machines, for what they cost
		File     string   `yaml:"file"`     // prices of one's own: kind PriceBook; "" is list prices alone
		Regions  []string `yaml:"regions"`  // whose prices AWS is asked for, once a day: its list, Savings Plans, spot; none unless set
		Endpoint string   `yaml:"endpoint"` // of these APIs; "" is AWS' own
	} `yaml:"prices"`
	Scaling Scaling     `yaml:"scaling"` // pools whose size is to be known before it is needed; none unless set
	Model   Model       `yaml:"model"`   // a language model that reads what the grammar does not; none unless set
	Mode    action.Mode `yaml:"mode"`    // observe, recommend or approve: what touches nodes; observe
}

const (
	defaultHTTP = "127.0.0.1:8790"
	defaultOTLP = "127.0.0.1:4317"
)

// readConfig reads the file and fills in the defaults.
func readConfig(path string) (*Config, error) {
	c := new(Config)
	if err := strictyaml.DecodeFile(path, c); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	c.fill()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("read config: %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) fill() {
	if c.Cluster.Name == "" {
		c.Cluster.Name = "default"
	}
	if c.Listen.HTTP == "" {
		c.Listen.HTTP = defaultHTTP
	}
	if c.Listen.OTLP == "" {
		c.Listen.OTLP = defaultOTLP
	}
	if c.Retention == 0 {
		c.Retention = strictyaml.Duration(15 * 24 * time.Hour)
	}
	if c.Evaluate == 0 {
		c.Evaluate = strictyaml.Duration(15 * time.Second)
	}
	if c.Kubernetes.Period == 0 {
		c.Kubernetes.Period = strictyaml.Duration(cluster.DefaultPeriod)
	}
	if c.Kubernetes.Labels == nil {
		c.Kubernetes.Labels = map[string][]string{}
	}
	for kind, names := range cost.Labels() {
		if _, said := c.Kubernetes.Labels[kind]; !said {
			c.Kubernetes.Labels[kind] = names
		}
	}
	if c.Anomalies.Rate == 0 {
		c.Anomalies.Rate = detect.DefaultRate
	}
	if c.Prometheus.Every == 0 {
		c.Prometheus.Every = strictyaml.Duration(30 * time.Second)
	}
	if c.Publish.Ruler.Namespace == "" {
		c.Publish.Ruler.Namespace = "vedette"
	}
	c.Scaling.fill()
	c.Model.fill()
	if c.Mode == "" {
		c.Mode = action.Observe
	}
	if c.ExternalURL == "" {
		c.ExternalURL = "http://" + c.Listen.HTTP
	}
}

// check reports every mistake at once.
func (c *Config) check() error {
	var errs []error
	if c.APIVersion != "vedette.dev/v1" || c.Kind != "ServerConfig" {
		errs = append(errs, fmt.Errorf("apiVersion and kind are %q and %q, want vedette.dev/v1 and ServerConfig", c.APIVersion, c.Kind))
	}
	if c.Data == "" {
		errs = append(errs, errors.New("data: a directory is required"))
	}
	if !slices.Contains([]action.Mode{action.Observe, action.Recommend, action.Approve}, c.Mode) {
		errs = append(errs, fmt.Errorf("mode: %q is not observe, recommend or approve", c.Mode))
	}
	if u, err := url.Parse(c.ExternalURL); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("externalURL: %q is not a URL", c.ExternalURL))
	}
	if u, err := url.Parse(c.Prometheus.URL); c.Prometheus.URL != "" && (err != nil || u.Host == "") {
		errs = append(errs, fmt.Errorf("prometheus.url: %q is not a URL", c.Prometheus.URL))
	}
	for setting, at := range map[string]string{"files.reload": c.Publish.Files.Reload, "files.api": c.Publish.Files.API,
		"ruler.url": c.Publish.Ruler.URL, "amazon.endpoint": c.Publish.Amazon.Endpoint} {
		if u, err := url.Parse(at); at != "" && (err != nil || u.Host == "") {
			errs = append(errs, fmt.Errorf("publish.%s: %q is not a URL", setting, at))
		}
	}
	if !(c.Anomalies.Rate >= 0) || math.IsInf(c.Anomalies.Rate, 1) {
		errs = append(errs, fmt.Errorf("anomalies.rate: %g alerts a day is not a number of 0 or more", c.Anomalies.Rate))
	}
	errs = append(errs, c.Scaling.check(), c.Model.check())
	// The page's port takes OTLP over HTTP too, so it needs both.
	errs = append(errs, guarded("listen.http", c.Listen.HTTP, c.Tokens.API != "" && c.Tokens.Ingest != ""),
		guarded("listen.otlp", c.Listen.OTLP, c.Tokens.Ingest != ""))
	return errors.Join(errs...)
}

// guarded reports an address that others can reach while no token is asked for.
func guarded(what, addr string, tokens bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !tokens && !loopback(host) {
		return fmt.Errorf("%s: %s is reachable from elsewhere, and no token is asked for: set tokens, or listen on 127.0.0.1", what, addr)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// tokens reads a token file; no file lets everyone in.
func tokens(path string) (access.Tokens, error) {
	if path == "" {
		return access.Tokens{}, nil
	}
	return access.ReadFile(path)
}
