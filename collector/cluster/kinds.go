package cluster

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"vedette.dev/rules/strictcsv"
)

//go:embed kinds.csv
var kindsCSV []byte

// A kind is a row of kinds.csv.
type kind struct {
	resource string // "pods", "deployments.apps": a file in a snapshot
	series   bool   // kube-state-metrics has series of it
}

// events is the one resource whose objects are told as what happened, not as
// revisions, and do not end: the API server forgets them after an hour.
const events = "events"

func readKinds() ([]kind, error) {
	var ks []kind
	err := strictcsv.Each("kinds.csv", bytes.NewReader(kindsCSV), "resource,series,shows,source", func(f []string) error {
		if f[1] != "yes" && f[1] != "no" {
			return fmt.Errorf("series is %q, neither yes nor no", f[1])
		}
		ks = append(ks, kind{f[0], f[1] == "yes"})
		return nil
	})
	return ks, err
}

// short is the resource without its group, as kube-state-metrics calls it.
func (k kind) short() string {
	name, _, _ := strings.Cut(k.resource, ".")
	return name
}

// A resource is what an API server serves under one name.
type resource struct {
	schema.GroupVersionResource
	namespaced bool
}

// serves returns what the API server serves that can be listed and watched, in
// the version it prefers, by resource. Groups whose server is away are left
// out and told in the error.
func serves(menu discovery.ServerResourcesInterface) (map[string]resource, error) {
	lists, err := menu.ServerPreferredResources()
	served := map[string]resource{}
	for _, l := range lists {
		gv, parseErr := schema.ParseGroupVersion(l.GroupVersion)
		if parseErr != nil {
			err = errors.Join(err, parseErr)
			continue
		}
		for _, r := range l.APIResources {
			if !strings.Contains(strings.Join(r.Verbs, " ")+" ", "watch ") {
				continue
			}
			at := gv
			if r.Group != "" {
				at.Group = r.Group
			}
			if r.Version != "" {
				at.Version = r.Version
			}
			gvr := at.WithResource(r.Name)
			served[gvr.GroupResource().String()] = resource{gvr, r.Namespaced}
		}
	}
	return served, err
}
