//go:build e2e

// Command versus runs vedette-agent and NVIDIA's dcgm-exporter one after the
// other on the same made-up GPUs, and prints what a cycle of each costs: the
// newest values read, and the page served to one scraper. `make bench-agent`
// builds both and runs it.
//
// What a reader would get wrong: the GPUs are a library of ours behind DCGM's C
// interface, whose time counts for both programs; the engine's own work on a
// real GPU, which is the same under both, is not in the figures.
package main

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedette.dev/fixtures/dcgmstub"
)

const nodeGPUs = 8 // as nodes are sold

//go:embed counters.csv
var counters string

func main() {
	b := &bench{gpus: nodeGPUs}
	flag.StringVar(&b.agent, "agent", "bin/vedette-agent", "vedette-agent's binary")
	flag.StringVar(&b.exporter, "exporter", "", "dcgm-exporter's binary; empty measures ours alone")
	flag.DurationVar(&b.period, "period", 100*time.Millisecond, "of a cycle; the shortest that DCGM samples at makes the most cycles")
	flag.IntVar(&b.cycles, "cycles", 100, "to measure in each run")
	flag.IntVar(&b.rounds, "rounds", 5, "of runs, of which the medians are taken")
	soak := flag.Int("soak", 10_000, "cycles of one long run of ours, for its memory; 0 is none")
	record := flag.String("record", "", "record dcgm-exporter's pages into this folder, and measure nothing")
	flag.Parse()
	if err := b.run(*soak, *record); err != nil {
		fmt.Fprintln(os.Stderr, "versus:", err)
		os.Exit(1)
	}
}

// A bench is what both programs run on.
type bench struct {
	agent, exporter string
	period          time.Duration
	cycles, rounds  int

	gpus int
	dir  string
	env  []string
}

// A subject is a program with its arguments.
type subject struct {
	name string
	ours bool
	pods int // that share each GPU; 0 is no kubelet
	args []string
}

// alone is the agent when it does what dcgm-exporter does, and no more.
var alone = []string{"--host", "off", "--kmsg", ""}

var (
	ours       = subject{name: "vedette-agent, GPUs alone", ours: true, args: alone}
	whole      = subject{name: "vedette-agent, with the machine", ours: true}
	theirs     = subject{name: "dcgm-exporter"}
	oursOne    = subject{name: "vedette-agent, 1 pod a GPU", ours: true, pods: 1, args: alone}
	oursTen    = subject{name: "vedette-agent, 10 pods share a GPU", ours: true, pods: 10, args: alone}
	theirsOne  = subject{name: "dcgm-exporter, 1 pod a GPU", pods: 1}
	theirsTen  = subject{name: "dcgm-exporter, 10 pods share a GPU", pods: 10, args: []string{"--kubernetes-virtual-gpus"}}
	everything = []subject{ours, theirs, whole, oursOne, theirsOne, oursTen, theirsTen}
)

