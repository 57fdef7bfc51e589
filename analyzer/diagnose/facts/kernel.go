package facts

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/analyzer/topology"
	"vedette.dev/rules/fault"
)

var (
	// NVRM: Xid (PCI:0000:4e:00): 79, pid=1234, name=python, GPU has fallen off the bus.
	xidLine = regexp.MustCompile(`NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)[^)]*\)[^:]*: (\d+)\b,?\s*(.*)`)
	// NVRM: GPU 0000:4e:00.0: GPU has fallen off the bus.
	lostLine = regexp.MustCompile(`NVRM: (?:The )?(?:NVIDIA )?GPU (?:at )?(?:PCI:)?([0-9a-fA-F]+:[0-9a-fA-F:.]+).*fallen off the bus`)
	// NVRM: The NVIDIA GPU 0000:4e:00.0, of which the lines that follow say what is wrong.
	theGPULine = regexp.MustCompile(`NVRM: The NVIDIA GPU (?:at )?(?:PCI:)?([0-9a-fA-F]+:[0-9a-fA-F:.]+)`)
	// … is not supported by the NVIDIA 570.86.15 driver release; … requires use of the NVIDIA open kernel modules
	notForIt = regexp.MustCompile(`not supported by|requires use of|require use of`)
	// nvidia: probe of 0000:4e:00.0 failed with error -1; NVRM: GPU 0000:4e:00.0: RmInitAdapter failed! (0x22:0x56:762)
	initLine = regexp.MustCompile(`nvidia: probe of ([0-9a-fA-F:.]+) failed with error|NVRM: GPU ([0-9a-fA-F:.]+): (?:RmInitAdapter|rm_init_adapter) failed|nvidia ([0-9a-fA-F:.]+): Unable to change power state from D3cold to D0`)
	// NVRM: GPU at PCI:0000:65:00: GPU-e7d02fb3-0e43-5cf6-be96-5f513460995c, which the driver writes before the first Xid of a GPU.
	uuidLine = regexp.MustCompile(`NVRM: GPU at (?:PCI:)?([0-9a-fA-F:.]+): (GPU-[0-9a-fA-F-]+)`)
	// The device plug-in and monitors: XidCriticalError: Xid=79 on Device=GPU-e7d02fb3-…; Xid 79 on GPU-e7d02fb3-…
	xidElsewhere = regexp.MustCompile(`(?i)\bxid(?: error| critical error)?[ =:#]*(\d{1,3})\b.*?(GPU-[0-9a-fA-F]{8}-[0-9a-fA-F-]+)`)
	// nvidia-smi: Unable to determine the device handle for GPU0000:4E:00.0: GPU is lost. Reboot the system to recover this GPU
	lostHandle = regexp.MustCompile(`Unable to determine the device handle for GPU ?([0-9a-fA-F]+:[0-9a-fA-F]+:[0-9a-fA-F.]+): (?:GPU is lost|Unknown Error)`)
	// The first lines of a kernel that has just started.
	bootLine = regexp.MustCompile(`^(?:\[[ 0-9.]+\] )?(Linux version \d|Command line: )`)
	// NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  570.86.15, which the driver writes when it starts anew.
	driverLine = regexp.MustCompile(`NVRM: loading NVIDIA UNIX `)
)

const fellOffBus fault.Xid = 79

// episodeGap parts one series of the same Xid from the next. Drivers repeat a
// line for as long as a program retries, for minutes at most.
const episodeGap = 5 * time.Minute

// readKernel reads Xids out of the kernel logs; other lines are patterns of knowledge.yaml.
func (w *World) readKernel() {
	logs := maps.Clone(w.s.Kernel)
	for _, u := range w.s.Units { // where it was captured from the journal
		if u.Unit == "kernel" || strings.HasPrefix(u.Unit, "kmsg") {
			logs[u.Node] = slices.Concat(logs[u.Node], u.Lines)
		}
	}
	for _, e := range w.s.Events {
		if node := e.About(); node.Kind == "node" && strings.Contains(e.Message, "NVRM: ") && logs[node.Name] == nil {
			logs[node.Name] = []snapshot.Line{{At: e.Onset(), Text: e.Message, Source: e.Source}}
		}
	}
	for _, node := range slices.Sorted(maps.Keys(logs)) {
		lines := logs[node]
		booted := bootedAt(lines)
		uuids := map[string]string{}
		for _, l := range lines {
			if m := uuidLine.FindStringSubmatch(l.Text); m != nil {
				uuids[topology.NormalPCI(m[1])] = m[2]
			}
		}
		episodes := map[string]*Fact{}
		lines = joined(lines)
		for _, l := range lines {
			w.readXid(node, l, uuids, episodes)
		}
		w.readFailedStarts(node, lines, uuids)
		started := booted
		if at := lastOf(lines, driverLine); at.After(started) {
			started = at
		}
		for _, f := range episodes {
			f.Standing = f.At.IsZero() || !lastSeen(f).Before(started)
		}
	}
}

