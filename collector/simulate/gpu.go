package simulate

import (
	"fmt"
	"math"
	"time"

	"vedette.dev/collector"
)

// A gpuModel is what NVML reports of one kind of GPU.
type gpuModel struct {
	name     string
	memory   int     // MiB
	reserved int     // MiB of it
	limit    float64 // W
	idle     float64 // W, with no context on it
	clock    int     // MHz, the SMs' highest
	rest     int     // MHz, the SMs' when nothing has a context
	memClock int     // MHz
	tensor   float64 // the share of cycles in which well-fed tensor cores are busy
	hotSW    float64 // °C at which the driver lowers the clocks
	hotHW    float64 // °C at which the hardware does
	nvlink   bool
}

// models are from nvidia-smi -q of each, and NVIDIA's data sheets. The H100's
// thresholds are T.Limit 0 and −2 below its highest operating temperature, 87 °C.
var models = [...]gpuModel{
	{"NVIDIA H100 80GB HBM3", 81559, 636, 700, 70, 1980, 345, 2619, 0.42, 87, 89, true},
	{"NVIDIA H200", 143771, 812, 700, 76, 1980, 345, 3201, 0.44, 87, 89, true},
	{"NVIDIA A100-SXM4-80GB", 81920, 618, 400, 62, 1410, 210, 1593, 0.45, 85, 92, true},
	{"NVIDIA L40S", 46068, 583, 350, 34, 2520, 210, 9001, 0.38, 87, 92, false},
}

func modelNamed(name string) (*gpuModel, bool) {
	for i := range models {
		if models[i].name == name {
			return &models[i], true
		}
	}
	return nil, false
}

func modelNames() []string {
	var names []string
	for _, m := range models {
		names = append(names, m.name)
	}
	return names
}

// The bits of DCGM_FI_DEV_CLOCKS_EVENT_REASONS that occur here (dcgm_fields.h).
const (
	reasonIdle      = 0x01
	reasonPowerCap  = 0x04
	reasonSlowdown  = 0x08
	reasonSWThermal = 0x20
	reasonHWThermal = 0x40
	reasonHWBrake   = 0x80
)

// A gpu is one device.
type gpu struct {
	model  *gpuModel
	node   *node
	index  int
	uuid   string
	bus    string // 0000:53:00, as the kernel writes it
	serial uint64
	cool   float64 // °C that its place in the chassis adds to the air

	pod       *pod // which holds it
	lost      bool // off the bus
	unhealthy bool // the device plugin says so
	heat      float64
	peak      float64 // °C: where heat 1 takes it

	mood, spike wobble
	util        float64 // shares, 0..1
	memUtil     float64
	engine      float64
	tensor      float64
	dram        float64
	pace        float64 // of the clocks: 1 is not throttled
	used        float64 // MiB
	power       float64 // W
	temp        float64 // °C
	memTemp     float64
	clock       float64 // MHz
	reasons     int
	lastXid     int

	energy       float64 // mJ
	nvlinkKiB    float64
	thermalNanos float64
	powerNanos   float64
	sbe, dbe     float64
	remappedCE   float64 // rows
	remappedUE   float64
	remapFailed  bool
	remapPending bool
	braked       bool
	own, foreign float64 // shares of the memory: what its process has grown to, and what a stranger's holds
	linkCRC      float64
	linkReplay   float64
	linkRecovery float64

	labels    []collector.Attr // of its series
	labelsFor *pod             // whose labels those are
}

func (w *World) newGPU(n *node, index int) *gpu {
	m, _ := modelNamed(n.pool.GPUModel) // validated
	id := fmt.Sprint(index)
	h := w.hash("gpu", n.name, id)
	up := w.start.Sub(n.boot)
	return &gpu{
		model: m, node: n, index: index, uuid: "GPU-" + w.uuid("gpu", n.name, id),
		bus: fmt.Sprintf("0000:%02x:00", pciBuses[index]), serial: 1650e9 + uint64(h[3])<<16 + uint64(h[4])<<8 + uint64(h[5]),
		cool: float64(index%4)*0.9 + 1.5*w.rng.Float64(), pace: 1,
		energy: up.Seconds() * 400 * 1000, nvlinkKiB: math.Floor(up.Seconds() * 1e6 * w.rng.Float64()),
		sbe: float64(h[0] % 3), remappedCE: float64(h[1] % 50 / 49),
	}
}

// pciBusID returns g's address as NVML writes it.
func (g *gpu) pciBusID() string { return fmt.Sprintf("00000000:%02X:00.0", pciBuses[g.index]) }

