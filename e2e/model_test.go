//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
)

// memory is what the model is told that it remembers, in tokens: what it is told
// then is read within half a minute on one core, where all of its 8,192 take two.
const memory = 3584

// startModel runs the small model that e2e/model/install installs and returns the
// base URL of its server.
func startModel(t *testing.T) (*process, string) {
	t.Helper()
	const dir = "../bin/model/"
	p := start(t, dir+"node", dir+"serve.mjs", dir+"model.gguf", "4096")
	return p, p.find(t, `model=(http://\S+)`)
}

// modelConfig is a block "model" for the server at url.
func modelConfig(url, transcript, more string) string {
	return fmt.Sprintf("model: {provider: openai, address: %q, name: smollm2, context: %d, rounds: 1, transcript: %q, %s}\n", url, memory, transcript, more)
}

// TestModel has a real model beside the engine: one so small that nearly all it
// says is refused. What must hold holds whatever it says.
func TestModel(t *testing.T) {
	model, url := startModel(t)
	dir := t.TempDir()
	t.Run("witness", func(t *testing.T) { witnessed(t, dir, url) })
	t.Run("questions", func(t *testing.T) { questioned(t, dir, url) })
	staysHere(t, model)
}

// questioned has the model beside the grammar.
func questioned(t *testing.T, dir, url string) {
	const plain, odd = "which GPUs are hotter than 80 degrees", "which thingies of the cards frobnicate"
	alone := startServer(t, filepath.Join(dir, "alone"), "")
	want := alone.vedette(t, "ask", plain, "-o", "json")
	alone.stop(t)

	for _, mode := range []string{"first", "both"} {
		log := filepath.Join(dir, mode+".log")
		s := startServerAt(t, filepath.Join(dir, mode), "", "127.0.0.1:0", "127.0.0.1:0", modelConfig(url, log, "mode: "+mode+", timeout: 75s"))
		got := s.vedette(t, "ask", plain, "-o", "json")
		a, b := decoded(t, want), decoded(t, got)
		switch heard := len(calls(t, log)); {
		case mode == "first" && heard > 0:
			t.Errorf("the grammar understands %q, and the model was asked %d times", plain, heard)
		case mode == "both" && heard != 1:
			t.Errorf("the model was asked %d times, want once", heard)
		}
		for _, v := range []map[string]any{a, b} {
			delete(v["query"].(map[string]any), "at")
			if mode == "both" { // it may doubt, and that is all
				delete(v, "caveats")
			}
		}
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("mode %s: the grammar's answer is\n%v, want\n%v", mode, b, a)
		}
		if mode == "first" {
			asked := untilHeard(t, log, func() {
				out, errs, _ := run(t, vedette, "--server", s.url, "--token-file", s.apiFile, "ask", odd, "-o", "json")
				answered(t, out, errs)
			})
			if n := len(calls(t, log)); n != asked {
				t.Errorf("the model was asked %d times for %d questions", n, asked)
			}
		}
		staysHere(t, s.process)
		s.stop(t)
	}
}

// untilHeard does what has the model asked until a reply is in the transcript, and
// returns how often it did: a machine that is busy with other things reads on, the
// next time, where the time was up. What does not come in the end is an error.
func untilHeard(t *testing.T, log string, do func()) int {
	t.Helper()
	const most = 4
	for n := 1; n <= most; n++ {
		if do(); replied(t, log) > 0 {
			return n
		}
	}
	t.Errorf("the model never answered in %d tries", most)
	return most
}

// answered holds an answer to what must be true of it whoever read the question:
// it is a refusal that says why, or what a model read and says so, of which every
// expression passes the checks.
func answered(t *testing.T, out, errs string) {
	t.Helper()
	a := decoded(t, out)
	t.Logf("the answer is of kind %v, with %v", a["kind"], a["caveats"])
	said := fmt.Sprint(a["caveats"])
	if !strings.Contains(said, "the model openai/smollm2") {
		t.Errorf("nothing says that a model was asked: %s %s", out, errs)
	}
	if a["kind"] == "unclear" {
		return
	}
	for _, expr := range expressions(a) {
		for _, f := range check.Expr(expr, catalog.Builtin()) {
			if f.Severity == check.Error {
				t.Errorf("%s is answered with, and it is wrong: %s", expr, f.Text)
			}
		}
	}
}

// expressions are all values of keys "expr" in v.
func expressions(v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if expr, ok := value.(string); ok && key == "expr" && expr != "" {
				all = append(all, expr)
				continue
			}
			all = append(all, expressions(value)...)
		}
	case []any:
		for _, value := range v {
			all = append(all, expressions(value)...)
		}
	}
	return all
}