// bootedAt returns when the kernel last started, as far as its log tells.
func bootedAt(lines []snapshot.Line) time.Time { return lastOf(lines, bootLine) }

// lastOf returns when the last line was written that matches.
func lastOf(lines []snapshot.Line, like *regexp.Regexp) (at time.Time) {
	for _, l := range lines {
		if like.MatchString(l.Text) {
			at = l.At
		}
	}
	return at
}

func (w *World) readXid(node string, l snapshot.Line, uuids map[string]string, episodes map[string]*Fact) {
	code, pci, rest := fault.Xid(0), "", ""
	if m := xidLine.FindStringSubmatch(l.Text); m != nil {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return // more digits than a number has
		}
		code, pci, rest = fault.Xid(n), m[1], m[3]
	} else if m := lostLine.FindStringSubmatch(l.Text); m != nil {
		code, pci = fellOffBus, m[1]
	} else {
		return
	}
	gpu := w.gpuAt(node, pci, uuids)
	if nonfatal.MatchString(rest) {
		w.harmless[gpuXid{gpu, code}] = true
	}
	key := fmt.Sprintf("%s %d", gpu, code)
	ev := analyzer.Evidence{Source: l.Source, At: l.At, Text: l.Text}
	if f := episodes[key]; f != nil && l.At.Sub(lastSeen(f)) <= episodeGap {
		f.Also, f.Until = append(f.Also, ev), l.At
		return
	}
	f := w.addXid(gpu, code, l.At, l.Source, KernelKind)
	f.Also = append(f.Also, ev)
	if _, name, ok := strings.Cut(rest, "name="); ok {
		f.Detail["process"], _, _ = strings.Cut(name, ",")
	}
	episodes[key] = f
}

// gpuAt returns the GPU of a node at an address of its bus.
func (w *World) gpuAt(node, pci string, uuids map[string]string) analyzer.Subject {
	if gpu, ok := w.Graph.GPUByPCI(node, pci); ok {
		return gpu
	}
	if uuid := uuids[topology.NormalPCI(pci)]; uuid != "" {
		return analyzer.GPU(node, uuid)
	}
	return analyzer.GPU(node, "PCI:"+cmp.Or(topology.NormalPCI(pci), pci))
}

// sentence is over how many lines the driver writes what is wrong with a GPU
// that it cannot start.
const sentence = 4

// joined returns the lines with those that begin a sentence about a GPU, and
// name it, followed by the rest of it.
func joined(lines []snapshot.Line) []snapshot.Line {
	all := slices.Clone(lines)
	for i, l := range lines {
		if !theGPULine.MatchString(l.Text) {
			continue
		}
		for _, next := range lines[i+1 : min(i+sentence, len(lines))] {
			_, said, ok := strings.Cut(next.Text, "NVRM: ")
			if !ok || theGPULine.MatchString(next.Text) {
				break
			}
			all[i].Text += " " + strings.TrimSpace(said)
		}
	}
	return all
}

// readFailedStarts reads that the driver could not start a GPU that it knows
// when it was loaded.
func (w *World) readFailedStarts(node string, lines []snapshot.Line, uuids map[string]string) {
	booted := bootedAt(lines)
	unknown := map[string]bool{}
	for _, l := range lines {
		if !strings.Contains(l.Text, "nvidia") && !strings.Contains(l.Text, "NVRM: ") {
			continue // nearly all lines; the expressions take longer
		}
		if m := theGPULine.FindStringSubmatch(l.Text); m != nil && notForIt.MatchString(l.Text) {
			unknown[topology.NormalPCI(m[1])] = true
		}
		m := initLine.FindStringSubmatch(l.Text)
		if m == nil {
			continue
		}
		if pci := cmp.Or(m[1], m[2], m[3]); !unknown[topology.NormalPCI(pci)] {
			w.addOnce(Fact{Fact: analyzer.Fact{Subject: w.gpuAt(node, pci, uuids), Name: "gpu-not-started", At: l.At, Standing: !l.At.Before(booted), Source: l.Source, Text: clip(l.Text)}, Kind: KernelKind, Weight: 1})
		}
	}
}

