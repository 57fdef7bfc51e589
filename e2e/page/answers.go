//go:build e2e

package page

import (
	"fmt"
	"math"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/backtest"
	"vedette.dev/nlq/answer"
)

const hotGroup = "gpu-temp-above-85"

const hotYAML = `name: gpu-temp-above-85
interval: 30s
rules:
  - alert: GPUTempAbove85
    expr: DCGM_FI_DEV_GPU_TEMP{namespace="prod"} > 85
    for: 5m
    labels:
      severity: warning
    annotations:
      summary: "{{ $labels.Hostname }} GPU {{ $labels.gpu }} is at {{ $value }} °C"
`

// week is a series of the last seven days with a value of f each step.
func week(name string, f func(hour float64) *float64) answer.ChartSeries {
	s := answer.ChartSeries{Name: name, Start: float64(now.AddDate(0, 0, -7).Unix()), Step: 600}
	for i := range 7 * 144 {
		s.Values = append(s.Values, f(float64(i)/6))
	}
	return s
}

func hotAlert() answer.Answer {
	var all []answer.ChartSeries
	for i, name := range []string{"gpu-13 GPU 0", "gpu-13 GPU 1", "gpu-14 GPU 2", "gpu-15 GPU 6"} {
		rnd := seeded(name)
		all = append(all, week(name, func(h float64) *float64 {
			if i == 2 && h > 60 && h < 70 {
				return nil
			}
			v := 66 + float64(2*i) + 7*math.Sin(h*2*math.Pi/24) + 1.5*rnd.NormFloat64()
			if i == 1 && (h > 40 && h < 43 || h > 112 && h < 114) || i == 3 && h > 137 && h < 141 {
				v = 87 + 2*rnd.Float64()
			}
			return ptr(math.Round(v*10) / 10)
		}))
	}
	from := now.AddDate(0, 0, -7)
	episode := func(hour, minutes int, node, gpu string, peak float64) backtest.Episode {
		start := from.Add(time.Duration(hour)*time.Hour + 5*time.Minute)
		return backtest.Episode{From: start, To: start.Add(time.Duration(minutes) * time.Minute), Labels: map[string]string{"Hostname": node, "gpu": gpu}, Peak: peak}
	}
	return answer.Answer{
		Kind: answer.KindAlert, Readback: "Fires when any GPU in the namespace prod stays above 85 °C for 5 minutes.", Confidence: 0.97,
		Assumed: []string{"severity warning", "prod is a namespace", "each GPU by itself"}, Expr: `DCGM_FI_DEV_GPU_TEMP{namespace="prod"} > 85`,
		Alert: &answer.AlertDraft{
			YAML: hotYAML,
			Problems: []answer.Problem{
				{Check: "limit", Severity: "warning", Text: "85 is 2 °C below where an A100 slows down by itself.", From: 39, To: 43},
				{Check: "similar", Severity: "info", Text: "team-a-gpu-hot watches the same metric."},
			},
			Backtest: &answer.Backtest{From: from, To: now, Step: 30, Summary: "Would have fired 3 times in 7 days, 8 h 31 min in all", Total: 3, FiringFor: 30660, Threshold: ptr(85), Series: all,
				Episodes: []backtest.Episode{episode(40, 172, "gpu-13", "1", 88.9), episode(112, 112, "gpu-13", "1", 88.7), episode(137, 227, "gpu-15", "6", 89)},
				Limits:   []answer.Limit{{Value: 88, Expr: `DCGM_FI_DEV_GPU_TEMP{namespace="prod"} > 88`, Episodes: 1, FiringFor: 240}, {Value: 90, Expr: `DCGM_FI_DEV_GPU_TEMP{namespace="prod"} > 90`}},
				Caveats:  []string{"gpu-14 has a gap of 10 hours."}},
		},
	}
}

func heldQuery() answer.Answer {
	r := &answer.QueryResult{At: now, Unit: "MiBy", Total: 6}
	for i := range 6 {
		r.Rows = append(r.Rows, answer.Row{Labels: map[string]string{"__name__": "DCGM_FI_DEV_FB_USED", "Hostname": "gpu-11", "gpu": fmt.Sprint(i), "namespace": "research", "pod": fmt.Sprintf("notebook-%d", i/3), "modelName": "NVIDIA H100 80GB HBM3"}, Value: ptr(62310 - 900*float64(i*i))})
	}
	r.Rows[5].Value = nil
	return answer.Answer{Kind: answer.KindQuery, Readback: "GPUs that use more than 1 GiB of memory while their utilisation is below 5 %, now.", Confidence: 0.62,
		Assumed: []string{"idle is below 5 %"}, Expr: `DCGM_FI_DEV_FB_USED > 1024 and DCGM_FI_DEV_GPU_UTIL < 5`, Query: r}
}

func averageQuery() answer.Answer {
	rnd := seeded("average")
	s := week("average", func(h float64) *float64 { return ptr(71 + 14*math.Sin(h*2*math.Pi/24) + 2*rnd.NormFloat64()) })
	return answer.Answer{Kind: answer.KindQuery, Readback: "The average GPU utilisation of the cluster over the last 7 days.", Confidence: 0.99, Expr: `avg(DCGM_FI_DEV_GPU_UTIL)`,
		Query: &answer.QueryResult{At: now, Unit: "%", Total: 1, Rows: []answer.Row{{Labels: map[string]string{}, Value: ptr(71.4)}}, Series: []answer.ChartSeries{s}}}
}

