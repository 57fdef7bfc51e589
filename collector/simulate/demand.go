package simulate

import (
	"fmt"
	"math"
	"time"
)

// AimedLoad is how full the autoscaler of an inference workload keeps its
// replicas: the share of what one can take.
const AimedLoad = 0.8

// How it goes about that is as Kubernetes' does by default: it leaves a
// difference of a tenth alone, and scales down to the most that was wanted
// within five minutes.
const (
	tolerance   = 0.1
	settledDown = 5 * time.Minute
	peakHour    = 14 // UTC
)

// demandState is what is asked of an inference workload, and how it copes.
type demandState struct {
	factor   float64 // of a fault
	mood     wobble
	moodAt   time.Time
	now      float64 // requests in flight
	each     float64 // running on a replica
	queued   float64 // waiting at a replica
	lowSince time.Time
	lowMost  int  // the most replicas wanted since
	limited  bool // more are wanted than there may be
}

// level returns the requests in flight that the workload is asked for now.
func (wl *workload) level(w *World) float64 {
	d, s := wl.spec.Demand, &wl.demand
	if step := w.now.Sub(s.moodAt); step > 0 {
		keep := math.Exp(-step.Seconds() / 600)
		s.mood.next(w.rng, keep, math.Sqrt(1-keep*keep))
		s.moodAt = w.now
	}
	days := max(0, w.now.Sub(w.start).Hours()/24)
	return d.Requests * (1 + d.Daily*dayWave(w.now, peakHour)) * weekend(d, w.now) *
		(1 + d.GrowthPerDay*days) * d.Surge.times(w.now.Sub(w.start)) * s.factor * (1 + 0.02*float64(s.mood))
}

// weekend returns what is left of the demand at t: it changes over the four
// hours around midnight.
func weekend(d *Demand, t time.Time) float64 {
	if d.Weekend == 0 {
		return 1
	}
	t = t.UTC()
	hours := float64((int(t.Weekday())+6)%7)*24 + float64(t.Hour()) + float64(t.Minute())/60 // since Monday
	const saturday, monday = 5 * 24, 7 * 24
	in := clamp01((hours - (saturday - 2)) / 4)
	if hours < 2 {
		hours += monday
		in = 1
	}
	in -= clamp01((hours - (monday - 2)) / 4)
	return 1 - (1-d.Weekend)*in
}

// times returns what the demand is multiplied by, so long after the start.
func (s *Surge) times(since time.Duration) float64 {
	if s == nil {
		return 1
	}
	in := since%(24*time.Hour) - time.Duration(s.After)
	there := min(clamp01(in.Minutes()), clamp01((time.Duration(s.For) - in).Minutes()))
	return 1 + (s.Factor-1)*there
}

// desired returns how many replicas level asks for.
func (wl *workload) desired(level float64) int {
	d := wl.spec.Demand
	return min(d.Max, max(d.Min, int(math.Ceil(level/(AimedLoad*d.PerReplica)))))
}

// autoscale sets the replicas as a HorizontalPodAutoscaler does.
func (wl *workload) autoscale(w *World) {
	s, d := &wl.demand, wl.spec.Demand
	s.now = wl.level(w)
	want := wl.desired(s.now)
	if limited := wl.replicas == d.Max && s.now > (1+tolerance)*float64(d.Max)*AimedLoad*d.PerReplica; limited != s.limited {
		s.limited = limited
		w.touch(wl.scaler)
	}
	if ratio := s.now / (float64(wl.replicas) * AimedLoad * d.PerReplica); math.Abs(ratio-1) <= tolerance {
		want = wl.replicas
	}
	switch {
	case want > wl.replicas:
		s.lowSince = time.Time{}
		wl.scale(w, min(want, max(2*wl.replicas, wl.replicas+4)), "above")
	case want == wl.replicas:
		s.lowSince = time.Time{}
	case s.lowSince.IsZero():
		s.lowSince, s.lowMost = w.now, want
	default:
		s.lowMost = max(s.lowMost, want)
		if w.now.Sub(s.lowSince) >= settledDown {
			s.lowSince = time.Time{}
			wl.scale(w, s.lowMost, "below")
		}
	}
}

func (wl *workload) scale(w *World, to int, side string) {
	from := wl.replicas
	wl.replicas = to
	wl.scaler.scaled = w.now
	why := "pods metric vllm:num_requests_running above target"
	direction := "up"
	if side == "below" {
		why, direction = "All metrics below target", "down"
	}
	w.event(wl.scaler, "Normal", "SuccessfulRescale", "horizontal-pod-autoscaler", "", fmt.Sprintf("New size: %d; reason: %s", to, why))
	w.event(wl.owner, "Normal", "ScalingReplicaSet", "deployment-controller", "",
		fmt.Sprintf("Scaled %s replica set %s from %d to %d", direction, wl.set.name, from, to))
	w.touch(wl.scaler)
	wl.touchOwners(w)
}

// shareOut spreads the demand over the replicas that are ready.
func (wl *workload) shareOut() {
	s := &wl.demand
	ready := float64(len(wl.readyPods()))
	if ready == 0 {
		s.each, s.queued = 0, 0 // nobody is there to report it
		return
	}
	s.each = min(s.now/ready, wl.spec.Demand.PerReplica)
	s.queued = max(0, s.now/ready-wl.spec.Demand.PerReplica)
}

// inferenceLoad returns what a replica asks of each of its GPUs.
func (wl *workload) inferenceLoad(p *pod, mood, spike float64) load {
	if !p.ready {
		return load{util: 0.02, dram: 0.02, power: 0.03, memory: 0.45} // reading the weights
	}
	busy := wl.demand.each / wl.spec.Demand.PerReplica
	return load{util: busy*0.93 + 0.03*mood + 0.01*spike, tensor: busy * (0.4 + 0.02*mood), dram: busy * (0.72 + 0.03*mood),
		power: 0.08 + busy*(0.5+0.02*mood) + 0.01*spike, memory: 0.905, nvlink: 12 * busy * float64(min(1, len(p.gpus)-1))}
}
