package main

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/client-go/dynamic"

	"vedette.dev/collector/cluster"
	"vedette.dev/rules/publish"
	"vedette.dev/rules/publish/amazon"
	"vedette.dev/rules/publish/files"
	"vedette.dev/rules/publish/operator"
	"vedette.dev/rules/publish/ruler"
)

// targets returns where rules are published besides here, by the names that
// their settings have.
func (s *service) targets(ctx context.Context) (map[string]publish.Target, error) {
	to, out := s.cfg.Publish, map[string]publish.Target{}
	if to.Files.Dir != "" {
		out["files"] = &files.Target{Dir: to.Files.Dir, Reload: to.Files.Reload, API: to.Files.API}
	}
	if to.Ruler.URL != "" {
		header := http.Header{}
		if to.Ruler.Tenant != "" {
			header.Set("X-Scope-OrgID", to.Ruler.Tenant)
		}
		if to.Ruler.TokenFile != "" {
			token, err := readToken(to.Ruler.TokenFile)
			if err != nil {
				return nil, fmt.Errorf("publish.ruler: %w", err)
			}
			header.Set("Authorization", "Bearer "+token)
		}
		out["ruler"] = &ruler.Target{URL: to.Ruler.URL, Namespace: to.Ruler.Namespace, Header: header}
	}
	if to.Operator.Namespace != "" {
		api, err := cluster.Config(s.cfg.Kubernetes.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("publish.operator: %w", err)
		}
		objects, err := dynamic.NewForConfig(api)
		if err != nil {
			return nil, fmt.Errorf("publish.operator: %w", err)
		}
		out["operator"] = &operator.Target{API: objects, Namespace: to.Operator.Namespace, Labels: to.Operator.Labels}
	}
	if to.Amazon.Workspace != "" {
		target, err := amazon.Open(ctx, to.Amazon.Region, to.Amazon.Workspace, to.Amazon.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("publish.amazon: %w", err)
		}
		out["amazon"] = target
	}
	return out, nil
}
