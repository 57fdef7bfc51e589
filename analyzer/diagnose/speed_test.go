package diagnose

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/knowledge"
	"vedette.dev/analyzer/snapshot"
)

var (
	speed = flag.Bool("speed", false, "print what a diagnosis of 1,000 nodes and 30,000 pods costs")
	alone = flag.String("alone", "", "what a process of -speed does: decode or diagnose")
	vastD = flag.String("vast", "", "the snapshot that it does it with")
)

// TestVast checks that what is wrong in a made-up cluster is found among all
// that is well.
func TestVast(t *testing.T) {
	dir := t.TempDir()
	writeVast(t, dir, 128, 1500)
	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range Diagnose(s, analyzer.Subject{}).Diagnoses {
		got = append(got, fmt.Sprintf("%s %s", d.Cause, d.Subject))
	}
	want := []string{
		"gpu-fell-off-bus gpu/ip-10-0-0-7.ec2.internal/GPU-00000007-0000-4000-8000-000000000000",
		"image-not-found deployment/shop-0/newest",
		"pod-anti-affinity-conflict deployment/shop-0/aloof",
		"gpu-capacity-exhausted job/ml/waiting",
		"container-oom-killed deployment/shop-1/greedy",
		"node-not-ready node/ip-10-0-0-64.ec2.internal",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("diagnoses (-want +got):\n%s", d)
	}
	if bad := slices.Concat(s.Unseen, s.Problems()); len(bad) > 0 {
		t.Errorf("it does not parse: %q", bad)
	}
}

// tries is how often each side of a comparison is measured, in turns; the
// least counts, as it was disturbed the least.
const tries = 5

// TestSpeed is how make bench-diagnose prints, and no test of anything.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("no -speed: this is for make bench-diagnose")
	}
	dir := t.TempDir()
	writeVast(t, dir, 1000, 30_000)
	decode, diagnose := cost{}, cost{}
	for range tries {
		decode.least(t, dir, "decode")
		diagnose.least(t, dir, "diagnose")
	}
	fmt.Printf("1,000 nodes, 30,000 pods: %d MB in all, %d MB of JSON; least of %d processes each, in turns\n", size(t, dir, "")>>20, (size(t, dir, ".json")+size(t, dir, ".jsonl"))>>20, tries)
	fmt.Printf("decoding the JSON with encoding/json   %6.2f s of processor time\n", decode.cpu.Seconds())
	fmt.Printf("the diagnosis, all files               %6.2f s, %.2f of it; %.1f s to the report, %d MiB at most\n",
		diagnose.cpu.Seconds(), diagnose.cpu.Seconds()/decode.cpu.Seconds(), diagnose.wall.Seconds(), diagnose.memory>>20)

	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var logs []string
	total := 0
	for _, l := range s.Logs {
		for _, line := range l.Lines {
			logs = append(logs, line.Text)
			total += len(line.Text)
		}
	}
	one, rare, all := time.Hour, time.Hour, time.Hour
	for range tries {
		one = min(one, cpuOf(func() { hits = holding(logs, "connection refused") }))
		rare = min(rare, cpuOf(func() { hits = holding(logs, "NVRM: Xid") })) // few lines have an N: this is nearly as fast as memory is read
		all = min(all, cpuOf(func() {
			shelf := knowledge.All().In(knowledge.Log)
			for _, line := range logs {
				hits += len(shelf.Match(line))
			}
		}))
	}
	rate := func(d time.Duration) float64 { return float64(total) / d.Seconds() / 1e6 }
	fmt.Printf("one literal in %d MB of log lines      %6.0f MB/s, one that starts with a letter that they lack %.0f MB/s\n", total>>20, rate(one), rate(rare))
	fmt.Printf("all signatures in them                 %6.0f MB/s, %.2f and %.2f of it\n\n", rate(all), rate(all)/rate(one), rate(all)/rate(rare))
}

// hits keeps what is measured from being left out by the compiler.
var hits int

func holding(lines []string, literal string) int {
	n := 0
	for _, line := range lines {
		if strings.Contains(line, literal) {
			n++
		}
	}
	return n
}

// cpuOf returns the processor time of this process while f runs.
func cpuOf(f func()) time.Duration {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for other arguments only
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	f()
	return used() - before
}

// A cost is the least that several processes took for the same.
type cost struct {
	cpu, wall time.Duration
	memory    int64 // bytes resident
}

// least runs what in a process of its own.
func (c *cost) least(t *testing.T, dir, what string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestAlone$", "-alone", what, "-vast", dir)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	wall := time.Since(start)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	memory := int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10
	if c.cpu == 0 || cpu < c.cpu {
		c.cpu = cpu
	}
	if c.wall == 0 || wall < c.wall {
		c.wall = wall
	}
	c.memory = max(c.memory, memory) // of memory the most counts
}

// TestAlone is what the processes of TestSpeed do.
func TestAlone(t *testing.T) {
	switch *alone {
	case "decode":
		each(t, *vastD, ".json", decodeAny)
		each(t, *vastD, ".jsonl", func(t *testing.T, data []byte) {
			for line := range bytes.Lines(data) {
				decodeAny(t, line)
			}
		})
	case "diagnose":
		s, err := snapshot.Read(*vastD)
		if err != nil {
			t.Fatal(err)
		}
		if got := print(t, Diagnose(s, analyzer.Subject{})); !strings.Contains(got, "gpu-fell-off-bus") {
			t.Fatal(got)
		}
	default:
		t.Skip("no -alone: this is a part of -speed")
	}
}

func decodeAny(t *testing.T, data []byte) {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
}

// each calls do with every file below dir whose name has this extension; "" is any.
func each(t *testing.T, dir, ext string, do func(t *testing.T, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || ext != "" && filepath.Ext(path) != ext {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			do(t, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, dir, ext string) int {
	n := 0
	each(t, dir, ext, func(_ *testing.T, data []byte) { n += len(data) })
	return n
}
