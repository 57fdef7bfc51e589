package answer

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer/series"
)

const (
	// maxLines is how many series a person can tell apart in one chart.
	maxLines = 12
	// maxPoints is about one for each pixel of a chart.
	maxPoints = 720
)

// chartStep returns a round step at which d has at most maxPoints.
func chartStep(d time.Duration) time.Duration {
	for _, step := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute} {
		if d/step <= maxPoints {
			return step
		}
	}
	return (d / maxPoints).Round(time.Hour) + time.Hour
}

// chart writes series for the wire, each named by the labels that tell it from
// the others.
func chart(ss []series.Series) []ChartSeries {
	out := make([]ChartSeries, 0, len(ss))
	varying := varyingLabels(ss)
	for _, s := range ss {
		out = append(out, line(nameOf(s, varying), s.Start, s.Step, s.Values))
	}
	return out
}

// line writes one series for the wire.
func line(name string, start time.Time, step time.Duration, values []float64) ChartSeries {
	c := ChartSeries{Name: name, Start: float64(start.UnixMilli()) / 1000, Step: step.Seconds(), Values: make([]*float64, len(values))}
	for i, v := range values {
		c.Values[i] = number(v)
	}
	return c
}

// number is v for the wire: null where it is no number.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// told are the labels that name a series to a person, in that order. What they
// do not tell apart, all of its labels do.
var told = []string{"Hostname", "instance", "node", "gpu", "device", "mountpoint", "namespace", "pod", "container", "deployment", "model_name"}

func varyingLabels(ss []series.Series) []string {
	values := map[string]map[string]bool{}
	for _, s := range ss {
		for k, v := range s.Labels {
			if values[k] == nil {
				values[k] = map[string]bool{}
			}
			values[k][v] = true
		}
	}
	var out []string
	for _, k := range told {
		if len(values[k]) > 1 {
			out = append(out, k)
		}
	}
	if slices.Contains(out, "gpu") { // of a GPU, device says the same
		out = slices.DeleteFunc(out, func(l string) bool { return l == "device" })
	}
	distinct := map[string]bool{}
	for _, s := range ss {
		distinct[nameOf(s, out)] = true
	}
	if len(distinct) == len(ss) && len(out) > 0 {
		return out
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(k string) bool { return k == "__name__" || len(values[k]) < 2 })
}

func nameOf(s series.Series, labels []string) string {
	var parts []string
	for _, k := range labels {
		switch v := s.Labels[k]; {
		case v == "":
		case k == "gpu":
			parts = append(parts, "GPU "+v)
		default:
			parts = append(parts, v)
		}
	}
	if len(parts) == 0 {
		return s.String()
	}
	return strings.Join(parts, " ")
}
