package scale

import (
	"context"
	"strings"
	"testing"
	"time"

	"vedette.dev/analyzer/series"
)

func TestMeasureBoot(t *testing.T) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	cold := Start{Created: at(0), Node: at(200), Scheduled: at(240), Ready: at(500)}
	warm := Start{Created: at(0), Node: at(-9999), Scheduled: at(1), Ready: at(90)}
	many := func(n int, s Start) []Start {
		var out []Start
		for range n {
			out = append(out, s)
		}
		return out
	}
	for _, tt := range []struct {
		name     string
		starts   []Start
		want     time.Duration
		measured bool
		evidence string
	}{
		{"nothing is known", nil, 10 * time.Minute, false, "0 pods were seen starting, 3 are wanted"},
		{"those that waited for a node", append(many(3, cold), many(50, warm)...), 500 * time.Second, true,
			"95 % of 3 pods that waited for a new node were ready within 8m20s of being created; 4m0s of it until they had the node, 4m20s for image and model"},
		{"warm nodes alone", append(many(1, cold), many(30, warm)...), 90 * time.Second, true, "a launch may be missing"},
		{"broken for hours is no boot", []Start{{Created: at(0), Ready: at(7200)}, {Created: at(0), Ready: at(7200)}, {Created: at(0), Ready: at(7200)}}, 10 * time.Minute, false, "0 pods"},
		{"of unknown birth", many(9, Start{Ready: at(1)}), 10 * time.Minute, false, "0 pods"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := MeasureBoot(tt.starts)
			if b.Time != tt.want || b.Measured != tt.measured || !strings.Contains(b.Evidence, tt.evidence) {
				t.Errorf("boot is %+v, want %s, measured %t, %q", b, tt.want, tt.measured, tt.evidence)
			}
		})
	}
	if got := (Boot{Time: 500 * time.Second}).minutes(); got != 9 {
		t.Errorf("500 s are %d minutes, want 9", got)
	}
	if got := (Boot{Time: 10 * time.Minute}).minutes(); got != 10 {
		t.Errorf("10 m are %d minutes, want 10", got)
	}
}

// answers is a querier that knows what queries with a text in them come to.
type answers map[string][]series.Series

func (a answers) Query(_ context.Context, expr string, r series.Range) ([]series.Series, error) {
	for text, found := range a {
		if strings.Contains(expr, text) {
			return found, nil
		}
	}
	return nil, nil
}

func TestStartsAreRead(t *testing.T) {
	pod := func(values ...float64) series.Series {
		return series.Series{Labels: map[string]string{"namespace": "serving", "pod": "llm-0", "node": "n1"}, Values: values}
	}
	q := answers{
		`min by (namespace, pod) (kube_pod_created{pod=~"llm-.*"})`:               {pod(1000)},
		`min by (namespace, pod) (kube_pod_status_ready_time{pod=~"llm-.*"})`:     {pod(1500, 9000)}, // not ready for a while, and again
		`min by (namespace, pod) (kube_pod_status_scheduled_time{pod=~"llm-.*"})`: {pod(1240)},
		`min by (node) (kube_node_created)`:                                       {pod(1200)},
		`count by (namespace, pod, node) (kube_pod_info{pod=~"llm-.*"})`:          {pod(1)},
	}
	got, source, err := starts(t.Context(), q, `pod=~"llm-.*"`, start)
	if err != nil || len(got) != 1 {
		t.Fatalf("starts are %v, %v", got, err)
	}
	s := got[0]
	if s.Ready.Sub(s.Created) != 500*time.Second || s.Scheduled.Sub(s.Created) != 240*time.Second || !s.onNewNode() {
		t.Errorf("start is %+v", s)
	}
	if !strings.Contains(source, `kube_pod_status_ready_time{pod=~"llm-.*"}`) {
		t.Errorf("source is %q", source)
	}
}
