//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"vedette.dev/rules"
	"vedette.dev/rules/publish"
)

const promtool = "/usr/bin/promtool"

// TestEveryRule holds every rule that comes with the program, and every rule that
// the questions of the tests come to, to Prometheus' own tool; and the test
// beside each too.
func TestEveryRule(t *testing.T) {
	dir := t.TempDir()
	here := &publish.Dir{Path: filepath.Join(dir, "rules")}
	for _, g := range publish.Builtin() {
		if err := here.Publish(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	asked := 0
	for _, g := range fromQuestions(t, dir) {
		if err := here.Publish(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		asked++
	}
	files := matching(t, filepath.Join(here.Path, "*.yaml"))
	tests := matching(t, filepath.Join(here.Path, "tests", "*.yaml"))
	must(t, promtool, append([]string{"check", "rules"}, files...)...)
	must(t, promtool, append([]string{"test", "rules"}, tests...)...)
	t.Logf("%d groups, %d of questions, %d with a test", len(files), asked, len(tests))
	if asked < 30 || len(tests)*100 < len(files)*90 {
		t.Error("want at least 30 groups of questions, and a test for nine of ten")
	}

	// A test that passes whatever the rule says would be none.
	path := filepath.Join(here.Path, "vedette-gpu.yaml")
	rule, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(rule), "vedette_gpu_lost > 0", "vedette_gpu_lost > 1", 1))
	if _, _, code := run(t, promtool, "test", "rules", filepath.Join(here.Path, "tests", "vedette-gpu.yaml")); code == 0 {
		t.Error("a broken rule passes its test")
	}
}

// fromQuestions answers the questions of the tests with the built program.
func fromQuestions(t *testing.T, dir string) []rules.Group {
	t.Helper()
	var in strings.Builder
	for _, path := range matching(t, "../nlq/*/testdata/*.txtar") {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(ar.Files); i += 2 {
			line, err := json.Marshal(map[string]string{"id": path + " " + ar.Files[i].Name, "nl": strings.TrimSpace(string(ar.Files[i].Data))})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&in, "%s\n", line)
		}
	}
	var gs []rules.Group
	for line := range strings.Lines(must(t, vedette, "ask", "--catalog", "../nlq/prose/testdata/metadata.json", "--batch", write(t, filepath.Join(dir, "questions.jsonl"), in.String()))) {
		var a struct{ ID, Rule string }
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		if a.Rule == "" {
			continue
		}
		parsed, err := publish.Parse([]byte(a.Rule))
		if err != nil {
			t.Errorf("question %s: %v\n%s", a.ID, err, a.Rule)
			continue
		}
		gs = append(gs, parsed...)
	}
	return gs
}

func matching(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s is %v, %v", pattern, files, err)
	}
	return files
}

const teamRules = `groups:
  - name: team-hot
    rules:
      - alert: Hot
        expr: DCGM_FI_DEV_GPU_TEMP{Hostname=~"gpu-.*"} > 85
        for: 5m
        keep_firing_for: 2m
        labels: {severity: warning}
        annotations: {summary: 'GPU {{ $labels.gpu }} is hot', runbook_url: 'https://runbooks.example/hot'}
`

// TestRulesOfAPrometheus: what is applied here is evaluated by a real
// Prometheus, which is asked whether it is; and no more once it is undone.
func TestRulesOfAPrometheus(t *testing.T) {
	dir, addr := t.TempDir(), freePort(t)
	rulesDir := filepath.Join(dir, "rules")
	if err := os.Mkdir(rulesDir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf("rule_files: [%q]\n", filepath.Join(rulesDir, "*.yaml")))
	p := start(t, "/usr/bin/prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--web.enable-lifecycle")
	p.within(t, "ready Prometheus", patience, func() bool { var v any; return get("http://"+addr+"/api/v1/status/buildinfo", "", &v) })
	evaluated := func() string {
		var got struct {
			Data struct {
				Groups []struct {
					Name  string
					Rules []struct{ Name, Query string }
				}
			}
		}
		if !get("http://"+addr+"/api/v1/rules", "", &got) {
			t.Fatal("Prometheus does not answer")
		}
		return fmt.Sprint(got.Data.Groups)
	}
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0",
		fmt.Sprintf("publish: {files: {dir: %q, reload: 'http://%s/-/reload', api: 'http://%[2]s'}}\n", rulesDir, addr))
	file := write(t, filepath.Join(dir, "team.yaml"), teamRules)
	c.vedette(t, "rules", "apply", "--by", "ada", file)
	if got := evaluated(); !strings.Contains(got, "team-hot") || !strings.Contains(got, "> 85") {
		t.Errorf("Prometheus evaluates %s", got)
	}
	must(t, promtool, "check", "rules", filepath.Join(rulesDir, "team-hot.yaml"))
	c.vedette(t, "rules", "undo", "team-hot", "--by", "ada")
	if got := evaluated(); strings.Contains(got, "team-hot") {
		t.Errorf("once undone, Prometheus evaluates %s", got)
	}
}

// TestPrometheusRule: what is applied here is an object that a real API server
// with the operator's own definition takes, with the rights that are shipped.
func TestPrometheusRule(t *testing.T) {
	k := startKube(t)
	token := k.admit(t)
	k.namespace(t, "monitoring")
	k.install(t, operatorCRD(t, "prometheusrules"), "prometheusrules")
	k.grant(t, "../deploy/server-publish-rbac.yaml")
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0",
		watching(k.config(t, k.addr, token))+"publish: {operator: {namespace: monitoring, labels: {release: kube-prometheus-stack}}}\n")
	file := write(t, filepath.Join(t.TempDir(), "team.yaml"), teamRules)
	if said := c.vedette(t, "rules", "apply", "--by", "ada", file); !strings.Contains(said, "is published") {
		t.Errorf("applied, it says %s", said)
	}
	objects := k.loose(t).Resource(monitoring.WithResource("prometheusrules")).Namespace("monitoring")
	o, err := objects.Get(t.Context(), "team-hot", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if l := o.GetLabels(); l["release"] != "kube-prometheus-stack" || o.GetAnnotations()["vedette.dev/owner"] != "ada" {
		t.Errorf("its labels are %v, its annotations %v", l, o.GetAnnotations())
	}
	spec, err := yaml.Marshal(o.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	must(t, promtool, "check", "rules", write(t, filepath.Join(t.TempDir(), "spec.yaml"), string(spec)))
	if said := c.vedette(t, "rules", "diff", file); !strings.Contains(said, "stands as it is") {
		t.Errorf("applied, it differs: %s", said)
	}
	c.vedette(t, "rules", "undo", "team-hot", "--by", "ada")
	if _, err := objects.Get(t.Context(), "team-hot", metav1.GetOptions{}); err == nil {
		t.Error("once undone, the object is there")
	}
}

// operatorCRD is the operator's own definition of a kind of object, from its module.
func operatorCRD(t *testing.T, plural string) *unstructured.Unstructured {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus-operator/prometheus-operator").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "example", "prometheus-operator-crd", monitoring.Group+"_"+plural+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(data, &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}