// nonfatal is how the lines of NVLink 5 begin that the link goes on after, as
// the ends of a link that fails elsewhere write them.
var nonfatal = regexp.MustCompile(`(?i)^\w+\s+non-?fatal\b`)

// A gpuXid is an Xid of a GPU.
type gpuXid struct {
	gpu  analyzer.Subject
	code fault.Xid
}

// readXidsElsewhere reads Xids out of the logs of those who watch GPUs. They
// confirm a kernel line, and stand for it where no kernel log was captured.
func (w *World) readXidsElsewhere() {
	once := map[string]bool{}
	for _, l := range w.s.Logs {
		p := w.pods[analyzer.Pod(l.Namespace, l.Pod)]
		if p == nil || p.Spec.NodeName == "" || !w.operand(p) {
			continue
		}
		for _, line := range l.Lines {
			w.readLostHandle(p, line)
			m := xidElsewhere.FindStringSubmatch(line.Text)
			if m == nil {
				continue
			}
			code, _ := strconv.Atoi(m[1])
			gpu := analyzer.GPU(p.Spec.NodeName, m[2])
			if key := fmt.Sprintf("%s %d", gpu, code); !once[key] {
				once[key] = true
				f := w.addXid(gpu, fault.Xid(code), line.At, line.Source, LogKind)
				f.Also = append(f.Also, analyzer.Evidence{Source: line.Source, At: line.At, Text: clip(line.Text)})
				f.Standing = w.now.Sub(line.At) <= newsOfEnds
			}
		}
	}
}

// readLostHandle reads nvidia-smi's word for a GPU that does not answer.
func (w *World) readLostHandle(p *pod, line snapshot.Line) {
	if !strings.Contains(line.Text, "device handle") {
		return
	}
	m := lostHandle.FindStringSubmatch(line.Text)
	if m == nil {
		return
	}
	w.addOnce(Fact{Fact: analyzer.Fact{Subject: w.gpuAt(p.Spec.NodeName, m[1], nil), Name: "gpu-lost-said", At: line.At, Standing: w.now.Sub(line.At) <= time.Hour, Source: line.Source, Text: clip(line.Text)},
		Kind: LogKind, Weight: 2, Seen: []analyzer.Subject{p.subject}})
}

func lastSeen(f *Fact) time.Time { return f.Also[len(f.Also)-1].At }

// addXid records an Xid as a fact called xid-<code>.
func (w *World) addXid(gpu analyzer.Subject, code fault.Xid, at time.Time, source string, k Kind) *Fact {
	x := fault.Xids()[code]
	text := fmt.Sprintf("Xid %d", code)
	if x.Meaning != "" {
		text += ": " + strings.TrimSuffix(x.Meaning, ".")
	}
	name, weight := fmt.Sprintf("xid-%d", code), xidWeight(x)
	if w.harmless[gpuXid{gpu, code}] {
		name, weight = "nvlink-nonfatal", 0
	}
	return w.add(Fact{
		Fact: analyzer.Fact{Subject: gpu, Name: name, At: at, Standing: true, Text: text, Source: source},
		Kind: k, Weight: weight, Detail: map[string]string{"xid": strconv.Itoa(int(code))},
	})
}

// xidWeight is how much an Xid hurts by itself. One that the program brought
// upon itself, and one that only cleans up, hurt through the pod that ends:
// where no pod ends there is nothing to complain of.
func xidWeight(x fault.XidFact) float64 {
	switch c := fault.Causes()[x.Cause]; {
	case x.Cause == "gpu-row-remap-pending" || x.Cause == "gpu-ecc-contained":
		return 1
	case c.Scope == "gpu" || c.Scope == "node":
		return 3
	case x.Cause == "" && x.Fatal && strings.HasPrefix(x.Remedy, "RESET"), x.Remedy == "CHECK_MECHANICALS":
		return 1
	}
	return 0
}
