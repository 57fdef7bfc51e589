package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/detect"
)

// watches returns what the detectors look at: what comes with the program, and
// what the configuration has explained besides. Its word on a metric is the last.
func (c *Config) watches() ([]detect.Watch, error) {
	ws := slices.Clone(detect.Builtin())
	for _, path := range c.Anomalies.Explained {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read what explains metrics: %w", err)
		}
		more, err := detect.ParseExplained(path, f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("read what explains metrics: %w", err)
		}
		for _, w := range more {
			ws = slices.DeleteFunc(ws, func(old detect.Watch) bool { return old.Given != "" && old.Metric == w.Metric })
			ws = append(ws, w)
		}
	}
	for _, name := range c.Anomalies.Bands {
		if !slices.ContainsFunc(ws, func(w detect.Watch) bool { return w.Given == "" && string(w.Metric) == name }) {
			return nil, fmt.Errorf("anomalies.bands: %s is not watched", name)
		}
	}
	return ws, nil
}

// observed says what the detectors raise, beside the rate they are asked for, and
// what people's marks do to that.
func observed(b *detect.Bank, j *anomaly.Journal) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "vedette_anomaly_alerts_total", Help: "Deviations that the detectors have told of."},
			func() float64 { alerts, _ := b.Observed(); return float64(alerts) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "vedette_anomaly_series_days_total", Help: "Days of series that the detectors have watched."},
			func() float64 { _, days := b.Observed(); return days }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "vedette_anomaly_hushed_total", Help: "Deviations that were not told because somebody marked them as no anomaly."},
			func() float64 { return float64(b.Hushed()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vedette_anomaly_marks", Help: "Marks of people that stand: this is no anomaly."},
			func() float64 {
				n, err := j.Standing(context.Background(), time.Now())
				if err != nil {
					return math.NaN()
				}
				return float64(n)
			}),
	}
}
