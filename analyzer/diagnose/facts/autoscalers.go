package facts

import (
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// sizingGrace is how long an autoscaler may be without metrics: after a
// rollout it waits for those of the new pods, which takes minutes.
const sizingGrace = 10 * time.Minute

// aboveTarget is from what share of its target a metric counts as too high:
// the autoscaler's own tolerance.
const aboveTarget = 1.1

type hpa = snapshot.Typed[autoscalingv2.HorizontalPodAutoscaler]

// scaled returns what the autoscaler sizes.
func scaled(h hpa) analyzer.Subject {
	return analyzer.Subject{Kind: strings.ToLower(h.Object.Spec.ScaleTargetRef.Kind), Namespace: h.Object.Namespace, Name: h.Object.Spec.ScaleTargetRef.Name}
}

// readAutoscalers records autoscalers that cannot size their workload, or may not.
func (w *World) readAutoscalers() {
	for _, h := range w.s.Autoscalers() {
		top := scaled(h)
		self := analyzer.Subject{Kind: "horizontalpodautoscaler", Namespace: h.Object.Namespace, Name: h.Object.Name}
		for _, c := range h.Object.Status.Conditions {
			f := Fact{Fact: analyzer.Fact{Subject: top, At: c.LastTransitionTime.Time, Standing: true, Source: h.Source, Text: fmt.Sprintf("its autoscaler says %s: %s", c.Reason, c.Message)},
				Kind: ObjectKind, Weight: 1, Seen: []analyzer.Subject{self}}
			switch {
			case c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionFalse && c.Reason != "ScalingDisabled" && w.now.Sub(c.LastTransitionTime.Time) >= sizingGrace:
				f.Name = "hpa-blind"
				w.add(f)
			case c.Type == autoscalingv2.ScalingLimited && c.Status == corev1.ConditionTrue && c.Reason == "TooManyReplicas" && (w.wantsMore(h.Object) || w.now.Sub(c.LastTransitionTime.Time) >= sizingGrace && !measures(h.Object)):
				f.Name = "hpa-at-limit"
				f.Text += fmt.Sprintf(" (%d of at most %d replicas)", h.Object.Status.CurrentReplicas, h.Object.Spec.MaxReplicas)
				w.add(f)
			}
		}
	}
}

func measures(h autoscalingv2.HorizontalPodAutoscaler) bool { return len(h.Status.CurrentMetrics) > 0 }

// wantsMore reports whether a metric of the autoscaler is above its target.
func (w *World) wantsMore(h autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, m := range h.Spec.Metrics {
		for _, s := range h.Status.CurrentMetrics {
			if m.Type != s.Type {
				continue
			}
			switch {
			case m.Resource != nil && s.Resource != nil && m.Resource.Name == s.Resource.Name && over(m.Resource.Target, s.Resource.Current),
				m.ContainerResource != nil && s.ContainerResource != nil && m.ContainerResource.Name == s.ContainerResource.Name && over(m.ContainerResource.Target, s.ContainerResource.Current),
				m.Pods != nil && s.Pods != nil && m.Pods.Metric.Name == s.Pods.Metric.Name && over(m.Pods.Target, s.Pods.Current),
				m.Object != nil && s.Object != nil && m.Object.Metric.Name == s.Object.Metric.Name && over(m.Object.Target, s.Object.Current),
				m.External != nil && s.External != nil && m.External.Metric.Name == s.External.Metric.Name && over(m.External.Target, s.External.Current):
				return true
			}
		}
	}
	return false
}

func over(target autoscalingv2.MetricTarget, is autoscalingv2.MetricValueStatus) bool {
	switch {
	case target.AverageUtilization != nil && is.AverageUtilization != nil:
		return float64(*is.AverageUtilization) > aboveTarget*float64(*target.AverageUtilization)
	case target.AverageValue != nil && is.AverageValue != nil:
		return is.AverageValue.AsApproximateFloat64() > aboveTarget*target.AverageValue.AsApproximateFloat64()
	case target.Value != nil && is.Value != nil:
		return is.Value.AsApproximateFloat64() > aboveTarget*target.Value.AsApproximateFloat64()
	}
	return false
}
