// Package ruler publishes rules to the configuration API of a ruler: Grafana
// Mimir's and Cortex', which keep rule groups in namespaces of a tenant.
// Thanos' ruler and vmalert have none: they read files, see package files.
//
// https://grafana.com/docs/mimir/latest/references/http-api/#set-rule-group
package ruler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
)

// A Target is a namespace of a ruler.
type Target struct {
	URL       string      // of the configuration API: http://mimir/prometheus/config/v1/rules, http://cortex/api/v1/rules
	Namespace string      // of the rule groups
	Header    http.Header // X-Scope-OrgID, Authorization
	Client    *http.Client
}

var _ publish.Target = (*Target)(nil)

var errNotThere = errors.New("not there")

// Standing asks for the group.
func (t *Target) Standing(ctx context.Context, id rules.ID) (rules.Group, error) {
	data, err := t.call(ctx, http.MethodGet, string(id), nil)
	if errors.Is(err, errNotThere) {
		return rules.Group{ID: id}, nil
	}
	if err != nil {
		return rules.Group{}, err
	}
	g, err := publish.ParseGroup(data)
	if err != nil {
		return rules.Group{}, fmt.Errorf("read rule group %s: %w", id, err)
	}
	return g, nil
}

// Put sets the group, or deletes it, and reads it back.
func (t *Target) Put(ctx context.Context, g rules.Group) error {
	before, err := t.Standing(ctx, g.ID)
	if err != nil || publish.Same(before, g) {
		return err
	}
	if len(g.Rules) == 0 {
		_, err = t.call(ctx, http.MethodDelete, string(g.ID), nil)
	} else {
		var doc []byte
		if doc, err = publish.GroupYAML(g); err == nil {
			_, err = t.call(ctx, http.MethodPost, "", doc)
		}
	}
	if err != nil && !errors.Is(err, errNotThere) {
		return err
	}
	now, err := t.Standing(ctx, g.ID)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if diff := publish.Diff(g, now); len(diff) > 0 {
		return fmt.Errorf("the ruler took rule group %s and has another:\n%s", g.ID, strings.Join(diff, "\n"))
	}
	return nil
}

// call makes one request about a group of the namespace, or about all.
func (t *Target) call(ctx context.Context, method, group string, body []byte) ([]byte, error) {
	where, err := url.JoinPath(t.URL, url.PathEscape(t.Namespace), url.PathEscape(group))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(where, "/"), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, vs := range t.Header {
		req.Header[k] = vs
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/yaml")
	}
	client := t.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	const most = 1 << 20 // of one rule group
	data, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s %s: %w", method, where, errNotThere)
	case resp.StatusCode/100 != 2:
		return nil, fmt.Errorf("%s %s: %s: %s", method, where, resp.Status, bytes.TrimSpace(data))
	}
	return data, nil
}
