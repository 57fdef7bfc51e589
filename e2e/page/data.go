//go:build e2e

package page

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/api"
)

// now is when all of it happens.
var now = time.Date(2026, 11, 22, 9, 42, 10, 0, time.UTC)

func at(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 22, hour, minute, second, 0, time.UTC)
}

func ptr(v float64) *float64 { return &v }

func seeded(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 7))
}

// wander is n values of a metric that go up and down as such a metric does.
func wander(metric string, n int) []float64 {
	level := map[string]float64{"DCGM_FI_DEV_GPU_UTIL": 84, "DCGM_FI_DEV_GPU_TEMP": 67, "DCGM_FI_DEV_POWER_USAGE": 540, "DCGM_FI_DEV_FB_USED": 61200}[metric]
	rnd, out, drift := seeded(metric), make([]float64, n), 0.0
	for i := range out {
		drift = 0.9*drift + 0.02*rnd.NormFloat64()
		out[i] = max(0, level*(1+drift+0.05*math.Sin(float64(i)/17)))
		if metric == "DCGM_FI_DEV_GPU_UTIL" {
			out[i] = min(100, out[i])
		}
	}
	return out
}

func status(nodes int) api.Status {
	s := api.Status{Version: "0.1.0", Cluster: "demo-eu-1", Now: now, Started: now.Add(-26 * time.Minute), Mode: "approve", Simulated: true}
	if nodes == 0 {
		s.Simulated = false
		return s
	}
	s.OpenCount, s.Waiting = 2, 2
	s.Backfill = &api.Backfill{From: now.AddDate(0, 0, -7), To: now, Done: 0.62}
	for i := range nodes {
		s.Agents = append(s.Agents, api.Agent{Node: nodeName(i), LastSeen: now.Add(-4 * time.Second)})
	}
	if nodes > 13 {
		s.Agents[13].LastSeen, s.Agents[13].Stale = at(9, 31, 40), true
	}
	return s
}

func nodeName(i int) string { return fmt.Sprintf("gpu-%02d", i+1) }

func fleet(nodes int) api.Fleet {
	f := api.Fleet{At: now}
	for i := range nodes {
		n := api.Node{Name: nodeName(i), Type: "p5.48xlarge", Pool: "train", Ready: true, GPUs: []api.GPU{}}
		if i*4 >= nodes*3 {
			n.Type, n.Pool = "a2-highgpu-8g", "serve"
		}
		for j := range 8 {
			n.GPUs = append(n.GPUs, workingGPU(n, i, j))
		}
		f.Nodes = append(f.Nodes, n)
	}
	for i, trouble := range troubles {
		if i < len(f.Nodes) {
			trouble(&f.Nodes[i])
		}
	}
	return f
}

// workingGPU is GPU j of node i at its usual work.
func workingGPU(n api.Node, i, j int) api.GPU {
	rnd := seeded(fmt.Sprintf("%s/%d", n.Name, j))
	g := api.GPU{Index: fmt.Sprint(j), UUID: fmt.Sprintf("GPU-%08x-1c5e-4f0a-9b1d-%012x", rnd.Uint32(), rnd.Uint64()&0xffffffffffff),
		Model: "NVIDIA H100 80GB HBM3", Namespace: "ml", Pod: fmt.Sprintf("llama-train-%d", i/4)}
	util := 78 + 20*rnd.Float64()
	most := 690.0
	if n.Pool == "serve" {
		g.Model, g.Namespace, g.Pod, most = "NVIDIA A100-SXM4-80GB", "prod", fmt.Sprintf("chat-%d-%d", i, j/2), 400
		util = 15 + 55*rnd.Float64()
	}
	if i == 9 || i > 16 && rnd.Float64() < 0.06 { // nobody's
		g.Namespace, g.Pod, util = "", "", 0
	}
	g.Subject = analyzer.GPU(n.Name, g.UUID)
	g.Util, g.Temp, g.Power = ptr(math.Round(util)), ptr(math.Round(34+0.36*util+4*rnd.Float64())), ptr(math.Round(most*(0.11+0.0083*util)))
	g.MemUsed, g.MemTotal, g.Score = ptr(math.Round(620+util*700)), ptr(81559), ptr(math.Round(100*0.2*rnd.Float64()*rnd.Float64())/100)
	return g
}

