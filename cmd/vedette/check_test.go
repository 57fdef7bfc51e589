package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExternalLabels(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		want   map[string]string
	}{
		"some":              {"global:\n  scrape_interval: 30s\n  external_labels:\n    cluster: eu-1\n", map[string]string{"cluster": "eu-1"}},
		"none":              {"global:\n  scrape_interval: 30s\n", map[string]string{}},
		"not a Prometheus'": {"target: all\n", nil},
		"no YAML":           {"\t", nil},
	} {
		if diff := cmp.Diff(c.want, externalLabels(c.config)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
