//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vedette.dev/e2e/page"
)

var screenshots = flag.String("screenshots", "", "folder for the README's pictures; empty: none are made")

// startDemo runs the demo, fast, and returns it as a server without tokens.
func startDemo(t *testing.T, args ...string) *central {
	t.Helper()
	c := &central{process: start(t, vedette, append([]string{"demo", "--listen", "127.0.0.1:0"}, args...)...)}
	c.url = c.find(t, `page\s+(http://\S+)`)
	c.apiFile = write(t, filepath.Join(t.TempDir(), "token"), "none needed\n")
	return c
}

// TestDemo goes through the demo as a newcomer would: all three faults become
// explained incidents, questions are answered, an action is approved on the
// page, and Ctrl-C ends it cleanly.
func TestDemo(t *testing.T) {
	began := time.Now()
	c := startDemo(t, "--speed", "8")
	t.Logf("live after %.1f s", time.Since(began).Seconds())
	firing := func() bool {
		for labels := range c.query(`ALERTS{alertstate="firing"}`) {
			t.Logf("first alert fired %.1f s after the start: %s", time.Since(began).Seconds(), labels)
			return true
		}
		return false
	}
	c.within(t, "firing alert", patience, firing)

	causes := func() map[string]string {
		var ins []struct{ ID, Cause string }
		if err := json.Unmarshal([]byte(c.vedette(t, "incidents", "list", "-o", "json")), &ins); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, in := range ins {
			out[in.Cause] = in.ID
		}
		return out
	}
	// What the model that demand outgrows waits for is arithmetic over what is free
	// then; where it gets the GPUs that the job lost, its autoscaler is at its end.
	for _, either := range [][]string{{"gpu-thermal-throttle"}, {"gpu-fell-off-bus"}, {"gpu-capacity-exhausted", "gpu-fragmented", "hpa-at-maximum"}} {
		c.within(t, "incident "+strings.Join(either, " or "), 5*time.Minute, func() bool {
			is := causes()
			return slices.ContainsFunc(either, func(cause string) bool { return is[cause] != "" })
		})
	}
	report := c.vedette(t, "incidents", "show", causes()["gpu-fell-off-bus"])
	for _, want := range []string{"Xid 79", "llama-pretrain", "## Sources", "## Timeline"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report does not say %q:\n%s", want, report)
		}
	}

	for question, want := range map[string]string{
		"which GPUs are hotter than 80 degrees":                    "reward-model",
		"why is llama-pretrain failing":                            "Xid 79",
		"when will GPUs run out":                                   "gpus_free",
		"alert when GPU temperature is above 85 for 5 minutes":     "Back-test: it would",
		"average GPU utilization per namespace over the last hour": "namespace=research",
	} {
		if got := c.vedette(t, "ask", question); !strings.Contains(got, want) {
			t.Errorf("%s: the answer does not say %q:\n%s", question, want, got)
		}
	}
	out, _, code := run(t, vedette, "--server", c.url, "ask", "flurble the vibes")
	if code != 1 || !strings.Contains(out, "flurble") || !strings.Contains(out, "Understood would be") {
		t.Errorf("a question without sense: status %d\n%s", code, out)
	}

	c.within(t, "the week filled in", 5*time.Minute, func() bool {
		var s struct{ Backfill struct{ Done float64 } }
		return get(c.url+"/vedette/v1/status", "", &s) && s.Backfill.Done == 1
	})
	if got := c.query(`count_over_time(vedette_backfilled[7d])`); len(got) != 1 {
		t.Errorf("made-up history is not marked: %v", got)
	}
	c.within(t, "lost GPU in the fleet", patience, func() bool { return len(c.query(`vedette_gpu_lost == 1`)) == 1 })
	c.within(t, "alert GPULost", patience, func() bool { return len(c.query(`ALERTS{alertname="GPULost",alertstate="firing"}`)) == 1 })
	c.within(t, "alert GPUXid", patience, func() bool { return len(c.query(`ALERTS{alertname="GPUXid",alertstate="firing"}`)) > 0 })
	walkThePage(t, c, causes()["gpu-fell-off-bus"])

	if code := c.stop(t); code != 0 {
		t.Errorf("the demo ended with %d", code)
	}
	if tail := c.output(); strings.Contains(tail, "panic") {
		t.Errorf("the demo panicked:\n%s", tail)
	}
}