// troubles are what ails some of the nodes, by the node's place.
var troubles = map[int]func(*api.Node){
	1: func(n *api.Node) { // hot
		for j := range n.GPUs {
			g := &n.GPUs[j]
			g.Temp, g.Power, g.Score, g.Incident = ptr(float64(84+j%4)), ptr(455), ptr(0.71), coolant.ID
			g.Throttled = j%3 != 2
		}
	},
	4: func(n *api.Node) { n.Cordoned = true },
	6: func(n *api.Node) { // one fell off the bus
		g := &n.GPUs[3]
		g.Lost, g.Xid, g.Incident = true, 79, lostGPU.ID
		g.Util, g.Temp, g.Power, g.MemUsed, g.Score = nil, nil, nil, nil, ptr(1)
	},
	7: func(n *api.Node) { n.GPUs[5].Xid, n.GPUs[5].Score = 63, ptr(0.55) },
	10: func(n *api.Node) { // memory held, no work
		for j := range 6 {
			n.GPUs[j].Util, n.GPUs[j].MemUsed, n.GPUs[j].Power, n.GPUs[j].Temp = ptr(0), ptr(62310), ptr(74), ptr(33)
			n.GPUs[j].Namespace, n.GPUs[j].Pod = "research", "notebook-ada"
		}
	},
	13: func(n *api.Node) { n.GPUs[2].Util, n.GPUs[2].Power = nil, nil },
	15: func(n *api.Node) { n.Ready = false },
}

