package facts

import (
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
)

// readBlind sorts programs that see no GPU: who asked for none is given none,
// who did and sees none is on a node that does not hand them out.
func (w *World) readBlind() {
	w.readDriver()
	w.readSwitchless()
	w.readDriverless()
	for _, f := range w.Called("gpu-unseen") {
		p := w.pods[f.Subject]
		if p == nil {
			continue
		}
		switch {
		case w.operand(p) || asksForGPU(p):
			if p.Spec.NodeName == "" {
				continue
			}
			name := "gpu-not-injected"
			if slices.ContainsFunc(w.Called("driver-not-loaded"), func(d *Fact) bool { return d.Subject.Name == p.Spec.NodeName }) {
				name = "gpu-unseen-driverless"
			}
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: analyzer.Node(p.Spec.NodeName), Name: name, At: f.At, Standing: f.Standing, Source: f.Source, Text: f.Text},
				Kind: f.Kind, Until: latest(f), Seen: []analyzer.Subject{f.Subject}})
		default:
			w.addUnasked(p, f, "its pods request no GPU, and its program looks for one: ")
		}
	}
}

// readDriverless reads CUDA's complaint of an old driver where there is none: on
// a node without GPUs, in a pod that asked for no GPU. CUDA calls the two alike.
func (w *World) readDriverless() {
	for _, f := range w.Called("cuda-driver-old") {
		for _, s := range f.Seen {
			p := w.pods[s]
			if p == nil || w.operand(p) || asksForGPU(p) {
				continue
			}
			if n := w.node[p.Spec.NodeName]; n != nil && w.gpusOf(&n.Object) == 0 && !slicesGPUs(n.Object) {
				w.addUnasked(p, f, "its pods request no GPU and are where there is none: ")
				break
			}
		}
	}
}

// addUnasked records that the program of p wants a GPU that its pod did not ask for.
func (w *World) addUnasked(p *pod, f *Fact, why string) {
	o := Fact{Fact: analyzer.Fact{Subject: w.Workload(p.subject), Name: "gpu-not-asked-for", At: f.At, Standing: f.Standing, Source: f.Source, Text: why + f.Text}, Kind: f.Kind, Until: latest(f)}
	o.Also = []analyzer.Evidence{{Source: p.source, Text: "no container of it has nvidia.com/gpu in its limits"}}
	w.addOnce(o)
}

// readSwitchless clears fabric managers that ended because the machine shows
// them no NVSwitch. Where a program waits for the fabric all the same, as in a
// virtual machine whose host keeps the switches, the end of theirs still counts.
func (w *World) readSwitchless() {
	for _, f := range w.Called("fabric-manager-idle") {
		here := func(o *Fact) bool { return o.Subject == f.Subject }
		if slices.ContainsFunc(w.Called("fabric-not-ready"), here) {
			continue
		}
		for _, o := range w.Called("unit-fabricmanager-down", "fabric-manager-failed") {
			o.Standing = o.Standing && !here(o)
		}
	}
}

// operand reports whether the pod is part of what hands out GPUs.
func (w *World) operand(p *pod) bool {
	top := w.Workload(p.subject)
	return top.Kind == "daemonset" && (strings.Contains(p.Name, "nvidia") || strings.Contains(p.Name, "gpu") || strings.Contains(p.Name, "dcgm"))
}

// asksForGPU reports whether a container of the pod asks for a GPU or a part of one, by a resource or a claim.
func asksForGPU(p *pod) bool {
	if len(p.Spec.ResourceClaims) > 0 {
		return true
	}
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		for r := range c.Resources.Limits {
			if strings.HasPrefix(string(r), "nvidia.com/") || strings.HasPrefix(string(r), "aliyun.com/gpu") || strings.HasPrefix(string(r), "volcano.sh/") {
				return true
			}
		}
	}
	return false
}

// readDriver looks for GPU nodes whose kernel, since it started, has not
// loaded NVIDIA's module, while that of another node has.
func (w *World) readDriver() {
	var without []*Fact
	loaded := false
	for _, n := range w.nodes {
		lines := w.s.Kernel[n.Object.Name]
		if w.gpusOf(&n.Object) == 0 || len(lines) == 0 {
			continue
		}
		booted, found := bootedAt(lines), false
		for _, l := range lines {
			found = found || !l.At.Before(booted) && (strings.Contains(l.Text, "NVRM: ") || strings.Contains(l.Text, "nvidia: loading") || strings.Contains(l.Text, "nvidia: module license"))
		}
		loaded = loaded || found
		if !found && !booted.IsZero() {
			without = append(without, &Fact{Fact: analyzer.Fact{Subject: analyzer.Node(n.Object.Name), Name: "driver-not-loaded", At: booted, Standing: true, Source: lines[0].Source,
				Text: fmt.Sprintf("since the kernel %s started it has not loaded NVIDIA's module", n.Object.Status.NodeInfo.KernelVersion)}, Kind: KernelKind, Weight: 1})
		}
	}
	if loaded {
		for _, f := range without {
			w.addOnce(*f)
		}
	}
}