// air is what all GPUs share in one step.
type air struct {
	dt          float64 // s
	keep, fresh float64 // of noise with a memory of a minute or two
	approach    float64 // how far a temperature gets towards its target
	warmth      float64 // °C: the hall over the day
}

func newAir(w *World, step time.Duration) air {
	dt := step.Seconds()
	keep := math.Exp(-dt / 90)
	return air{dt: dt, keep: keep, fresh: math.Sqrt(1 - keep*keep),
		approach: 1 - math.Exp(-dt/12), // a die follows its load within half a minute
		warmth:   0.8 * dayWave(w.now, 16)}
}

// live moves g on.
func (g *gpu) live(w *World, air air) {
	if g.lost {
		g.util = 0
		return
	}
	mood, spike := g.mood.next(w.rng, air.keep, air.fresh), w.rng.NormFloat64()
	g.apply(g.load(w, mood, spike), mood, air.dt)
	m := g.model

	g.reasons = 0
	g.pace = 1
	throttled := g.temp >= m.hotSW
	if throttled {
		// At the threshold the clocks fall a little, four degrees on by 35 %.
		g.pace = 1 - 0.35*min(1, (g.temp-m.hotSW+1)/4)
		g.reasons |= reasonSWThermal
		g.thermalNanos += air.dt * 1e9
	}
	if g.braked {
		g.pace = min(g.pace, 0.42) // the hardware divides the clock
		g.reasons |= reasonHWBrake | reasonSlowdown
		g.powerNanos += air.dt * 1e9
	}
	if g.temp >= m.hotHW {
		g.reasons |= reasonHWThermal | reasonSlowdown
	}
	g.power -= (g.power - m.idle) * (1 - g.pace) * 0.8 // less clock and less voltage: nearly as the clock
	if g.power >= 0.985*m.limit {
		g.power = m.limit - math.Abs(spike)
		g.reasons |= reasonPowerCap
		g.powerNanos += air.dt * 1e9
		g.pace = min(g.pace, 0.93)
	}
	g.clock = float64(m.clock) * g.pace
	if g.pod == nil || !g.pod.running() {
		g.clock = float64(m.rest)
		g.reasons |= reasonIdle
	}
	g.energy += g.power * air.dt * 1000
	g.temp += (g.target() + air.warmth - g.temp) * air.approach
	g.memTemp = g.temp + 6 + 14*g.dram
}

// target returns the temperature to which g tends.
func (g *gpu) target() float64 {
	m := g.model
	normal := 26 + g.cool + float64(g.node.rack%3)*0.7 + 37*g.power/m.limit
	if g.heat == 0 {
		return normal
	}
	working := clamp01((g.power - m.idle) / (0.4 * m.limit)) // what is idle keeps cool however bad the air
	return normal + max(0, g.peak-normal)*g.heat*working
}

// A load is what a process asks of a GPU, as shares.
type load struct {
	util, tensor, dram, power float64
	memory                    float64 // of the frame buffer
	nvlink                    float64 // GB/s
}

// apply makes g carry l.
func (g *gpu) apply(l load, mood, dt float64) {
	m := g.model
	g.util = clamp01(l.util)
	g.tensor = clamp01(l.tensor * m.tensor)
	g.dram = clamp01(l.dram)
	g.engine = clamp01(l.util * 0.985)
	g.memUtil = clamp01(l.dram * 0.9)
	if l.memory == 0 {
		g.own = 0 // it went with its process
	}
	g.used = math.Floor(min(1, max(l.memory, g.own)+g.foreign) * float64(m.memory-m.reserved))
	context := 0.0
	if l.memory > 0 {
		context = 0.06 * m.limit
	}
	g.power = m.idle + context + (m.limit-m.idle-context)*clamp01(l.power) + 0.4*mood
	if m.nvlink {
		g.nvlinkKiB += math.Floor(l.nvlink * 1e6 * dt)
	}
}

// load returns what the pod that holds g asks of it.
func (g *gpu) load(w *World, mood, spike float64) load {
	if g.pod == nil || !g.pod.running() {
		return load{}
	}
	wl := g.pod.workload
	switch wl.spec.Profile {
	case Training:
		return wl.trainingLoad(w, g, mood, spike)
	case Inference:
		return wl.inferenceLoad(g.pod, mood, spike)
	case Batch:
		return load{util: 0.88 + 0.06*mood, tensor: 0.55 + 0.05*mood, dram: 0.41 + 0.04*mood, power: 0.66 + 0.03*mood + 0.01*spike, memory: 0.62, nvlink: 4}
	case Idle:
		return load{memory: 0.153}
	case Service:
		return load{}
	}
	panic("unreachable: profiles are validated")
}

func clamp01(v float64) float64 { return min(1, max(0, v)) }