var lostGPU = analyzer.Incident{
	ID: "2026-11-22-3", Key: "gpu-fell-off-bus|gpu-07", Title: "GPU 3 of gpu-07 no longer answers on PCIe",
	Subject: analyzer.GPU("gpu-07", "GPU-77aa10f2-1c5e-4f0a-9b1d-0e2f3a4b5c6d"), Cause: "gpu-fell-off-bus", Severity: "critical", Confidence: 0.96,
	Opened: at(9, 18, 30), Updated: at(9, 41, 30),
	Findings: []analyzer.Finding{
		{Kind: analyzer.Event, Subject: analyzer.Node("gpu-07"), Signal: "xid-79", From: at(9, 18, 21), Text: "the kernel reports Xid 79 for PCI 0000:5d:00", Source: "events.jsonl:17"},
		{Kind: analyzer.Alert, Subject: analyzer.Pod("ml", "llama-train-1"), Signal: "PodFailed", From: at(9, 19, 10), To: at(9, 21, 0), Text: "llama-train-1 failed", Query: `kube_pod_status_phase{namespace="ml",phase="Failed"} == 1`, Caveats: []string{"the pod was restarted once before"}},
	},
	Diagnosis: &analyzer.Diagnosis{
		Cause: "gpu-fell-off-bus", Subject: analyzer.GPU("gpu-07", "GPU-77aa10f2-1c5e-4f0a-9b1d-0e2f3a4b5c6d"), Confidence: 0.96,
		Summary:      "GPU 3 of gpu-07 fell off the PCIe bus at 09:18:21, and the training job that used it failed 49 seconds later.",
		FirstSymptom: &analyzer.Symptom{At: at(9, 18, 21), Subject: analyzer.Node("gpu-07"), Text: "Xid 79"},
		Chain: []analyzer.Link{
			{Subject: analyzer.GPU("gpu-07", "GPU-77aa10f2"), What: "The GPU stops answering on PCIe (Xid 79)", At: at(9, 18, 21)},
			{Subject: analyzer.Node("gpu-07"), What: "DCGM no longer lists the GPU", At: at(9, 18, 30)},
			{Subject: analyzer.Pod("ml", "llama-train-1"), What: "NCCL aborts on rank 11: the peer is gone", At: at(9, 18, 52)},
			{Subject: analyzer.Subject{Kind: "job", Namespace: "ml", Name: "llama-train"}, What: "The job fails and restarts from its checkpoint", At: at(9, 19, 10)},
		},
		Evidence: []analyzer.Evidence{
			{Source: "events.jsonl:17", At: at(9, 18, 21), Text: "NVRM: Xid (PCI:0000:5d:00): 79, GPU has fallen off the bus."},
			{Source: `metrics.om#DCGM_FI_DEV_GPU_TEMP{Hostname="gpu-07",gpu="3"}`, At: at(9, 18, 15), Text: "The last reading of GPU 3 is 71 °C; the other seven go on."},
			{Source: "objects/pods.json#ml/llama-train-1", At: at(9, 19, 10), Text: "Container train exited with status 1."},
			{Source: "events.jsonl:19", At: at(9, 18, 52), Text: "NCCL WARN: remote peer gpu-07 closed the connection."},
		},
		Affected: []analyzer.Subject{analyzer.Node("gpu-07"), {Kind: "job", Namespace: "ml", Name: "llama-train"}, analyzer.Pod("ml", "llama-train-1")},
		Remedy:   []string{"Cordon gpu-07 so that nothing new is scheduled there.", "Drain it, then power-cycle the node: a reset of the GPU alone does not bring it back.", "If it happens again on the same slot, have the board and the riser checked."},
		Caveats:  []string{"The kernel log before 09:10 was not kept."},
	},
	Rejected: []analyzer.Rejected{
		{Cause: "thermal-throttling", Subject: analyzer.Node("gpu-07"), Why: "71 °C in the last reading is 16 °C below the slowdown limit.", Cites: []string{`metrics.om#DCGM_FI_DEV_GPU_TEMP{Hostname="gpu-07",gpu="3"}`}},
		{Cause: "driver-upgrade", Subject: analyzer.Node("gpu-07"), Why: "The driver's version has not changed in 12 days."},
	},
	Unseen:  []string{"PCIe link errors (AER): the agent of gpu-07 does not read them."},
	Touched: []analyzer.Subject{analyzer.GPU("gpu-07", "GPU-77aa10f2-1c5e-4f0a-9b1d-0e2f3a4b5c6d"), analyzer.Node("gpu-07"), {Kind: "job", Namespace: "ml", Name: "llama-train"}, analyzer.Pod("ml", "llama-train-1")},
	Earlier: []analyzer.Earlier{{ID: "2026-11-20-4", Title: "GPU 3 of gpu-07 no longer answered on PCIe", Cause: "gpu-fell-off-bus", Subject: analyzer.GPU("gpu-07", "GPU-77aa10f2-1c5e-4f0a-9b1d-0e2f3a4b5c6d"),
		Opened: at(14, 2, 0).AddDate(0, 0, -2), Closed: at(16, 40, 0).AddDate(0, 0, -2), Ended: "nothing of it seen for 3m0s", Alike: []string{"the same cause", "the same gpu"}}},
	Timeline: []analyzer.Moment{
		{At: at(9, 18, 21), Subject: analyzer.Node("gpu-07"), Kind: "evidence", Text: "Xid 79: the GPU has fallen off the bus", Source: "events.jsonl:17"},
		{At: at(9, 18, 30), Subject: analyzer.Node("gpu-07"), Kind: "opened", Text: "Incident opened"},
		{At: at(9, 18, 52), Subject: analyzer.Pod("ml", "llama-train-1"), Kind: "evidence", Text: "NCCL aborts: the peer is gone", Source: "events.jsonl:19"},
		{At: at(9, 19, 10), Subject: analyzer.Pod("ml", "llama-train-1"), Kind: "finding", Text: "PodFailed fires"},
		{At: at(9, 19, 30), Subject: analyzer.Node("gpu-07"), Kind: "action", Text: "Cordon proposed"},
	},
}

