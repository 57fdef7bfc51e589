// Package files publishes rules as files that a Prometheus, a Thanos ruler or
// a vmalert elsewhere reads, and tells it to: a directory that both can see, a
// ConfigMap's volume aside, which nobody can write.
package files

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
)

// A Target is a directory and who reads it.
type Target struct {
	Dir    string // where the reader looks for *.yaml
	Reload string // URL that is posted to: http://prometheus:9090/-/reload; "" is none
	API    string // URL before /api/v1/rules, where it is asked what it evaluates; "" is not asked
	Client *http.Client
}

var _ publish.Target = (*Target)(nil)

const (
	// patience is how long a reader may take: Prometheus answers a reload when
	// it has read its files, vmalert before that.
	patience = 30 * time.Second
	again    = 200 * time.Millisecond
)

// Standing reads the file.
func (t *Target) Standing(_ context.Context, id rules.ID) (rules.Group, error) {
	data, err := os.ReadFile(t.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return rules.Group{ID: id}, nil
	}
	if err != nil {
		return rules.Group{}, err
	}
	gs, err := publish.Parse(data)
	if err != nil {
		return rules.Group{}, fmt.Errorf("%s: %w", t.path(id), err)
	}
	return gs[0], nil
}

// Put writes the file and has it read. Where that fails, what stood before
// stands again.
func (t *Target) Put(ctx context.Context, g rules.Group) error {
	before, err := t.Standing(ctx, g.ID)
	if err != nil {
		return err
	}
	if publish.Same(before, g) {
		return t.loaded(ctx, g)
	}
	if err := t.write(g); err != nil {
		return err
	}
	err = t.reload(ctx)
	if err == nil {
		err = t.loaded(ctx, g)
	}
	if err != nil {
		return errors.Join(err, t.write(before), t.reload(context.WithoutCancel(ctx)))
	}
	return nil
}

func (t *Target) path(id rules.ID) string { return filepath.Join(t.Dir, string(id)+".yaml") }

func (t *Target) write(g rules.Group) error {
	if len(g.Rules) == 0 {
		if err := os.Remove(t.path(g.ID)); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := publish.YAML(g)
	if err != nil {
		return err
	}
	return publish.WriteFile(t.path(g.ID), data)
}

func (t *Target) reload(ctx context.Context) error {
	if t.Reload == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Reload, nil)
	if err != nil {
		return err
	}
	resp, err := t.client().Do(req)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("reload %s: %s", t.Reload, resp.Status)
	}
	return nil
}

// loaded waits until the reader evaluates g.
func (t *Target) loaded(ctx context.Context, g rules.Group) error {
	if t.API == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := publish.Loaded(ctx, t.client(), strings.TrimSuffix(t.API, "/"), g)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(again):
		}
	}
}

func (t *Target) client() *http.Client {
	if t.Client == nil {
		return http.DefaultClient
	}
	return t.Client
}
