package simulate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedette.dev/rules/strictcsv"
)

// An xidNote is one row of xids.csv.
type xidNote struct {
	code          int
	text          string
	namesProcess  bool
	kills         bool
	lost          bool
	unhealthy     bool
	dbe, remapped float64
	log           string
	then          []int
}

//go:embed xids.csv
var xidTable []byte

// xidNotes returns the table, by code.
var xidNotes = sync.OnceValue(func() map[int]xidNote {
	t := map[int]xidNote{}
	err := strictcsv.Each("xids.csv", bytes.NewReader(xidTable), "code,who,text,kills,lost,unhealthy,dbe,remapped,log,then,source", func(r []string) error {
		var then []int
		n := xidNote{text: r[2], log: r[8]}
		var errs [8]error
		for _, code := range strings.Fields(r[9]) {
			n, err := strconv.Atoi(code)
			errs[7] = errors.Join(errs[7], err)
			then = append(then, n)
		}
		n.code, errs[0] = strconv.Atoi(r[0])
		n.namesProcess, errs[1] = strconv.ParseBool(r[1])
		n.kills, errs[2] = strconv.ParseBool(r[3])
		n.lost, errs[3] = strconv.ParseBool(r[4])
		n.unhealthy, errs[4] = strconv.ParseBool(r[5])
		n.dbe, errs[5] = strconv.ParseFloat(r[6], 64)
		n.remapped, errs[6] = strconv.ParseFloat(r[7], 64)
		n.then = then
		t[n.code] = n
		return errors.Join(errs[:]...)
	})
	if err != nil {
		panic(err) // embedded data
	}
	return t
})

// cleansUp is how long after an error the driver writes of what follows from it.
const cleansUp = 240 * time.Millisecond

// xid is a GPU that reports an error through the driver.
type xid struct {
	target Target
	code   int
}

func (x *xid) act(w *World, _ Duration) bool {
	g, ok := x.target.gpu(w)
	if !ok {
		return false
	}
	g.report(w, xidNotes()[x.code])
	return true
}

// report does what the driver does, and what comes of it: the process on the
// GPU ends, and the device plugin takes the GPU away.
func (g *gpu) report(w *World, note xidNote) {
	victim := g.pod
	if victim != nil && !victim.running() {
		victim = nil
	}
	g.writeXid(w, note, victim)
	g.lastXid = note.code
	g.dbe += note.dbe
	g.remappedUE += note.remapped
	g.remapFailed = g.remapFailed || note.code == 64
	g.remapPending = g.remapPending || note.remapped > 0
	for i, code := range note.then {
		w.after(time.Duration(i+1)*cleansUp, func() {
			g.writeXid(w, xidNotes()[code], victim)
			g.lastXid = code
			g.remappedUE += xidNotes()[code].remapped
			g.remapPending = g.remapPending || xidNotes()[code].remapped > 0
		})
	}
	if note.lost {
		g.lost, g.util = true, 0
	}
	if note.unhealthy {
		w.after(w.seconds(0.5, 1.5), func() {
			g.unhealthy = true
			w.touch(g.node)
		})
	}
	if note.kills && victim != nil {
		w.after(w.seconds(0.8, 1.6), func() { victim.cudaError(w, g, note.log) })
	}
}

// writeXid writes the kernel lines, as drivers since 555 do.
func (g *gpu) writeXid(w *World, note xidNote, victim *pod) {
	const warning = 4
	line := func(format string, args ...any) {
		g.node.kernel(w, w.now, warning, fmt.Sprintf("NVRM: "+format, args...))
	}
	if g.lastXid == 0 {
		line("GPU at PCI:%s: %s", g.bus, g.uuid)
		line("GPU Board Serial Number: %d", g.serial)
	}
	who := "pid='<unknown>', name=<unknown>"
	if note.namesProcess && victim != nil {
		who = fmt.Sprintf("pid=%d, name=python", victim.pid)
	}
	h := w.hash("row", g.uuid)
	row := fmt.Sprintf("0x00000000%08x", h[:4])
	text := strings.NewReplacer("{row}", row, "{gpu}", strconv.Itoa(g.index)).Replace(note.text)
	line("Xid (PCI:%s): %d, %s, %s", g.bus, note.code, who, text)
	if !note.lost {
		return
	}
	line("GPU %s.0: GPU has fallen off the bus.", g.bus)
	line("GPU %s.0: GPU serial number is %d.", g.bus, g.serial)
	line("kgspRcAndNotifyAllChannels_IMPL: RC all channels for critical error %d.", note.code)
	line("Xid (PCI:%s): 154, pid='<unknown>', name=<unknown>, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)", g.bus)
}

// cudaError is what the process on g says before it ends.
func (p *pod) cudaError(w *World, g *gpu, what string) {
	if !p.running() {
		return
	}
	exit := 1
	prefix := ""
	if p.workload.spec.Profile == Training {
		exit = exitAborted
		local := 0
		for i := range p.gpus {
			if p.gpus[i] == g {
				local = i
			}
		}
		prefix = fmt.Sprintf("[rank%d]: ", p.index*p.workload.spec.GPUsPerPod+local)
	}
	p.log(w, prefix+"RuntimeError: "+what)
	p.log(w, prefix+"CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.")
	if exit == exitAborted {
		p.log(w, "terminate called after throwing an instance of 'c10::Error'")
	}
	w.after(w.seconds(0.6, 1.5), func() { p.crash(w, exit) })
}