var coolant = analyzer.Incident{
	ID: "2026-11-22-2", Key: "|gpu-02", Title: "All GPUs of gpu-02 run hot and are throttled", Subject: analyzer.Node("gpu-02"),
	Severity: "warning", Opened: at(8, 51, 0), Updated: at(9, 40, 0), Reopened: 1,
	Findings: []analyzer.Finding{{Kind: analyzer.Anomaly, Subject: analyzer.Node("gpu-02"), Signal: "DCGM_FI_DEV_GPU_TEMP", From: at(8, 50, 0), Text: "temperature is far above its usual level", Score: 0.71, Query: `max(DCGM_FI_DEV_GPU_TEMP{Hostname="gpu-02"})`}},
	Timeline: []analyzer.Moment{{At: at(8, 51, 0), Subject: analyzer.Node("gpu-02"), Kind: "opened", Text: "Incident opened"}},
}

var incidents = []analyzer.Incident{
	{ID: "2026-11-21-1", Key: "image-pull|prod/chat", Title: "prod/chat cannot pull its image", Subject: analyzer.Subject{Kind: "deployment", Namespace: "prod", Name: "chat"}, Cause: "image-pull-failed", Severity: "warning", Confidence: 0.91,
		Opened: at(9, 0, 0).AddDate(0, 0, -1), Updated: at(9, 14, 0).AddDate(0, 0, -1), Closed: at(9, 14, 0).AddDate(0, 0, -1), Timeline: []analyzer.Moment{}},
	coolant, lostGPU,
	{ID: "2026-11-20-4", Key: "gpu-memory-full|ml/eval", Title: "ml/eval runs out of GPU memory", Subject: analyzer.Pod("ml", "eval-9f6c"), Cause: "gpu-memory-exhausted", Severity: "info", Confidence: 0.66,
		Opened: at(14, 2, 0).AddDate(0, 0, -2), Updated: at(16, 40, 0).AddDate(0, 0, -2), Closed: at(16, 40, 0).AddDate(0, 0, -2), Timeline: []analyzer.Moment{}},
}

var anomalies = []anomaly.Anomaly{
	{ID: 7, Finding: analyzer.Finding{Kind: analyzer.Anomaly, Subject: analyzer.GPU("gpu-08", "GPU-5"), Signal: "DCGM_FI_DEV_FB_USED", From: at(9, 2, 0), Severity: "info", Score: 0.66,
		Text: "DCGM_FI_DEV_FB_USED rose to 71200 MiB where 52400 MiB was usual", Query: `DCGM_FI_DEV_FB_USED{Hostname="gpu-08",UUID="GPU-5"}`, Caveats: []string{"only 6h0m0s of history: what is usual at this time of day is not known"},
		Ways: []analyzer.Way{{Channel: analyzer.Past, Series: `DCGM_FI_DEV_FB_USED{Hostname="gpu-08",UUID="GPU-5"}`, Off: 18800, Least: 4096, Unit: "MiB"}}}},
	{ID: 6, Finding: analyzer.Finding{Kind: analyzer.Anomaly, Subject: analyzer.Node("gpu-11"), Signal: "node_load1", From: at(8, 30, 0), Severity: "info", Score: 0.6,
		Text: "node_load1 rose to 96 where 31 was usual", Query: `node_load1{instance="gpu-11"}`,
		Marked: &analyzer.Mark{By: "ada", Why: "a data loader is tuned", At: at(8, 40, 0), Text: "marked as no anomaly by ada at 2026-11-22 08:40Z (a data loader is tuned): the least that is told, by its own past, is raised from 16 to 97.5"}}},
	{ID: 4, Finding: analyzer.Finding{Kind: analyzer.Anomaly, Subject: analyzer.Node("gpu-03"), Signal: "node_network_receive_errs_total", From: at(7, 0, 0), To: at(7, 12, 0), Severity: "info", Score: 0.7,
		Text: "node_network_receive_errs_total per second rose to 14 where 0 was usual", Query: `rate(node_network_receive_errs_total{instance="gpu-03"}[5m])`}},
}

var account = []analyzer.Sentence{
	{Text: "At 09:18:21 the kernel of gpu-07 reported Xid 79 for GPU 3.", Cites: []string{"events.jsonl:17"}},
	{Text: "Its readings stop there, while those of the other seven GPUs go on.", Cites: []string{`metrics.om#DCGM_FI_DEV_GPU_TEMP{Hostname="gpu-07",gpu="3"}`}},
	{Text: "The job llama-train lost its rank 11 and failed at 09:19:10.", Cites: []string{"events.jsonl:19", "objects/pods.json#ml/llama-train-1"}},
	{Text: "A sentence without a source.", Cites: []string{}},
}

