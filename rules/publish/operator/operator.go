// Package operator publishes rules as PrometheusRule objects, which the
// Prometheus operator, and VictoriaMetrics' in their place, hand to their
// servers. Whether a server has taken one up is its operator's affair: what is
// read back here is the object.
package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/dynamic"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
)

// A Target is a namespace of a cluster.
type Target struct {
	API       dynamic.Interface
	Namespace string
	Labels    map[string]string // by which a Prometheus chooses its rules: release: kube-prometheus-stack
}

var _ publish.Target = (*Target)(nil)

const (
	managedBy = "app.kubernetes.io/managed-by"
	us        = "vedette"
	owner     = "vedette.dev/owner"
	asked     = "vedette.dev/asked"
	revision  = "vedette.dev/revision"
)

var resource = monitoringv1.SchemeGroupVersion.WithResource(monitoringv1.PrometheusRuleName)

func (t *Target) objects() dynamic.ResourceInterface {
	return t.API.Resource(resource).Namespace(t.Namespace)
}

// Standing reads the object called as the group.
func (t *Target) Standing(ctx context.Context, id rules.ID) (rules.Group, error) {
	o, err := t.object(ctx, id)
	if err != nil || o == nil {
		return rules.Group{ID: id}, err
	}
	return group(id, o)
}

// object returns nil where there is none. One that somebody else made is an error.
func (t *Target) object(ctx context.Context, id rules.ID) (*unstructured.Unstructured, error) {
	o, err := t.objects().Get(ctx, string(id), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if o.GetLabels()[managedBy] != us {
		return nil, fmt.Errorf("PrometheusRule %s/%s is not Vedette's: it lacks the label %s=%s", t.Namespace, id, managedBy, us)
	}
	return o, nil
}

// Put creates, updates or deletes the object, and reads it back.
func (t *Target) Put(ctx context.Context, g rules.Group) error {
	before, err := t.object(ctx, g.ID)
	if err != nil {
		return err
	}
	if before == nil && len(g.Rules) == 0 {
		return nil
	}
	if before != nil {
		if now, err := group(g.ID, before); err == nil && publish.Same(now, g) {
			return nil
		}
	}
	if err := t.change(ctx, g, before); err != nil {
		return err
	}
	now, err := t.Standing(ctx, g.ID)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !publish.Same(now, g) {
		return fmt.Errorf("PrometheusRule %s/%s is there and says something else", t.Namespace, g.ID)
	}
	return nil
}

func (t *Target) change(ctx context.Context, g rules.Group, before *unstructured.Unstructured) error {
	if len(g.Rules) == 0 {
		err := t.objects().Delete(ctx, string(g.ID), metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	o, err := t.written(g)
	if err != nil {
		return err
	}
	if before == nil {
		_, err = t.objects().Create(ctx, o, metav1.CreateOptions{FieldManager: us})
		return err
	}
	o.SetResourceVersion(before.GetResourceVersion()) // whoever changed it meanwhile wins, and is heard of
	_, err = t.objects().Update(ctx, o, metav1.UpdateOptions{FieldManager: us})
	return err
}

// written is g as an object.
func (t *Target) written(g rules.Group) (*unstructured.Unstructured, error) {
	if _, err := publish.YAML(g); err != nil { // it says what Prometheus would refuse
		return nil, err
	}
	rule := &monitoringv1.PrometheusRule{
		TypeMeta: metav1.TypeMeta{APIVersion: monitoringv1.SchemeGroupVersion.String(), Kind: monitoringv1.PrometheusRuleKind},
		ObjectMeta: metav1.ObjectMeta{Name: string(g.ID), Namespace: t.Namespace, Labels: maps.Clone(t.Labels),
			Annotations: map[string]string{owner: g.Owner, revision: fmt.Sprint(g.Revision)}},
		Spec: monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{{Name: string(g.ID)}}},
	}
	if rule.Labels == nil {
		rule.Labels = map[string]string{}
	}
	rule.Labels[managedBy] = us
	if g.Asked != "" {
		rule.Annotations[asked] = g.Asked
	}
	to := &rule.Spec.Groups[0]
	if g.Every > 0 {
		to.Interval = new(monitoringv1.Duration(model.Duration(g.Every).String()))
	}
	for _, r := range g.Rules {
		out := monitoringv1.Rule{Alert: r.Name, Expr: intstr.FromString(r.Expr), Labels: r.Labels, Annotations: r.Annotations}
		if r.For > 0 {
			out.For = new(monitoringv1.Duration(model.Duration(r.For).String()))
		}
		if r.KeepFiring > 0 {
			out.KeepFiringFor = new(monitoringv1.NonEmptyDuration(model.Duration(r.KeepFiring).String()))
		}
		to.Rules = append(to.Rules, out)
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(rule)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: m}, nil
}

// group reads the rules of an object: its spec is a rule file in JSON, which is YAML too.
func group(id rules.ID, o *unstructured.Unstructured) (rules.Group, error) {
	data, err := json.Marshal(o.Object["spec"])
	if err != nil {
		return rules.Group{}, err
	}
	gs, err := publish.Parse(data)
	if err != nil {
		return rules.Group{}, fmt.Errorf("PrometheusRule %s: %w", id, err)
	}
	if len(gs) != 1 {
		return rules.Group{}, fmt.Errorf("PrometheusRule %s holds %d groups, want one", id, len(gs))
	}
	return gs[0], nil
}
