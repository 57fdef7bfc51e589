//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

const question = "alert when CPU usage on any node is above 50% for 30 seconds"

func queryEscape(s string) string { return url.QueryEscape(s) }

// A madeUpNode is a /proc whose CPU time goes by as the test says.
type madeUpNode struct {
	proc, sys string

	mu         sync.Mutex
	busy, idle float64 // seconds
	load       float64 // 0..1
}

// newNode lays out the node of collector/host's tests and lets its time go by
// until the test ends.
func newNode(t *testing.T) *madeUpNode {
	t.Helper()
	dir := t.TempDir()
	a, err := txtar.ParseFile("../collector/host/testdata/node.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if strings.Contains(f.Name, "/") {
			write(t, filepath.Join(dir, f.Name), string(f.Data))
		}
	}
	n := &madeUpNode{proc: filepath.Join(dir, "proc"), sys: filepath.Join(dir, "sys"), busy: 1000, idle: 9000}
	write(t, filepath.Join(n.proc, "uptime"), "86400.00 80000.00\n")
	tick := time.NewTicker(250 * time.Millisecond)
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for last := time.Now(); ; {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				n.pass(t, now.Sub(last))
				last = now
			}
		}
	})
	t.Cleanup(func() { tick.Stop(); close(stop); done.Wait() })
	return n
}

// pass lets d go by on a node of one CPU.
func (n *madeUpNode) pass(t *testing.T, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy += n.load * d.Seconds()
	n.idle += (1 - n.load) * d.Seconds()
	const hertz = 100 // of the counters in /proc/stat
	cpu := fmt.Sprintf("%.0f 0 0 %.0f 0 0 0 0 0 0", n.busy*hertz, n.idle*hertz)
	write(t, filepath.Join(n.proc, "stat"), "cpu  "+cpu+"\ncpu0 "+cpu+"\nintr 1\nctxt 1\nbtime 1764000000\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n")
}

func (n *madeUpNode) work(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.load = share
}

// held returns the alerts that Alertmanager holds, by name and instance.
func held(t *testing.T, alertmanager string) map[string]bool {
	t.Helper()
	var as []struct{ Labels map[string]string }
	if !get(alertmanager+"/api/v2/alerts?active=true", "", &as) {
		return nil
	}
	out := map[string]bool{}
	for _, a := range as {
		out[a.Labels["alertname"]+" "+a.Labels["instance"]] = true
	}
	return out
}

func startAgent(t *testing.T, c *central, args ...string) *process {
	t.Helper()
	return start(t, agent, append([]string{"--endpoint", c.otlp, "--insecure", "--token-file", c.ingestFile, "--period", "1s", "--dcgm", "off"}, args...)...)
}

// TestSayItAndBeWoken is the product in one test: plain English becomes a
// published rule, the load comes, a real Alertmanager holds the alert, and it
// resolves when the load ends.
func TestSayItAndBeWoken(t *testing.T) {
	am := startAlertmanager(t)
	c := startServer(t, t.TempDir(), am)
	n := newNode(t)
	n.work(0.1)
	config := write(t, filepath.Join(t.TempDir(), "agent.yaml"), fmt.Sprintf("apiVersion: vedette.dev/v1\nkind: AgentConfig\nnode: node-a\nproc: %s\nsys: %s\nkmsg: \"\"\n", n.proc, n.sys))
	a := startAgent(t, c, "--config", config)
	a.within(t, "CPU time of node-a", patience, func() bool { return len(c.query(`node_cpu_seconds_total{instance="node-a"}`)) > 0 })

	said := c.vedette(t, "ask", question)
	if !strings.Contains(said, "Not published") || !strings.Contains(said, "> 0.5") {
		t.Errorf("asked without the word to publish: %s", said)
	}
	said = c.vedette(t, "ask", question, "--publish", "--by", "ada")
	if !strings.Contains(said, "is published") {
		t.Errorf("asked to publish: %s", said)
	}
	if rules := c.vedette(t, "rules", "list"); !strings.Contains(rules, "NodeCPUUsageHigh") || !strings.Contains(rules, "ada") {
		t.Errorf("the rules that stand: %s", rules)
	}
	must(t, promtool, "check", "rules", glob(t, filepath.Join(c.dir, "data", "rules", "node-cpu-usage-high-*.yaml")))
	must(t, promtool, "test", "rules", glob(t, filepath.Join(c.dir, "data", "rules", "tests", "node-cpu-usage-high-*.yaml")))

	if got := held(t, am); len(got) > 0 {
		t.Fatalf("alerts before the load: %v", got)
	}
	n.work(0.9)
	a.within(t, "alert at Alertmanager", 5*time.Minute, func() bool { return held(t, am)["NodeCPUUsageHigh node-a"] })

	said = c.vedette(t, "ask", "silence NodeCPUUsageHigh on node node-a for 1 hour")
	id := regexp.MustCompile(`Action ([0-9]+), proposed`).FindStringSubmatch(said)
	if id == nil || !strings.Contains(said, "of them fire now: NodeCPUUsageHigh (1)") || quieted(am) {
		t.Fatalf("asked for silence: %s", said)
	}
	if said := c.vedette(t, "actions", "approve", id[1], "--by", "ada"); !strings.Contains(said, "stands until") {
		t.Errorf("approved the silence: %s", said)
	}
	a.within(t, "silence at Alertmanager", patience, func() bool { return quieted(am) })
	id = regexp.MustCompile(`Action ([0-9]+), proposed`).FindStringSubmatch(c.vedette(t, "ask", "lift the silence of NodeCPUUsageHigh on node node-a"))
	if id == nil {
		t.Fatal("the end of the silence was not proposed")
	}
	if said := c.vedette(t, "actions", "approve", id[1], "--by", "ada"); !strings.Contains(said, "ended silence") {
		t.Errorf("approved its end: %s", said)
	}
	a.within(t, "end of the silence", patience, func() bool { return !quieted(am) })

	n.work(0.1)
	a.within(t, "end of the alert", 5*time.Minute, func() bool { return !held(t, am)["NodeCPUUsageHigh node-a"] })
	if code := a.stop(t); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	if code := c.stop(t); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
}

