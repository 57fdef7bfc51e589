// Package amazon publishes rules to Amazon Managed Service for Prometheus: a
// rule groups namespace of a workspace for each group. A change takes effect
// when its status is ACTIVE; that is waited for.
package amazon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/amp"
	"github.com/aws/aws-sdk-go-v2/service/amp/types"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
)

// A Target is a workspace.
type Target struct {
	API       *amp.Client
	Workspace string        // ws-…
	Poll      time.Duration // how often a status is asked for; 0 is a second
}

var _ publish.Target = (*Target)(nil)

// Open finds credentials as every AWS program does: the environment, the
// profile, the role of the service account or of the instance. An endpoint
// other than AWS' own is for tests.
func Open(ctx context.Context, region, workspace, endpoint string) (*Target, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("Amazon Managed Prometheus: %w", err)
	}
	api := amp.NewFromConfig(cfg, func(o *amp.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	return &Target{API: api, Workspace: workspace}, nil
}

// patience is how long a namespace may take to become active: it takes AWS
// some seconds.
const patience = 2 * time.Minute

// Standing reads the namespace called as the group.
func (t *Target) Standing(ctx context.Context, id rules.ID) (rules.Group, error) {
	d, err := t.describe(ctx, id)
	if err != nil || d == nil {
		return rules.Group{ID: id}, err
	}
	return group(id, d)
}

// describe returns nil where there is no such namespace.
func (t *Target) describe(ctx context.Context, id rules.ID) (*types.RuleGroupsNamespaceDescription, error) {
	name := string(id)
	out, err := t.API.DescribeRuleGroupsNamespace(ctx, &amp.DescribeRuleGroupsNamespaceInput{WorkspaceId: &t.Workspace, Name: &name})
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe rule groups namespace %s: %w", id, err)
	}
	return out.RuleGroupsNamespace, nil
}

func group(id rules.ID, d *types.RuleGroupsNamespaceDescription) (rules.Group, error) {
	gs, err := publish.Parse(d.Data)
	if err != nil {
		return rules.Group{}, fmt.Errorf("rule groups namespace %s: %w", id, err)
	}
	if len(gs) != 1 {
		return rules.Group{}, fmt.Errorf("rule groups namespace %s holds %d groups, want one", id, len(gs))
	}
	return gs[0], nil
}

// Put creates, replaces or deletes the namespace, and waits until it is so.
func (t *Target) Put(ctx context.Context, g rules.Group) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before, err := t.describe(ctx, g.ID)
	if err != nil {
		return err
	}
	if before == nil && len(g.Rules) == 0 {
		return nil
	}
	if before != nil && before.Status.StatusCode == types.RuleGroupsNamespaceStatusCodeActive {
		if now, err := group(g.ID, before); err == nil && publish.Same(now, g) {
			return nil
		}
	}
	if err := t.change(ctx, g, before == nil); err != nil {
		return err
	}
	return t.settled(ctx, g)
}

func (t *Target) change(ctx context.Context, g rules.Group, isNew bool) error {
	name := string(g.ID)
	if len(g.Rules) == 0 {
		_, err := t.API.DeleteRuleGroupsNamespace(ctx, &amp.DeleteRuleGroupsNamespaceInput{WorkspaceId: &t.Workspace, Name: &name})
		var none *types.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil
		}
		return err
	}
	doc, err := publish.YAML(g)
	if err != nil {
		return err
	}
	if isNew {
		_, err = t.API.CreateRuleGroupsNamespace(ctx, &amp.CreateRuleGroupsNamespaceInput{WorkspaceId: &t.Workspace, Name: &name, Data: doc,
			Tags: map[string]string{"managed-by": "vedette"}})
	} else {
		_, err = t.API.PutRuleGroupsNamespace(ctx, &amp.PutRuleGroupsNamespaceInput{WorkspaceId: &t.Workspace, Name: &name, Data: doc})
	}
	return err
}

// settled waits until the namespace is what g says.
func (t *Target) settled(ctx context.Context, g rules.Group) error {
	poll := t.Poll
	if poll == 0 {
		poll = time.Second
	}
	for {
		d, err := t.describe(ctx, g.ID)
		switch {
		case err != nil:
			return err
		case d == nil:
			if len(g.Rules) == 0 {
				return nil
			}
			return fmt.Errorf("rule groups namespace %s is not there after it was made", g.ID)
		}
		reason := ""
		if d.Status.StatusReason != nil {
			reason = *d.Status.StatusReason
		}
		switch d.Status.StatusCode {
		case types.RuleGroupsNamespaceStatusCodeCreationFailed, types.RuleGroupsNamespaceStatusCodeUpdateFailed:
			return fmt.Errorf("rule groups namespace %s: %s: %s", g.ID, d.Status.StatusCode, reason)
		case types.RuleGroupsNamespaceStatusCodeActive:
			now, err := group(g.ID, d)
			if err != nil {
				return err
			}
			if diff := publish.Diff(g, now); len(diff) > 0 {
				return fmt.Errorf("rule groups namespace %s is active with other rules:\n%s", g.ID, strings.Join(diff, "\n"))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("rule groups namespace %s is still %s: %w", g.ID, d.Status.StatusCode, ctx.Err())
		case <-time.After(poll):
		}
	}
}
