package simulate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/rules/strictcsv"
)

// braking is a power supply that tells GPUs to slow down.
type braking struct {
	target Target
	length Duration
	gpus   []*gpu
}

func (b *braking) act(w *World, age Duration) bool {
	if b.gpus == nil {
		b.gpus = b.target.allGPUs(w)
	}
	for _, g := range b.gpus {
		g.braked = age < b.length
	}
	return b.gpus != nil
}

// growing fills the memory of a GPU: a workload's own, until its process ends, or a stranger's on a node.
type growing struct {
	target Target
	to     float64
	length Duration

	stranger bool
	gpu      *gpu
}

func (m *growing) act(w *World, age Duration) bool {
	if m.gpu == nil {
		g, ok := m.target.gpu(w)
		if !ok {
			return false
		}
		m.gpu = g
	}
	share := m.to * float64(age) / float64(m.length)
	if !m.stranger {
		m.gpu.own = share
		return true
	}
	m.gpu.foreign = share
	return true
}

// linkErrors are errors of a GPU's NVLinks that are put right by sending again.
type linkErrors struct {
	target Target
	count  int
	length Duration
	gpu    *gpu
	done   int
}

func (l *linkErrors) act(w *World, age Duration) bool {
	if l.gpu == nil {
		g, ok := l.target.gpu(w)
		if !ok {
			return false
		}
		l.gpu = g
	}
	due := int(float64(l.count) * float64(age) / float64(l.length))
	l.gpu.linkCRC += float64(due - l.done)
	if l.count >= 1000 { // so many that the link was trained anew
		l.gpu.linkReplay += float64((due - l.done) / 8)
		l.gpu.linkRecovery += float64(due/1000 - l.done/1000)
	}
	l.done = due
	return true
}

// An sxidNote is one row of sxids.csv.
type sxidNote struct {
	code  int
	text  string
	fatal bool
}

//go:embed sxids.csv
var sxidTable []byte

// sxidNotes returns the table, by code.
var sxidNotes = sync.OnceValue(func() map[int]sxidNote {
	t := map[int]sxidNote{}
	err := strictcsv.Each("sxids.csv", bytes.NewReader(sxidTable), "code,text,fatal,source", func(r []string) error {
		n := sxidNote{text: r[1]}
		var errs [2]error
		n.code, errs[0] = strconv.Atoi(r[0])
		n.fatal, errs[1] = strconv.ParseBool(r[2])
		t[n.code] = n
		return errors.Join(errs[:]...)
	})
	if err != nil {
		panic(err) // embedded data
	}
	return t
})

// switchError is an NVSwitch that reports an SXid. Where it is fatal, whatever
// runs on the node's GPUs ends, and their links with it.
type switchError struct {
	target Target
	code   int
}

func (s *switchError) act(w *World, _ Duration) bool {
	n, ok := s.target.node(w)
	if !ok {
		return false
	}
	note := sxidNotes()[s.code]
	h := w.hash("switch", n.name)
	line := func(text string) {
		n.kernel(w, w.now, 3, fmt.Sprintf("nvidia-nvswitch%d: SXid (PCI:0000:%02x:00.0): %d, %s", h[0]%4, 5+h[0]%4, note.code, text))
	}
	line(note.text)
	if !note.fatal {
		return true
	}
	line("Severity 1 Engine instance 30 Sub-engine instance 00")
	line("Data {0x00000004, 0x00000004, 0x00000000, 0x00000004, 0x80000000, 0x00000000, 0x00000000, 0x00000000}")
	w.after(w.seconds(0.5, 1), func() {
		for _, g := range n.gpus {
			if g.pod != nil && g.pod.running() {
				g.report(w, xidNotes()[74])
			}
		}
	})
	return true
}

// A state is something about a node that a fault sets and, where it has a length, takes back.
type state struct {
	target Target
	length Duration
	set    func(w *World, n *node, on bool)
	begun  bool
}

func (s *state) act(w *World, age Duration) bool {
	n, ok := s.target.node(w)
	if !ok {
		return false
	}
	if !s.begun {
		s.begun = true
		s.target = Target{Node: n.name} // wherever the workload goes
		s.set(w, n, true)
		w.touch(n)
	}
	if s.length > 0 && age >= s.length {
		s.set(w, n, false)
		w.touch(n)
	}
	return true
}

func (w *World) pluginDown(n *node, down bool) {
	for _, wl := range w.workloads {
		if wl.spec.Kind != DaemonSet || !strings.Contains(wl.spec.Name, "device-plugin") {
			continue
		}
		for _, p := range wl.pods {
			if p.node != n {
				continue
			}
			if down {
				f := &failing{failure: failures()["plugin-watch"], target: Target{Workload: wl.spec.id(), Replica: p.index}, begun: true}
				w.script.failing = append(w.script.failing, f)
				p.failLater(w, f, w.seconds(1, 2))
			} else {
				w.script.failing = slices.DeleteFunc(w.script.failing, func(f *failing) bool { return f.failure.ID == "plugin-watch" && f.covers(w, p) })
			}
		}
	}
	w.after(w.seconds(4, 8), func() { n.pluginDown = down; w.touch(n) }) // the kubelet sees its socket close
}

func (w *World) setUnit(n *node, unit string, down bool) {
	if n.unitsDown == nil {
		n.unitsDown = map[string]bool{}
	}
	n.unitsDown[unit] = down
}

func (w *World) taint(n *node, taint string, on bool) {
	key, value, _ := strings.Cut(taint, "=")
	t := corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule}
	n.moreTaints = slices.DeleteFunc(n.moreTaints, func(x corev1.Taint) bool { return x.Key == key })
	if on {
		n.moreTaints = append(n.moreTaints, t)
	}
}

// reboot boots n: its GPUs are as new, and the pods that stay on it start again.
func (w *World) reboot(n *node) {
	n.boot = w.now
	for _, g := range n.gpus {
		g.lost, g.unhealthy, g.lastXid, g.dbe, g.remapPending = false, false, 0, 0, false
	}
	n.kernel(w, w.now.Add(9*time.Second), 6, "nvidia: loading out-of-tree module taints kernel.")
	n.kernel(w, w.now.Add(10*time.Second), 6, "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  "+driverVersion+"  Release Build")
	w.event(n, "Warning", "Rebooted", "kubelet", n.name, fmt.Sprintf("Node %s has been rebooted, boot id: %s", n.name, w.uuid("boot", n.name, fmt.Sprint(w.now.Unix()))))
	for _, p := range slices.Clone(w.pods) {
		if p.node != n || !p.running() {
			continue
		}
		if p.workload.spec.Kind == Job {
			p.crashAs(w, 255, "Unknown")
			continue
		}
		p.restarts++
		p.exit, p.reason, p.ended, p.ready = 255, "Unknown", w.now, false
		w.touch(p)
		w.after(w.seconds(20, 40), func() { p.launch(w) })
	}
}

// node returns the node that t means now, of a workload the one where its pod runs.
func (t Target) node(w *World) (*node, bool) {
	if t.Node != "" {
		return w.node(t.Node)
	}
	pods := t.pods(w)
	if len(pods) == 0 {
		return nil, false
	}
	return pods[0].node, true
}

// allGPUs returns the GPUs that t means: all of the node where it says so.
func (t Target) allGPUs(w *World) []*gpu {
	if t.All {
		n, ok := t.node(w)
		if !ok {
			return nil
		}
		return n.gpus
	}
	g, ok := t.gpu(w)
	if !ok {
		return nil
	}
	return []*gpu{g}
}
