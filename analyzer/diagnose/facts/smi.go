package facts

import (
	"regexp"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

var (
	smiGPU = regexp.MustCompile(`^\s*GPU ([0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f])\s*$`)
	smiRow = regexp.MustCompile(`^\s*([A-Z][A-Za-z /]*?)\s*:\s*(\S.*?)\s*$`)
)

// smiRows are rows of nvidia-smi -q that tell of a fault where they say so,
// and the facts for them, under the names that metrics give them too.
var smiRows = []struct {
	section, row, says, fact, text string
	weight                         float64
}{
	{"Remapped Rows", "Pending", "Yes", "row-remap-pending", "a row of memory waits to be replaced at the next reset", 1},
	{"Remapped Rows", "Remapping Failure Occurred", "Yes", "row-remap-failed", "a bad row of memory could not be replaced", 3},
	{"Retired Pages", "Pending Page Blacklist", "Yes", "row-remap-pending", "a page of memory waits to be retired at the next reset", 1},
	{"Reasons", "HW Thermal Slowdown", "Active", "thermal-throttle", "clocks are lowered because of heat", 2},
	{"Reasons", "HW Power Brake Slowdown", "Active", "power-brake", "the power supply asserts its brake", 2},
}

// readSMI reads what nvidia-smi -q told a program that looked at its GPUs
// before it used them. A row means something only below the GPU and the
// section that come before it.
func (w *World) readSMI() {
	for _, l := range w.s.Logs {
		p := w.pods[analyzer.Pod(l.Namespace, l.Pod)]
		if p == nil || p.Spec.NodeName == "" {
			continue
		}
		var gpu analyzer.Subject
		section := ""
		for _, line := range l.Lines {
			if gpu.IsZero() && !strings.Contains(line.Text, "GPU ") {
				continue // nearly all lines; the expressions take longer
			}
			if m := smiGPU.FindStringSubmatch(line.Text); m != nil {
				gpu, section = w.gpuAt(p.Spec.NodeName, m[1], nil), ""
				continue
			}
			if gpu.IsZero() {
				continue
			}
			if name := strings.TrimSpace(line.Text); !strings.Contains(name, ":") {
				section = name
				continue
			}
			if m := smiRow.FindStringSubmatch(line.Text); m != nil {
				w.readSMIRow(p, gpu, section, m[1], m[2], line)
			}
		}
	}
}

func (w *World) readSMIRow(p *pod, gpu analyzer.Subject, section, row, says string, line snapshot.Line) {
	for _, x := range smiRows {
		if x.row != row || x.says != says || !strings.Contains(section, x.section) {
			continue
		}
		w.addOnce(Fact{Fact: analyzer.Fact{Subject: gpu, Name: x.fact, At: line.At, Standing: w.now.Sub(line.At) <= newsOfEnds, Source: line.Source, Text: "nvidia-smi said that " + x.text},
			Kind: LogKind, Weight: x.weight, Seen: []analyzer.Subject{p.subject}})
	}
}