func changesAnswer() answer.Answer {
	return answer.Answer{Kind: answer.KindChanges, Readback: "what changed in the last 1 hour", Confidence: 0.9,
		Changes: &answer.ChangesResult{From: now.Add(-time.Hour), To: now, Total: 1,
			Rows: []answer.Change{{At: now.Add(-time.Minute), Subject: "deployment/ml/api", What: "spec.replicas was 2, is 3", Source: "history#7"}}}}
}

func silenceAnswer() answer.Answer {
	return answer.Answer{Kind: answer.KindSilence, Readback: "silence alerts called GPUHot on node gpu-13 for 2 hours", Confidence: 0.9,
		Silence: &answer.SilenceResult{
			Firing: []map[string]string{{"alertname": "GPUHot", "Hostname": "gpu-13", "gpu": "1"}}, Total: 1,
			Entry: action.Entry{ID: 41, State: action.Proposed, Proposed: now, Expires: now.Add(time.Hour), Action: action.Action{Kind: action.SilenceAlerts,
				Target: `{alertname="GPUHot",Hostname="gpu-13"}`, Params: map[string]string{"for": "2h"}, Reason: "asked: silence GPUHot on gpu-13 for 2 hours",
				Effect: "nobody is told of these alerts for 2 hours; they go on being evaluated and shown; of them fire now: GPUHot (1)"}},
			How: "Nothing is decided by words here: vedette actions approve 41, or the button on the page."}}
}

func costAnswer() answer.Answer {
	return answer.Answer{Kind: answer.KindCost, Readback: "cost of GPUs by workload in the last 7 days", Confidence: 0.9, Expr: `sum_over_time(count(DCGM_FI_DEV_FB_USED)[7d:5m])`,
		Caveats: []string{"the price of p5.48xlarge on demand is of 2026-07-20, 125 days ago: it may not be true any more"},
		Cost: &answer.CostResult{From: now.AddDate(0, 0, -7), To: now, By: "workload", Text: "All GPUs: $140,550.14 for 21504.0 GPU hours in the last 7 days, 183.5 of them held idle.",
			Rows: []answer.CostRow{{Name: "research/llama-pretrain", GPUHours: 10752, USD: 70275.07, Query: "q"}, {Name: "sandbox/notebook-mika", GPUHours: 168, USD: 1098.05, Idle: 168, Unpriced: 12}}}}
}

func whyAnswer() answer.Answer {
	focus := analyzer.Node("gpu-07")
	return answer.Answer{Kind: answer.KindWhy, Readback: "What is wrong with node gpu-07.", Confidence: 1, Why: &answer.WhyResult{Focus: &focus, Account: account, Incidents: []string{lostGPU.ID},
		Report: analyzer.Report{APIVersion: "vedette.dev/v1", Kind: "DiagnosisReport", CapturedAt: now, Focus: &focus, Verdict: analyzer.Diagnosed,
			Diagnoses: []analyzer.Diagnosis{*lostGPU.Diagnosis, {Cause: "node-memory-pressure", Subject: focus, Confidence: 0.41, Summary: "The node is short of memory.", Evidence: []analyzer.Evidence{{Source: "objects/nodes.json#gpu-07", Text: "MemoryPressure is Unknown."}}}},
			Rejected:  lostGPU.Rejected, Unseen: lostGPU.Unseen}}}
}

func whenAnswer() answer.Answer {
	start := now.AddDate(0, 0, -7)
	const step = 3600
	past := answer.ChartSeries{Name: "past", Start: float64(start.Unix()), Step: step}
	rnd := seeded("when")
	for i := range 168 {
		past.Values = append(past.Values, ptr(58000+70*float64(i)+1500*math.Sin(float64(i)*2*math.Pi/24)+300*rnd.NormFloat64()))
	}
	future := func(name string, width float64) answer.ChartSeries {
		s := answer.ChartSeries{Name: name, Start: float64(now.Unix()), Step: step}
		for i := range 96 {
			s.Values = append(s.Values, ptr(58000+70*float64(168+i)+1500*math.Sin(float64(i)*2*math.Pi/24)+width*math.Sqrt(float64(i))*320))
		}
		return s
	}
	return answer.Answer{Kind: answer.KindWhen, Readback: "When the GPU memory of gpu-03 reaches 95 %.", Assumed: []string{"full is 95 %"}, Confidence: 0.93, Expr: `max(DCGM_FI_DEV_FB_USED{Hostname="gpu-03"})`,
		When: &answer.WhenResult{Reached: true, At: now.Add(74 * time.Hour), Earliest: now.Add(49 * time.Hour), Horizon: now.Add(96 * time.Hour), Limit: 75000, Unit: "MiBy", Now: 70210,
			Text: "In about 3 days: on 25 November, and not before 24 November.", Held: "In 40 forecasts on the past, 83 % of what came lay within the band.",
			Series: []answer.ChartSeries{past, future("median", 0), future("low", -1), future("high", 1)}}}
}

func unclearAnswer() answer.Answer {
	return answer.Answer{Kind: answer.KindUnclear, Unclear: &answer.Unclear{Words: []string{"flurble", "vibes"}, Ask: "Which measurement do you mean?",
		Nearest: []string{"which GPUs are hotter than 80 °C", "what is wrong with gpu-07", "when will the GPU memory of gpu-03 be full"}}}
}

func anomaliesAnswer() answer.Answer {
	return answer.Answer{Kind: answer.KindAnomalies, Readback: "what is anomalous",
		Anomalies: &answer.AnomaliesResult{Entries: anomalies[:2], Total: 2, Over: 1, How: "Nothing is decided by words here: vedette anomalies dismiss ID --reason …, or the button on the page, says that one is no anomaly."}}
}