func (b *bench) run(soak int, record string) error {
	dir, err := os.MkdirTemp("", "versus") // short: the path of a socket must be
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	library, err := dcgmstub.Build(dir)
	if err != nil {
		return err
	}
	if err := os.Symlink(library, filepath.Join(dir, "libdcgm.so.4")); err != nil {
		return err
	}
	b.env = []string{"LD_LIBRARY_PATH=" + dir, dcgmstub.Env + "=" + b.file("script"), "NODE_NAME=gpu-node-1"}
	if record != "" {
		return b.record(record)
	}
	// How much of a program's file is in memory depends on what the machine has
	// done with it before: both are new files.
	for _, program := range []*string{&b.agent, &b.exporter} {
		if *program == "" {
			continue
		}
		text, err := os.ReadFile(*program)
		if err != nil {
			return err
		}
		*program = b.file(filepath.Base(*program))
		if err := os.WriteFile(*program, text, 0o755); err != nil {
			return err
		}
	}
	if err := b.script().Write(b.file("script")); err != nil {
		return err
	}
	if err := os.WriteFile(b.file("counters.csv"), []byte(counters), 0o644); err != nil {
		return err
	}
	if err := b.compare(); err != nil {
		return err
	}
	return b.soak(soak)
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

// fields are DCGM's numbers of the counters in the table.
var fields = []int{67, 100, 101, 112, 113, 140, 150, 155, 156, 158, 160, 164, 170, 174, 190, 191, 202, 203, 204, 206, 207, 230, 235, 236, 237, 238, 240,
	1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1523}

// script gives each of them a reading on every GPU. MIG, which is 67, is off.
func (b *bench) script() *dcgmstub.Script {
	s := dcgmstub.NewScript(b.gpus)
	for g := range b.gpus {
		for _, f := range fields {
			s.Set(g, f, float64(f)+float64(g)/8)
		}
		s.Set(g, 67, 0)
	}
	return s
}

// launch starts a subject.
func (b *bench) launch(s subject) (*process, func(), error) {
	address, err := free()
	if err != nil {
		return nil, nil, err
	}
	stopPods := func() {}
	socket := b.file("kubelet.sock")
	if s.pods > 0 {
		if stopPods, err = serveKubelet(socket, b.gpus, s.pods); err != nil {
			return nil, nil, err
		}
	}
	name := b.exporter
	args := []string{"--disable-startup-validate", "--address", address, "--collectors", b.file("counters.csv"),
		"--collect-interval", strconv.FormatInt(b.period.Milliseconds(), 10), "--pod-resources-kubelet-socket", socket, "--kubernetes=" + strconv.FormatBool(s.pods > 0)}
	if s.ours {
		name = b.agent
		args = []string{"--dcgm", "embedded", "--listen", address, "--counters", b.file("counters.csv"), "--hostname-label", "hostname", "--period", b.period.String(), "--kubelet", "off"}
		if s.pods > 0 {
			args[len(args)-1] = socket
		}
	}
	p, err := start("http://"+address+"/metrics", b.env, name, append(args, s.args...)...)
	if err != nil {
		stopPods()
		return nil, nil, err
	}
	return p, func() { p.stop(); stopPods() }, nil
}

// free is an address that nobody listens at.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// warmUp is how many cycles are not measured: connections are made, buffers grown.
const warmUp = 20

// A cost is what a run came to.
type cost struct {
	cycle time.Duration // of processor time
	memory
	series int
}

// measure runs a subject for a while, and scrapes it once in every cycle.
func (b *bench) measure(s subject) (c cost, err error) {
	p, stop, err := b.launch(s)
	if err != nil {
		return c, err
	}
	defer stop()
	var before time.Duration
	next := time.NewTicker(b.period)
	defer next.Stop()
	for i := range warmUp + b.cycles {
		if i == warmUp {
			if before, err = p.cpu(); err != nil {
				return c, err
			}
		}
		text, err := p.scrape()
		if err != nil {
			return c, err
		}
		c.series = strings.Count("\n"+string(text), "\nDCGM_FI_")
		<-next.C
	}
	after, err := p.cpu()
	if err != nil {
		return c, err
	}
	c.cycle = (after - before) / time.Duration(b.cycles)
	c.memory, err = p.memory()
	return c, err
}

// compare measures every subject in turn, round after round, and prints the medians.
func (b *bench) compare() error {
	var subjects []subject
	for _, s := range everything {
		if s.ours || b.exporter != "" {
			subjects = append(subjects, s)
		}
	}
	if b.exporter == "" {
		fmt.Println("dcgm-exporter is not here (e2e/versus/exporter builds it): what follows is ours alone")
	}
	all := map[string][]cost{}
	for range b.rounds {
		for _, s := range subjects {
			c, err := b.measure(s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			all[s.name] = append(all[s.name], c)
		}
	}
	fmt.Printf("%d GPUs, 40 fields each, a cycle and a scrape every %v; medians of %d runs of %d cycles\n\n", b.gpus, b.period, b.rounds, b.cycles)
	fmt.Printf("%-36s %12s %10s %10s %8s\n", "", "CPU a cycle", "RSS", "of it own", "series")
	mid := map[string]cost{}
	for _, s := range subjects {
		c := median(all[s.name])
		mid[s.name] = c
		fmt.Printf("%-36s %9.2f ms %6.1f MiB %6.1f MiB %8d\n", s.name, ms(c.cycle), c.resident, c.own, c.series)
	}
	fmt.Println()
	if b.exporter != "" {
		tell("CPU, of dcgm-exporter's", ratio(mid[ours.name].cycle, mid[theirs.name].cycle), 0.35)
		tell("RSS, of dcgm-exporter's", mid[ours.name].resident/mid[theirs.name].resident, 0.6)
		tell("CPU with a pod a GPU, of dcgm-exporter's", ratio(mid[oursOne.name].cycle, mid[theirsOne.name].cycle), 0.35)
		tell("CPU with shared GPUs, of dcgm-exporter's", ratio(mid[oursTen.name].cycle, mid[theirsTen.name].cycle), 0.35)
	}
	tell("CPU with shared GPUs, of ours with a pod a GPU", ratio(mid[oursTen.name].cycle, mid[oursOne.name].cycle), 1.1)
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func tell(what string, is, target float64) {
	verdict := "ok"
	if is > target {
		verdict = "missed"
	}
	fmt.Printf("%-48s %5.2f   target %.2f: %s\n", what, is, target, verdict)
}

// median takes the middle of each figure.
func median(cs []cost) cost {
	mid := func(of func(cost) float64) float64 {
		var vs []float64
		for _, c := range cs {
			vs = append(vs, of(c))
		}
		slices.Sort(vs)
		return vs[len(vs)/2]
	}
	return cost{
		cycle:  time.Duration(mid(func(c cost) float64 { return float64(c.cycle) })),
		memory: memory{mid(func(c cost) float64 { return c.resident }), mid(func(c cost) float64 { return c.own })},
		series: cs[0].series,
	}
}

// soak runs ours, with shared GPUs, for many cycles and prints its memory on the way.
func (b *bench) soak(cycles int) error {
	if cycles == 0 {
		return nil
	}
	p, stop, err := b.launch(oursTen)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("\n%s, memory after\n", oursTen.name)
	next := time.NewTicker(b.period)
	defer next.Stop()
	var first, last memory
	for i := 1; i <= cycles; i++ {
		if _, err := p.scrape(); err != nil {
			return errors.Join(err, errors.New(p.out.String()))
		}
		if i == 100 || i == 1000 || i == cycles {
			if last, err = p.memory(); err != nil {
				return err
			}
			if i == 1000 {
				first = last
			}
			fmt.Printf("%7d cycles %6.1f MiB, of it own %5.1f MiB\n", i, last.resident, last.own)
		}
		<-next.C
	}
	if first.own > 0 {
		tell("own memory after all, of that after 1000", last.own/first.own, 1.1)
	}
	return nil
}
