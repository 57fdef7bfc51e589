package simulate

import (
	"fmt"
	"math"
	"time"
)

// PyTorch's own limit on a collective, and how the ranks of a job spend their time.
const (
	defaultNCCLTimeout = Duration(10 * time.Minute)
	rendezvous         = 25 * time.Second // from the last rank's start to the first step
	checkpointEvery    = 43 * time.Minute
	checkpointTakes    = 35 * time.Second
	collectivesASecond = 38
)

// ranks is the state of a training job's processes, one on each GPU.
type ranks struct {
	formed   time.Time // when the group last came together, or began to
	training bool
	hung     time.Time // when a rank died under the others; zero where none did
	group    int       // counts groups
	pace     float64   // of the slowest GPU
}

// synchronize works out what the workload's pods do to one another.
func (wl *workload) synchronize(w *World) {
	if wl.spec.Profile == Inference {
		wl.shareOut()
		return
	}
	if wl.spec.Profile != Training {
		return
	}
	r := &wl.ranks
	r.pace = 1
	up := 0
	for _, p := range wl.pods {
		if !p.running() {
			continue
		}
		up++
		for _, g := range p.gpus {
			r.pace = min(r.pace, g.pace)
		}
	}
	switch {
	case r.training || !r.hung.IsZero():
	case up < wl.spec.Replicas:
		r.formed = w.now
	case w.now.Sub(r.formed) >= rendezvous:
		wl.form(w.now)
	}
}

// form makes one group of the pods that run.
func (wl *workload) form(at time.Time) {
	r := &wl.ranks
	r.training, r.formed = true, at
	r.group++
	for _, p := range wl.pods {
		if p.running() {
			p.group = r.group
		}
	}
}

// rankDied leaves the others waiting in a collective until their watchdogs end them.
func (wl *workload) rankDied(w *World) {
	r := &wl.ranks
	if !r.training {
		return
	}
	r.training, r.hung = false, w.now
	timeout := w.scripted(wl.spec.ncclTimeout())
	w.after(timeout, func() { wl.watchdogs(w, timeout) })
}

// watchdogs ends the ranks that wait, each with the lines that PyTorch writes.
func (wl *workload) watchdogs(w *World, timeout time.Duration) {
	r := &wl.ranks
	sequence := int64(r.hung.Sub(r.formed).Seconds() * collectivesASecond)
	r.hung, r.formed = time.Time{}, w.now
	for _, p := range wl.pods {
		if !p.running() || p.group != r.group {
			continue
		}
		late := w.seconds(0.01, 0.5)
		w.after(late, func() {
			if p.stuck {
				p.dumpLines(w, sequence-2)
				return
			}
			for k := range p.gpus {
				rank := p.index*wl.spec.GPUsPerPod + k
				ran := (timeout + late).Milliseconds() + int64(k)
				p.ncclLines(w, rank, sequence, timeout, ran)
			}
		})
		w.after(late+w.seconds(1, 2), func() { p.crash(w, exitAborted) })
	}
}

const exitAborted = 134 // 128 + SIGABRT: an uncaught C++ exception

func (p *pod) ncclLines(w *World, rank int, sequence int64, timeout time.Duration, ran int64) {
	stamp := fmt.Sprintf("[rank%d]:[E%s", rank, w.now.UTC().Format("0102 15:04:05.000000000"))
	caught := fmt.Sprintf("[Rank %d] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=%d, OpType=ALLREDUCE, NumelIn=67108864, NumelOut=67108864, Timeout(ms)=%d) ran for %d milliseconds before timing out.",
		rank, sequence, timeout.Milliseconds(), ran)
	p.log(w, stamp+" ProcessGroupNCCL.cpp:632] "+caught)
	p.log(w, fmt.Sprintf("%s ProcessGroupNCCL.cpp:1837] [PG ID 0 PG GUID 0(default_pg) Rank %d] Exception (either an error or timeout) detected by watchdog at work: %d, last enqueued NCCL work: %d, last completed NCCL work: %d.",
		stamp, rank, sequence, sequence+2, sequence-1))
	p.log(w, "terminate called after throwing an instance of 'c10::DistBackendError'")
}

// dumpLines is what a rank says that went on no further: its own watchdog waits for nothing, and the others' tells it.
func (p *pod) dumpLines(w *World, last int64) {
	for k := range p.gpus {
		rank := p.index*p.workload.spec.GPUsPerPod + k
		p.log(w, fmt.Sprintf("[rank%d]:[E%s ProcessGroupNCCL.cpp:1683] [PG ID 0 PG GUID 0(default_pg) Rank %d] Received a dump signal due to a collective timeout from rank 0 and we will try our best to dump the debug info. "+
			"Last enqueued NCCL work: %d, last completed NCCL work: %d.This is most likely caused by incorrect usages of collectives, e.g., wrong sizes used across ranks, the order of collectives is not same for all ranks or the scheduled collective, for some reason, didn't run. "+
			"Additionally, this can be caused by GIL deadlock or other reasons such as network errors or bugs in the communications library (e.g. NCCL), etc.",
			rank, w.now.UTC().Format("0102 15:04:05.000000000"), rank, last, last))
	}
}

// trainingLoad returns what one rank asks of its GPU.
func (wl *workload) trainingLoad(w *World, g *gpu, mood, spike float64) load {
	r := &wl.ranks
	switch {
	case g.pod.stuck: // the program never gets to the GPU
		return load{memory: 0.9}
	case !r.hung.IsZero() && g.pod.group == r.group: // spinning in a collective that will not end
		return load{util: 1, dram: 0.03, power: 0.2 + 0.004*spike, memory: 0.9}
	case !r.training: // waiting for the others to join
		return load{memory: 0.008}
	}
	if math.Mod(w.now.Sub(r.formed).Seconds(), checkpointEvery.Seconds()) > (checkpointEvery - checkpointTakes).Seconds() {
		return load{util: 0.1 + 0.02*mood, dram: 0.05, power: 0.08, memory: 0.9}
	}
	l := load{util: 0.985 + 0.006*spike, tensor: 1 + 0.02*mood, dram: 0.5 + 0.01*mood, power: 0.86 + 0.012*mood + 0.008*spike, memory: 0.9, nvlink: 150}
	if r.pace < 1 {
		l.tensor *= r.pace
		l.dram *= r.pace
		l.nvlink *= r.pace
		if g.pace > r.pace { // this one waits for the slowest
			l.util -= 0.06 * (1 - r.pace)
			l.power -= 0.5 * (1 - r.pace)
		}
	}
	return l
}

func (s *Workload) ncclTimeout() Duration {
	if s.NCCLTimeout == 0 {
		return defaultNCCLTimeout
	}
	return s.NCCLTimeout
}