// quieted reports whether an Alertmanager has alerts that it tells nobody of.
func quieted(alertmanager string) bool {
	var alerts []json.RawMessage
	return get(alertmanager+"/api/v2/alerts?active=false&inhibited=false&unprocessed=false&silenced=true", "", &alerts) && len(alerts) > 0
}

// TestRealLoad is the same on this machine: its own /proc, its own processors.
func TestRealLoad(t *testing.T) {
	am := startAlertmanager(t)
	c := startServer(t, t.TempDir(), am)
	a := startAgent(t, c, "--node", "this-machine")
	a.within(t, "CPU time of this machine", patience, func() bool { return len(c.query(`node_cpu_seconds_total{instance="this-machine"}`)) > 0 })
	for _, name := range []string{"node_memory_MemAvailable_bytes", "node_load1", "node_filesystem_avail_bytes", "node_network_receive_bytes_total"} {
		c.within(t, name, patience, func() bool { return len(c.query(name+`{instance="this-machine"}`)) > 0 })
	}
	c.vedette(t, "ask", question, "--publish", "--by", "ada")

	stop := make(chan struct{})
	var done sync.WaitGroup
	for range runtime.NumCPU() {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	defer func() { close(stop); done.Wait() }()
	a.within(t, "alert at Alertmanager", 5*time.Minute, func() bool { return held(t, am)["NodeCPUUsageHigh this-machine"] })
}

func glob(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("%s is %v, %v; want one file", pattern, files, err)
	}
	return files[0]
}

// TestTokens: nobody without a token writes or reads.
func TestTokens(t *testing.T) {
	c := startServer(t, t.TempDir(), "")
	wrong := write(t, filepath.Join(c.dir, "wrong.token"), "wrong\n")
	a := start(t, agent, "--endpoint", c.otlp, "--insecure", "--token-file", wrong, "--period", "1s", "--dcgm", "off", "--kmsg", "", "--node", "stranger")
	a.find(t, `(?i)(unauthenticated)`)
	if got := c.query(`node_load1{instance="stranger"}`); len(got) > 0 {
		t.Errorf("a stranger wrote %v", got)
	}
	_, stderr, code := run(t, vedette, "--server", c.url, "--token-file", wrong, "incidents", "list")
	if code != 1 || !strings.Contains(stderr, "token") {
		t.Errorf("a stranger read: status %d, %s", code, stderr)
	}
}

// TestOutage: the server is away, the agent is restarted meanwhile, and what
// was read in that time is in the store afterwards.
func TestOutage(t *testing.T) {
	dir, site, otlp, page := t.TempDir(), freePort(t), freePort(t), freePort(t)
	c := startServerAt(t, dir, "", site, otlp)
	args := []string{"--node", "node-b", "--kmsg", "", "--kubelet", "off", "--queue", filepath.Join(dir, "queue.db"), "--listen", page}
	a := startAgent(t, c, args...)
	a.within(t, "clock of node-b", patience, func() bool { return len(c.query(`node_time_seconds{instance="node-b"}`)) > 0 })

	c.stop(t)
	left := time.Now()
	waits := func() bool { return number(scrape(page), `vedette_agent_queue_bytes{instance="node-b"}`) > 0 }
	a.within(t, "something in the queue", patience, waits)
	a.within(t, "ten seconds of it", patience, func() bool { return time.Since(left) > 10*time.Second })
	if code := a.stop(t); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	a = startAgent(t, c, args...)
	a.within(t, "the queue of the agent before", patience, waits)
	c = startServerAt(t, dir, "", site, otlp)
	back := time.Now()
	a.within(t, "an empty queue", patience, func() bool { return number(scrape(page), `vedette_agent_queue_bytes{instance="node-b"}`) == 0 })

	var r struct {
		Data struct {
			Result []struct{ Values [][2]any }
		}
	}
	if !get(c.url+"/api/v1/query?query="+queryEscape(`node_time_seconds{instance="node-b"}[5m]`), c.apiToken, &r) || len(r.Data.Result) != 1 {
		t.Fatalf("the clock of node-b is %v", r.Data.Result)
	}
	during, last := 0, 0.0
	for _, v := range r.Data.Result[0].Values {
		at := v[0].(float64)
		if at > float64(left.Unix()) && at < float64(back.Unix()) {
			during++
		}
		if gap := at - last; last > 0 && gap > 6 { // an agent that restarts misses a look or three
			t.Errorf("there is a gap of %.0f s before %.0f", gap, at)
		}
		last = at
	}
	t.Logf("away for %.0f s, %d samples of that time", back.Sub(left).Seconds(), during)
	if during < 8 {
		t.Errorf("%d samples are of the outage of %.0f s", during, back.Sub(left).Seconds())
	}
}

// scrape returns the agent's page, "" where there is none.
func scrape(address string) string {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// number returns the value of a series of a page, −1 where it is not there.
func number(page, series string) float64 {
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
				return v
			}
		}
	}
	return -1
}
