package scale

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"vedette.dev/analyzer/series"
)

// Boot is how long a unit takes from being asked for to its first work: its
// node's launch, its image's pull and its model's load.
type Boot struct {
	Time     time.Duration `json:"time"`
	Measured bool          `json:"measured"`
	Evidence string        `json:"evidence"`         // in a sentence
	Source   string        `json:"source,omitempty"` // the PromQL it is read with
	at       time.Time     // when it was measured
}

const (
	// usualBoot is for a pool of which nothing is known: inference on GPUs is
	// reported to be 8 to 10 minutes from asking for a pod to its first answer,
	// with a new node and 10 to 20 GB of image before the model's weights.
	usualBoot = 10 * time.Minute

	// fewestStarts is from when on a measure is one: of two, the slower would be it.
	fewestStarts = 3

	// slowest is which of the starts counts: one in twenty may be late.
	slowest = 0.95

	// longestBoot bounds the horizon: what takes longer was not booting but
	// broken, and forecasts at five minutes are of no use beyond.
	longestBoot = time.Hour

	// started is how far back starts are looked for, and look how often in it:
	// a pod that was there for less is no unit of a pool that boots in minutes.
	started, glance = 7 * 24 * time.Hour, 10 * time.Minute
)

// A Start is one pod that came up.
type Start struct {
	Created   time.Time
	Scheduled time.Time
	Ready     time.Time
	Node      time.Time // when its node was created; zero where that is not known
}

// onNewNode reports whether the pod had to wait for its node to be made.
func (s Start) onNewNode() bool { return s.Node.After(s.Created) }

// MeasureBoot returns how long the slow ones among starts took. Where enough of
// them waited for a new node those alone count: the others found a warm one.
func MeasureBoot(starts []Start) Boot {
	var all, cold, launch, load []time.Duration
	for _, s := range starts {
		took := s.Ready.Sub(s.Created)
		if s.Created.IsZero() || took <= 0 || took > longestBoot {
			continue
		}
		all = append(all, took)
		if s.onNewNode() {
			cold = append(cold, took)
			launch = append(launch, s.Scheduled.Sub(s.Created))
			load = append(load, s.Ready.Sub(s.Scheduled))
		}
	}
	if len(cold) >= fewestStarts {
		return Boot{Time: late(cold), Measured: true, Evidence: fmt.Sprintf("95 %% of %d pods that waited for a new node were ready within %s of being created; %s of it until they had the node, %s for image and model",
			len(cold), seconds(late(cold)), seconds(late(launch)), seconds(late(load)))}
	}
	if len(all) >= fewestStarts {
		return Boot{Time: late(all), Measured: true, Evidence: fmt.Sprintf("95 %% of %d pods were ready within %s of being created; %d of them waited for a new node, which is too few to go by, so a launch may be missing from this",
			len(all), seconds(late(all)), len(cold))}
	}
	return Boot{Time: usualBoot, Evidence: fmt.Sprintf("%d pods were seen starting, %d are wanted: %s is what inference on a new GPU node usually takes", len(all), fewestStarts, seconds(usualBoot))}
}

func late(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[min(int(math.Ceil(slowest*float64(len(ds))))-1, len(ds)-1)]
}

func seconds(d time.Duration) time.Duration { return d.Round(time.Second) }

// minutes returns a boot time in whole minutes, rounded up: a unit that comes
// late is what the horizon is there to prevent.
func (b Boot) minutes() int {
	return int(min(b.Time, longestBoot).Minutes() + 1 - 1e-9)
}

// starts reads when the pods came up that a PromQL matcher selects, from
// kube-state-metrics' series.
func starts(ctx context.Context, q series.Querier, pods string, now time.Time) ([]Start, string, error) {
	in := series.Range{From: now.Add(-started), To: now, Step: glance}
	type key struct{ namespace, pod string }
	read := func(metric string) (map[key]time.Time, error) {
		found, err := q.Query(ctx, fmt.Sprintf("min by (namespace, pod) (%s{%s})", metric, pods), in)
		if err != nil {
			return nil, fmt.Errorf("measure the boot time: %w", err)
		}
		out := map[key]time.Time{}
		for _, s := range found {
			if v := lowest(s.Values); v > 0 { // the first: a pod may be ready again later
				out[key{s.Labels["namespace"], s.Labels["pod"]}] = time.Unix(int64(v), 0)
			}
		}
		return out, nil
	}
	source := fmt.Sprintf("kube_pod_status_ready_time{%s} - on (namespace, pod) kube_pod_created", pods)
	created, err := read("kube_pod_created")
	if err != nil {
		return nil, source, err
	}
	ready, err := read("kube_pod_status_ready_time")
	if err != nil {
		return nil, source, err
	}
	scheduled, err := read("kube_pod_status_scheduled_time")
	if err != nil {
		return nil, source, err
	}
	born := map[string]time.Time{}
	nodes, err := q.Query(ctx, "min by (node) (kube_node_created)", in)
	if err != nil {
		return nil, source, fmt.Errorf("measure the boot time: %w", err)
	}
	for _, s := range nodes {
		if v := lowest(s.Values); v > 0 {
			born[s.Labels["node"]] = time.Unix(int64(v), 0)
		}
	}
	on := map[key]time.Time{}
	places, err := q.Query(ctx, fmt.Sprintf("count by (namespace, pod, node) (kube_pod_info{%s})", pods), in)
	if err != nil {
		return nil, source, fmt.Errorf("measure the boot time: %w", err)
	}
	for _, s := range places {
		if at, known := born[s.Labels["node"]]; known {
			on[key{s.Labels["namespace"], s.Labels["pod"]}] = at
		}
	}
	var out []Start
	for k, at := range ready {
		out = append(out, Start{Created: created[k], Scheduled: scheduled[k], Ready: at, Node: on[k]})
	}
	return out, source, nil
}

// lowest returns the least value that is there, 0 where none is.
func lowest(vs []float64) float64 {
	least := 0.0
	for _, v := range vs {
		if v > 0 && (least == 0 || v < least) {
			least = v
		}
	}
	return least
}