// walkThePage looks at the real service, and at one of its incidents, in a real browser.
func walkThePage(t *testing.T, c *central, incident string) {
	t.Helper()
	ctx := page.Browser(t)
	complaints := page.Complaints(ctx)
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	shot := func(name string) {
		t.Helper()
		if *screenshots == "" {
			return
		}
		p, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS("body")))
		if err != nil {
			t.Fatalf("picture of %s: %v", name, err)
		}
		if err := os.MkdirAll(*screenshots, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), p, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(text string) chromedp.Action[chromedp.Void] {
		return page.Wait(`document.querySelector("#app").innerText.includes(` + quote(text) + `)`)
	}
	cells := `document.querySelectorAll(".cell").length === 128`

	do("fleet", chromedp.Navigate(c.url+"/#/fleet"), page.Wait(cells), shown("1 lost"))
	shot("fleet")
	do("incidents", chromedp.Navigate(c.url+"/#/incidents"), shown("fell off the PCIe bus"))
	do("one incident", chromedp.Click(chromedp.CSS(`table.incidents a[href$="`+incident+`"]`), chromedp.NodeVisible), page.Wait(`document.querySelector(".timeline")`))
	shot("incident")
	do("an alert", chromedp.Navigate(c.url+"/#/ask?q=alert+when+GPU+temperature+is+above+85+for+5+minutes"), shown("Back-test"), page.Wait(`document.querySelector(".answer canvas")`))
	shot("ask")
	do("publish", chromedp.Click(chromedp.CSS(".publish .primary"), chromedp.NodeVisible), page.Wait(`document.querySelector(".publish.done")`))
	do("rules", chromedp.Navigate(c.url+"/#/rules"), shown("gpu-temperature-high"))
	do("actions", chromedp.Navigate(c.url+"/#/actions"), shown("Cordon node"))
	// A slow machine gets here after the first scaling proposal, which stands above.
	cordon := `.entry[data-kind="cordon-node"] `
	do("approve", chromedp.Click(chromedp.CSS(cordon+".approve"), chromedp.NodeVisible), page.Wait(`document.querySelector(".confirm")`))
	do("confirm", chromedp.Click(chromedp.CSS(cordon+".confirm .primary"), chromedp.NodeVisible))
	c.within(t, "cordoned node", patience, func() bool {
		return len(c.query(`kube_node_spec_unschedulable == 1`)) == 1
	})
	if got := complaints(); len(got) > 0 {
		t.Errorf("the console shows:\n%s", strings.Join(got, "\n"))
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}

// TestPromtool asks the demo as Debian's promtool and Grafana's Prometheus
// datasource do.
func TestPromtool(t *testing.T) {
	c := startDemo(t, "--history", "0")
	promtool := func(args ...string) string { return must(t, "/usr/bin/promtool", args...) }
	if got := promtool("query", "instant", c.url, "count(DCGM_FI_DEV_GPU_TEMP)"); !strings.Contains(got, "128") {
		t.Errorf("query instant: %s", got)
	}
	if got := promtool("query", "range", "--step=5s", c.url, "sum(DCGM_FI_DEV_GPU_UTIL)"); !strings.Contains(got, "@[") {
		t.Errorf("query range: %s", got)
	}
	if got := promtool("query", "series", "--match=DCGM_FI_DEV_POWER_USAGE", c.url); strings.Count(got, "\n") != 128 {
		t.Errorf("query series: %d lines", strings.Count(got, "\n"))
	}
	if got := promtool("query", "labels", c.url, "Hostname"); !strings.Contains(got, "gpu-16") {
		t.Errorf("query labels: %s", got)
	}
	for path, want := range map[string]string{
		"labels": "modelName", "label/gpu/values": `"7"`, "metadata?metric=DCGM_FI_DEV_GPU_TEMP": `"gauge"`, "rules": "GPUThermalThrottle",
		"alerts": `"alerts"`, "status/buildinfo": `"version"`, "series?match[]=node_load1": "gpu-01",
	} {
		var v json.RawMessage
		if !get(c.url+"/api/v1/"+path, "", &v) || !strings.Contains(string(v), want) {
			t.Errorf("/api/v1/%s: %.300s", path, v)
		}
	}
}
