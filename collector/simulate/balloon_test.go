package simulate_test

import (
	"strings"
	"testing"
	"time"

	"vedette.dev/collector/simulate"
)

const crowded = `apiVersion: vedette.dev/v1
kind: Scenario
name: crowded
seed: 1
cluster:
  name: c
  pools: [{name: gpu, nodes: 1, instanceType: p5.48xlarge, gpuModel: NVIDIA H100 80GB HBM3, gpusPerNode: 8}]
workloads:
- namespace: serving
  name: chat
  kind: Deployment
  replicas: 4
  gpusPerPod: 1
  profile: inference
  image: vllm/vllm-openai:v0.11.0
  loads: 5m
  demand: {requests: 300, perReplica: 100, min: 4, max: 8, surge: {after: 10m, for: 1h, factor: 2.4}}
`

// running returns how many pods of a workload have a GPU, and how many are ready.
func running(t *testing.T, w *simulate.World, prefix string) (placed, ready int) {
	t.Helper()
	b, err := w.Cluster().Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.Points {
		of := map[string]string{}
		for _, a := range p.Attrs {
			of[a.Key] = a.Value
		}
		switch {
		case !strings.HasPrefix(of["pod"], prefix):
		case p.Metric == "kube_pod_status_scheduled_time":
			placed++
		case p.Metric == "kube_pod_status_ready" && p.Value == 1:
			ready++
		}
	}
	return placed, ready
}

// A balloon holds what is free, and gives it to whom asks for it; a surge comes
// at its time, and who copes with it loads a model first.
func TestBalloon(t *testing.T) {
	sc, err := simulate.Parse("crowded.yaml", []byte(crowded))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	w, err := simulate.New(sc, began)
	if err != nil {
		t.Fatal(err)
	}
	to := began
	play := func(d time.Duration) {
		for end := to.Add(d); to.Before(end); {
			to = to.Add(10 * time.Second)
			w.Advance(to)
		}
	}
	shows := func(when string, chat, ready, balloon int) {
		t.Helper()
		c, r := running(t, w, "chat-")
		b, _ := running(t, w, "warm-")
		if c != chat || r != ready || b != balloon {
			t.Errorf("%s: %d pods of chat have a GPU, %d are ready, and %d of the balloon; want %d, %d and %d", when, c, r, b, chat, ready, balloon)
		}
	}
	if err := w.Inflate("serving", "warm", 3, 1); err != nil {
		t.Fatal(err)
	}
	play(time.Minute)
	shows("at first", 4, 4, 3)
	play(11 * time.Minute)
	shows("as the surge comes", 8, 4, 0)
	play(6 * time.Minute)
	shows("once the model is loaded", 8, 8, 0)
	if err := w.Inflate("serving", "warm", 0, 1); err != nil {
		t.Fatal(err)
	}
	play(70 * time.Minute)
	shows("when it has gone", 4, 4, 0)
	if err := w.Inflate("serving", "chat", 1, 1); err == nil {
		t.Error("a workload was taken for a balloon")
	}
}