// witnessed has the model tell of a snapshot, and look into it.
func witnessed(t *testing.T, dir, url string) {
	ar, err := txtar.ParseFile("../analyzer/diagnose/testdata/gpu-fell-off-bus.txtar")
	if err != nil {
		t.Fatal(err)
	}
	snap := filepath.Join(dir, "snap")
	if err := txtar.Write(ar, snap); err != nil {
		t.Fatal(err)
	}
	want := decoded(t, must(t, vedette, "diagnose", "--snapshot", snap, "-o", "json"))
	for _, tt := range []struct {
		name, flag, search string
		heard              bool   // whether it has the time to say something
		caveat             string // that has to be there
	}{
		{"no-budget", "--explain", "tokens: 100", false, "budget is spent"},
		{"no-time", "--explain", "timeout: 1ms", false, "did not answer within 1ms"},
		{"explain", "--explain", "timeout: 75s", true, ""},
		{"investigate", "--investigate", "timeout: 75s, steps: 1", false, ""},
	} {
		config, log := filepath.Join(dir, tt.name+".yaml"), filepath.Join(dir, tt.name+".log")
		block := modelConfig(url, "", "search: {"+tt.search+"}")
		if tt.name == "investigate" {
			block = strings.Replace(block, fmt.Sprint(memory), "4096", 1) // the search alone is explained in two thirds of it
		}
		write(t, config, "apiVersion: vedette.dev/v1\nkind: ServerConfig\ndata: "+dir+"\n"+block)
		var got map[string]any
		tell := func() {
			got = decoded(t, must(t, vedette, "diagnose", "--snapshot", snap, "-o", "json", tt.flag, "--config", config, "--transcript", log))
		}
		if tt.heard {
			untilHeard(t, log, tell)
		} else {
			tell()
		}
		said, _ := got["model"].(map[string]any)
		delete(got, "model")
		if added, _ := said["added"].([]any); len(added) == 0 && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the engine's report is\n%v, want\n%v", tt.name, got, want)
		}
		for _, s := range said["told"].([]any) {
			if cites, _ := s.(map[string]any)["cites"].([]any); len(cites) == 0 {
				t.Errorf("%s: %v is told and cites nothing", tt.name, s)
			}
		}
		for _, s := range said["dropped"].([]any) {
			if s.(map[string]any)["why"] == "" {
				t.Errorf("%s: %v is dropped, and nothing says why", tt.name, s)
			}
		}
		caveats := fmt.Sprint(said["caveats"])
		t.Logf("%s: %d sentences told, %d dropped, looked at %v; %s", tt.name, len(said["told"].([]any)), len(said["dropped"].([]any)), said["looked"], caveats)
		if !strings.Contains(caveats, tt.caveat) {
			t.Errorf("%s: caveats are %s, want %q", tt.name, caveats, tt.caveat)
		}
		if n := len(calls(t, log)); (n == 0) != (tt.name == "no-budget") {
			t.Errorf("%s: the transcript holds %d calls", tt.name, n)
		}
	}
}

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// calls are the calls in a transcript, each as it was written down.
func calls(t *testing.T, transcript string) []string {
	t.Helper()
	data, err := os.ReadFile(transcript)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split("\n"+string(data), "\n=== ")[1:]
}

// replied counts the calls in a transcript to which the model said something.
func replied(t *testing.T, transcript string) int {
	t.Helper()
	n := 0
	for _, c := range calls(t, transcript) {
		if !strings.Contains(c, "--- its reply, 0 tokens") {
			n++
		}
	}
	return n
}

// staysHere fails where p has a connection to anywhere but this machine.
func staysHere(t *testing.T, p *process) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, fd := range fds {
		if to, err := os.Readlink(proc + "fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:[") {
			own = append(own, strings.Trim(to, "socket:[]"))
		}
	}
	if len(own) == 0 {
		t.Errorf("%s has no socket", p.name)
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		data, err := os.ReadFile(proc + "net/" + table)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for lines.Scan() {
			f := strings.Fields(lines.Text())
			if len(f) < 10 || !slices.Contains(own, f[9]) {
				continue
			}
			if to := remote(t, f[2]); !to.IsLoopback() && !to.IsUnspecified() {
				t.Errorf("%s has a connection to %s", p.name, to)
			}
		}
	}
}

// remote reads an address of /proc/net: hexadecimal, each four bytes reversed.
func remote(t *testing.T, hex string) netip.Addr {
	t.Helper()
	var raw []byte
	host, _, _ := strings.Cut(hex, ":")
	for i := 0; i+8 <= len(host); i += 8 {
		var b [4]byte
		if _, err := fmt.Sscanf(host[i:i+8], "%02x%02x%02x%02x", &b[3], &b[2], &b[1], &b[0]); err != nil {
			t.Fatalf("%s is no address: %v", hex, err)
		}
		raw = append(raw, b[:]...)
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		t.Fatalf("%s is no address", hex)
	}
	return a.Unmap()
}