var entries = []action.Entry{
	{ID: 12, Action: action.Action{Kind: action.PublishRule, Target: "team-a-gpu-hot", Params: map[string]string{"yaml": hotYAML}, Reason: "asked for: page me when any H100 in prod is hotter than 85 °C for 5 minutes", Effect: "1 rule is evaluated every 30 s"}, State: action.Done, Proposed: at(7, 2, 0), Expires: at(8, 2, 0), Finished: at(7, 2, 1),
		Decisions: []action.Decision{{By: "ada", At: at(7, 2, 0), Approved: true, Why: "asked for it"}}, Result: "revision 2 of team-a-gpu-hot is loaded"},
	{ID: 14, Action: action.Action{Kind: action.CordonNode, Target: "node/gpu-05", Reason: "3 GPUs of gpu-05 had uncorrectable ECC errors within a day.", Effect: "no pod loses its node"}, State: action.Failed, Proposed: at(7, 30, 0), Expires: at(8, 30, 0), Finished: at(7, 41, 3),
		Decisions: []action.Decision{{By: "ada", At: at(7, 41, 0), Approved: true}}, Result: "cordon node gpu-05: the API server refused: nodes is forbidden"},
	{ID: 15, Action: action.Action{Kind: action.CordonNode, Target: "node/gpu-11", Reason: "6 GPUs are held without work.", Effect: "1 pod of research/notebook-ada keeps this node"}, State: action.Noted, Proposed: at(8, 2, 0), Expires: at(9, 2, 0)},
	{ID: 16, Action: action.Action{Kind: action.CordonNode, Target: "node/gpu-02", Reason: "All GPUs of gpu-02 are throttled by heat.", Effect: "2 pods of job ml/llama-train keep this node; nothing new is scheduled", Cites: []string{"2026-11-22-2"}}, State: action.Proposed, Proposed: at(9, 12, 0), Expires: at(10, 12, 0)},
	{ID: 17, Action: action.Action{Kind: action.CordonNode, Target: "node/gpu-07", Reason: "GPU 3 fell off the bus; a power cycle is needed.", Effect: "2 pods of job ml/llama-train keep this node; nothing new is scheduled", Cites: []string{"2026-11-22-3", "events.jsonl:17"}}, State: action.Proposed, Proposed: at(9, 19, 30), Expires: at(10, 19, 30)},
}

var published = action.Entry{ID: 18, Action: action.Action{Kind: action.PublishRule, Target: hotGroup, Reason: "asked for on the page", Effect: "1 rule is evaluated every 30 s"}, State: action.Done, Proposed: now, Expires: now, Finished: now,
	Decisions: []action.Decision{{By: "page", At: now, Approved: true}}, Result: "revision 1 of " + hotGroup + " is loaded"}

var groups = []group{
	{ID: "team-a-gpu-hot", Owner: "ada", Revision: 2, Asked: "page me when any H100 in prod is hotter than 85 °C for 5 minutes", YAML: hotYAML,
		Rules: []rule{{Name: "GPUHot", Expr: `DCGM_FI_DEV_GPU_TEMP{namespace="prod"} > 85`, For: "5m", State: "pending"}}},
	{ID: "default-gpu", Owner: "vedette", Revision: 1,
		Rules: []rule{{Name: "GPUXid", Expr: `DCGM_FI_DEV_XID_ERRORS > 0`, For: "", State: "firing"}, {Name: "GPUThrottled", Expr: `DCGM_FI_DEV_CLOCK_THROTTLE_REASONS > 0`, For: "10m", State: "inactive"},
			{Name: "GPULinkSlow", Expr: `DCGM_FI_DEV_PCIE_LINK_GEN < 5`, For: "15m", State: "unknown", LastError: "no such metric: DCGM_FI_DEV_PCIE_LINK_GEN"}}},
}
