package simulate

import (
	"slices"
	"strings"
	"time"
)

// A trouble is a fault at work.
type trouble interface {
	// act changes the world as the fault would have it at age, which is script
	// time since it began, from 0 up to its length. It reports false where what
	// it befalls is not there yet; then it has not begun.
	act(w *World, age Duration) bool
}

var (
	_ trouble = (*overheating)(nil)
	_ trouble = (*xid)(nil)
	_ trouble = (*rush)(nil)
	_ trouble = (*bitErrors)(nil)
	_ trouble = (*filling)(nil)
	_ trouble = (*failing)(nil)
	_ trouble = (*hanging)(nil)
	_ trouble = (*restarting)(nil)
	_ trouble = (*braking)(nil)
	_ trouble = (*growing)(nil)
	_ trouble = (*linkErrors)(nil)
	_ trouble = (*switchError)(nil)
	_ trouble = (*state)(nil)
)

type script struct {
	started bool
	speed   float64
	active  []*activeFault
	failing []*failing // what befalls whoever starts
	befell  map[Target]place
}

type activeFault struct {
	trouble
	length Duration
	begun  time.Time // zero while its target is not there
}

// begin makes f start now, or once its target is there.
func (w *World) begin(f *Fault) {
	a := &activeFault{trouble: f.trouble(), length: f.For}
	w.script.active = append(w.script.active, a)
	w.runFaults()
}

func (f *Fault) trouble() trouble {
	switch f.Kind {
	case ThermalThrottle:
		t := &overheating{target: f.Target, length: f.For, ramp: f.Ramp, peak: f.Peak}
		if t.peak == 0 {
			t.peak = 92
		}
		if t.ramp == 0 {
			t.ramp = Duration(2 * time.Minute)
		}
		return t
	case XidError:
		return &xid{target: f.Target, code: f.Code}
	case DemandGrowth:
		return &rush{target: f.Target, factor: f.Factor, length: f.For}
	case ECCBurst:
		return &bitErrors{target: f.Target, count: f.Count, length: f.For}
	case DiskFill:
		return &filling{target: f.Target, to: f.To, length: f.For}
	case PowerBrake:
		return &braking{target: f.Target, length: f.For}
	case Fail:
		return &failing{failure: failures()[f.Failure], target: f.Target, length: f.For, onNode: f.OnNode}
	case Hang:
		return &hanging{target: f.Target}
	case MemoryGrowth:
		return &growing{target: f.Target, to: f.To, length: f.For, stranger: f.Stranger || f.Target.Node != ""}
	case NVLinkErrors:
		return &linkErrors{target: f.Target, count: f.Count, length: f.For}
	case SXidError:
		return &switchError{target: f.Target, code: f.Code}
	case Restarted:
		return &restarting{target: f.Target}
	}
	return &state{target: f.Target, length: f.For, set: func(w *World, n *node, on bool) {
		switch f.Kind {
		case PluginDown:
			w.pluginDown(n, on)
		case UnitDown:
			w.setUnit(n, f.Unit, on)
		case MIGFailed:
			n.migFailed = on
		case Tainted:
			w.taint(n, f.Taint, on)
		case Cordoned:
			w.cordon(n, on)
		case Rebooted:
			w.reboot(n)
		default:
			panic("unreachable: kinds are validated")
		}
	}}
}

// runFaults lets every fault act that is not over.
func (w *World) runFaults() {
	w.script.active = slices.DeleteFunc(w.script.active, func(a *activeFault) bool {
		begun := a.begun
		if begun.IsZero() {
			begun = w.now
		}
		age := min(a.length, Duration(float64(w.now.Sub(begun))*w.script.speed))
		if !a.act(w, age) {
			return false
		}
		a.begun = begun
		return age >= a.length
	})
}

// gpu returns the GPU that t means now: of a workload, it is one that a
// running pod holds.
func (t Target) gpu(w *World) (*gpu, bool) {
	if t.Node != "" {
		n, _ := w.node(t.Node) // validated
		w.befall(t, nil, n.gpus[t.GPU])
		return n.gpus[t.GPU], true
	}
	wl := w.workload(t.Workload)
	if wl == nil {
		return nil, false
	}
	place := 0
	for _, p := range wl.pods {
		if p.over() {
			continue
		}
		index := p.index
		if wl.spec.Kind == Deployment {
			index = place
		}
		place++
		if index == t.Replica && p.running() && t.GPU < len(p.gpus) {
			w.befall(t, p, p.gpus[t.GPU])
			return p.gpus[t.GPU], true
		}
	}
	return nil, false
}

func (w *World) workload(id string) *workload {
	namespace, name, _ := strings.Cut(id, "/")
	i := slices.IndexFunc(w.workloads, func(wl *workload) bool { return wl.spec.Namespace == namespace && wl.spec.Name == name })
	if i < 0 {
		return nil // it has not arrived
	}
	return w.workloads[i]
}

// overheating heats a GPU up, and lets it cool down when it is over.
type overheating struct {
	target       Target
	length, ramp Duration
	peak         float64
	gpu          *gpu
}

func (o *overheating) act(w *World, age Duration) bool {
	if o.gpu == nil {
		g, ok := o.target.gpu(w)
		if !ok {
			return false
		}
		o.gpu = g
	}
	o.gpu.peak = o.peak
	o.gpu.heat = min(1, float64(age)/float64(o.ramp))
	if age >= o.length {
		o.gpu.heat = 0
	}
	return true
}

// rush makes a workload's demand grow.
type rush struct {
	target Target
	factor float64
	length Duration
}

func (r *rush) act(w *World, age Duration) bool {
	wl := w.workload(r.target.Workload)
	if wl == nil {
		return false
	}
	wl.demand.factor = 1 + (r.factor-1)*float64(age)/float64(r.length)
	return true
}

// bitErrors is a burst of errors that ECC corrects; one in a few hundred makes the driver remap a row.
type bitErrors struct {
	target Target
	count  int
	length Duration
	gpu    *gpu
	done   int
}

func (b *bitErrors) act(w *World, age Duration) bool {
	if b.gpu == nil {
		g, ok := b.target.gpu(w)
		if !ok {
			return false
		}
		b.gpu = g
	}
	due := int(float64(b.count) * float64(age) / float64(b.length))
	for ; b.done < due; b.done++ {
		b.gpu.sbe++
		if b.done%256 == 255 {
			b.gpu.remappedCE++
		}
	}
	return true
}

// filling fills a node's root file system.
type filling struct {
	target Target
	to     float64
	length Duration
	from   float64 // 0 before it began
}

func (f *filling) act(w *World, age Duration) bool {
	n, _ := w.node(f.target.Node) // validated
	if f.from == 0 {
		f.from = n.diskUsed
	}
	n.diskFloor = f.from + max(0, f.to-f.from)*float64(age)/float64(f.length)
	return true
}
