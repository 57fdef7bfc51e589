package cluster

import (
	"bytes"
	_ "embed"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/dns"  // a way to find targets
	_ "github.com/prometheus/prometheus/discovery/file" // and another
	_ "github.com/prometheus/prometheus/discovery/http"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/model/relabel"

	"vedette.dev/rules/strictcsv"
)

var (
	//go:embed scrape.yaml
	scrapeYAML string
	//go:embed servers.csv
	serversCSV []byte
)

// annotated returns the configuration of what is announced by annotations or
// known by its image.
func annotated(log *slog.Logger) (*config.Config, error) {
	cfg, err := config.Load(scrapeYAML, log)
	if err != nil {
		return nil, fmt.Errorf("scrape.yaml: %w", err)
	}
	like := cfg.ScrapeConfigs[0]
	err = strictcsv.Each("servers.csv", bytes.NewReader(serversCSV), "name,image,port,path,source", func(f []string) error {
		c, err := byImage(like, f[0], f[1], f[2], f[3])
		if err == nil {
			cfg.ScrapeConfigs = append(cfg.ScrapeConfigs, c)
		}
		return err
	})
	return cfg, err
}

// byImage returns the job of one row of servers.csv, otherwise like another job of pods.
func byImage(like *config.ScrapeConfig, name, image, port, path string) (*config.ScrapeConfig, error) {
	c := *like
	c.JobName, c.MetricsPath = name, path
	c.RelabelConfigs = nil
	for _, r := range []struct {
		action relabel.Action
		from   []string
		regex  string
		with   string
		to     string
	}{
		{relabel.Keep, []string{"__meta_kubernetes_pod_container_image"}, image, "", ""},
		{relabel.Keep, []string{"__meta_kubernetes_pod_phase"}, "Running", "", ""},
		{relabel.Drop, []string{"__meta_kubernetes_pod_annotationpresent_prometheus_io_scrape"}, "true", "", ""},
		// A container is a target for each of its ports, or one without; all become this one.
		{relabel.Replace, []string{"__meta_kubernetes_pod_ip"}, "([^:]+)", "$1:" + port, "__address__"},
		{relabel.Replace, []string{"__meta_kubernetes_pod_ip"}, "(.*:.*)", "[$1]:" + port, "__address__"},
		{relabel.Replace, []string{"__meta_kubernetes_namespace"}, "(.+)", "$1", "namespace"},
		{relabel.Replace, []string{"__meta_kubernetes_pod_name"}, "(.+)", "$1", "pod"},
		{relabel.Replace, []string{"__meta_kubernetes_pod_container_name"}, "(.+)", "$1", "container"},
		{relabel.Replace, []string{"__meta_kubernetes_pod_node_name"}, "(.+)", "$1", "node"},
	} {
		re, err := relabel.NewRegexp(r.regex)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rc := relabel.DefaultRelabelConfig
		rc.Action, rc.Regex, rc.Replacement, rc.TargetLabel, rc.NameValidationScheme = r.action, re, r.with, r.to, model.UTF8Validation
		for _, l := range r.from {
			rc.SourceLabels = append(rc.SourceLabels, model.LabelName(l))
		}
		c.RelabelConfigs = append(c.RelabelConfigs, &rc)
	}
	// What exporters of a node say of its pods is truer than which pod said it.
	c.HonorLabels = strings.HasSuffix(name, "-exporter")
	return &c, nil
}

// reach makes every discovery of Kubernetes objects go by kubeconfig; where
// that is empty it goes by the pod's service account.
func reach(jobs []*config.ScrapeConfig, kubeconfig string) map[string]discovery.Configs {
	out := map[string]discovery.Configs{}
	for _, j := range jobs {
		var ds discovery.Configs
		for _, d := range j.ServiceDiscoveryConfigs {
			if k, ok := d.(*kubernetes.SDConfig); ok && kubeconfig != "" {
				own := *k
				own.KubeConfig = kubeconfig
				d = &own
			}
			ds = append(ds, d)
		}
		out[j.JobName] = ds
	}
	return out
}
