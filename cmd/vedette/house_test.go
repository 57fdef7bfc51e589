package main

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what testdata wants")

const module = "vedette.dev/"

// mayImport is the plan of the house: what each package may import of it.
// A package that is not in the plan may not exist. Tests may import more.
var mayImport = map[string]string{
	"rules":            "",
	"rules/catalog":    "rules/strictcsv",
	"rules/strictcsv":  "",
	"rules/strictyaml": "",
	"rules/fault":      "rules/catalog rules/strictcsv",
	"rules/check":      "rules rules/catalog rules/strictcsv rules/strictyaml rules/syntax",
	"rules/explain":    "rules rules/catalog rules/strictcsv rules/syntax",
	"rules/proof":      "rules rules/syntax",
	"rules/publish":    "rules rules/proof",
	"rules/secret":     "rules/strictcsv",
	"rules/syntax":     "",

	"rules/publish/amazon":      "rules rules/publish",
	"rules/publish/files":       "rules rules/publish",
	"rules/publish/operator":    "rules rules/publish",
	"rules/publish/ruler":       "rules rules/publish",
	"rules/publish/publishtest": "rules rules/publish",

	"collector":          "rules/catalog",
	"collector/batchjob": "collector",
	"collector/cluster":  "collector rules/secret rules/strictcsv",
	"collector/dcgm":     "collector rules/catalog rules/strictcsv",
	"collector/host":     "collector rules/catalog rules/strictcsv",
	"collector/kmsg":     "collector rules/catalog rules/fault rules/strictcsv",
	"collector/kubelet":  "collector rules/catalog rules/strictcsv",
	"collector/otlp":     "collector rules/catalog",
	"collector/place":    "collector rules/strictcsv",
	"collector/spool":    "collector rules/catalog",
	"collector/simulate": "collector rules/catalog rules/strictcsv rules/strictyaml",

	"analyzer/action":                    "analyzer/sqlite",
	"analyzer/series":                    "",
	"analyzer/sqlite":                    "",
	"analyzer/problem":                   "",
	"analyzer":                           "analyzer/action rules/fault",
	"analyzer/access":                    "analyzer/problem",
	"analyzer/account":                   "analyzer rules/fault",
	"analyzer/alerting":                  "analyzer",
	"analyzer/anomaly":                   "analyzer analyzer/sqlite",
	"analyzer/backtest":                  "analyzer/series rules rules/syntax",
	"analyzer/cost":                      "analyzer analyzer/problem analyzer/series rules/strictcsv rules/strictyaml",
	"analyzer/cost/amazon":               "analyzer/cost",
	"analyzer/detect":                    "analyzer analyzer/series rules/catalog rules/strictcsv",
	"analyzer/forecast":                  "analyzer/series",
	"analyzer/history":                   "analyzer analyzer/sqlite",
	"analyzer/incident":                  "analyzer analyzer/sqlite rules/fault",
	"analyzer/ingest":                    "analyzer analyzer/history",
	"analyzer/scale":                     "analyzer/action analyzer/problem analyzer/series",
	"analyzer/scale/amazon":              "analyzer/action analyzer/scale",
	"analyzer/scale/external":            "analyzer/scale",
	"analyzer/scale/keda":                "analyzer/scale analyzer/scale/keda/externalscaler",
	"analyzer/scale/keda/externalscaler": "",
	"analyzer/scale/cluster":             "analyzer/action analyzer/scale",
	"analyzer/snapshot":                  "analyzer rules/secret rules/strictcsv",
	"analyzer/store":                     "analyzer/series",
	"analyzer/topology":                  "analyzer analyzer/snapshot",
	"analyzer/diagnose":                  "analyzer analyzer/diagnose/facts analyzer/diagnose/knowledge analyzer/snapshot analyzer/topology rules/fault",
	"analyzer/diagnose/facts":            "analyzer analyzer/diagnose/knowledge analyzer/diagnose/patterns analyzer/diagnose/placement analyzer/diagnose/ranking analyzer/snapshot analyzer/topology rules/catalog rules/fault",
	"analyzer/diagnose/knowledge":        "analyzer/diagnose/patterns rules/fault",
	"analyzer/diagnose/patterns":         "",
	"analyzer/diagnose/placement":        "",
	"analyzer/diagnose/ranking":          "analyzer analyzer/snapshot analyzer/topology rules/catalog",
	"analyzer/live":                      "analyzer analyzer/diagnose analyzer/history analyzer/problem analyzer/series analyzer/snapshot",
	"analyzer/remedy":                    "analyzer analyzer/action rules/fault",
	"analyzer/api":                       "analyzer analyzer/action analyzer/alerting analyzer/anomaly analyzer/incident analyzer/problem analyzer/series analyzer/store rules rules/catalog rules/check rules/explain rules/publish",

	"nlq":         "rules/catalog rules/strictcsv",
	"nlq/grammar": "nlq rules/catalog rules/strictcsv",
	"nlq/compile": "nlq rules rules/catalog",
	"nlq/answer": "nlq nlq/compile nlq/investigate analyzer analyzer/account analyzer/action analyzer/anomaly analyzer/backtest analyzer/cost analyzer/diagnose analyzer/forecast analyzer/history analyzer/incident analyzer/series analyzer/snapshot analyzer/topology " +
		"rules rules/catalog rules/check rules/explain rules/publish",
	"nlq/llm":           "nlq nlq/compile nlq/prose/index nlq/prose/lexicon nlq/talk rules rules/catalog rules/check rules/explain",
	"nlq/investigate":   "nlq/talk analyzer analyzer/account analyzer/diagnose analyzer/snapshot analyzer/topology rules/fault rules/strictcsv",
	"nlq/talk":          "rules/secret rules/strictcsv",
	"nlq/talk/talktest": "nlq/talk",
	"nlq/prose":         "nlq nlq/grammar nlq/prose/index nlq/prose/lexicon rules/catalog",
	"nlq/prose/lexicon": "nlq/grammar nlq/prose/index rules/catalog rules/strictcsv",
	"nlq/prose/index":   "rules/catalog",
	"nlq/batch":         "nlq nlq/compile rules rules/catalog rules/publish",
	"nlq/chat":          "nlq nlq/answer nlq/investigate analyzer/account analyzer/action analyzer/problem rules/catalog",

	"fixtures":             "",
	"fixtures/dcgmstub":    "",
	"fixtures/kubeletstub": "",
	"fixtures/incident":    "collector collector/simulate analyzer/snapshot fixtures", // plays what the collector's simulator does, for those who diagnose
	"fixtures/recorded":    "analyzer/series",                                         // for the tests that measure
	"cmd/vedette":          "*",
	"cmd/vedette-agent":    "collector collector/batchjob collector/dcgm collector/host collector/kmsg collector/kubelet collector/otlp collector/place collector/spool rules/catalog rules/strictyaml",
}

// doors lists the packages that may import each heavy dependency. The longest
// path that covers an import decides.
var doors = map[string]string{
	"github.com/NVIDIA/go-dcgm":                      "collector/dcgm",
	"github.com/VictoriaMetrics/metricsql":           "rules/check nlq/compile",
	"github.com/aws":                                 "analyzer/cost/amazon analyzer/scale/amazon rules/publish/amazon nlq/talk nlq/talk/talktest",
	"github.com/go-json-experiment/json":             "analyzer/snapshot",
	"github.com/prometheus-operator":                 "collector/cluster rules/publish/operator",
	"github.com/prometheus/client_golang":            "collector/cluster collector/otlp cmd/vedette analyzer/store analyzer/alerting analyzer/api",
	"github.com/prometheus/exporter-toolkit":         "cmd/vedette-agent",
	"github.com/prometheus/procfs":                   "collector/host",
	"github.com/prometheus/prometheus":               "analyzer/store analyzer/ingest analyzer/alerting analyzer/backtest analyzer/api collector/cluster rules/proof",
	"github.com/prometheus/prometheus/model/labels":  "collector/cluster analyzer/store analyzer/ingest analyzer/alerting analyzer/backtest analyzer/api nlq/compile rules/check rules/explain rules/proof cmd/vedette",
	"github.com/prometheus/prometheus/model/rulefmt": "analyzer/alerting rules/publish rules/check",
	"github.com/prometheus/prometheus/storage":       "analyzer/store analyzer/ingest analyzer/alerting analyzer/backtest analyzer/api collector/cluster rules/proof cmd/vedette",
	"github.com/prometheus/prometheus/promql/parser": "analyzer/store analyzer/alerting analyzer/backtest analyzer/api nlq/compile rules/check rules/explain rules/proof rules/publish rules/syntax",
	"github.com/tmc/langchaingo":                     "nlq/talk",
	"go.etcd.io/bbolt":                               "collector/spool",
	"go.opentelemetry.io/collector":                  "analyzer/ingest",
	"go.opentelemetry.io/otel":                       "collector/otlp",
	"gonum.org/v1/gonum":                             "analyzer/detect analyzer/forecast analyzer/series",
	"k8s.io/api":                                     "analyzer/snapshot analyzer/topology analyzer/diagnose/facts analyzer/diagnose/placement analyzer/live collector/cluster collector/simulate",
	"k8s.io/client-go":                               "collector/cluster",
	"k8s.io/client-go/dynamic":                       "analyzer/scale/cluster collector/cluster rules/publish/operator cmd/vedette",
	"k8s.io/klog":                                    "cmd/vedette",
	"k8s.io/kube-state-metrics":                      "collector/cluster",
	"k8s.io/kubelet":                                 "collector/kubelet",
	"modernc.org/sqlite":                             "analyzer/sqlite",
}

type pkg struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
	CgoFiles        []string
}

func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out := goList(t, "-json=ImportPath,Dir,Imports,GoFiles,CgoFiles", module+"...")
	var ps []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return ps
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

func TestImports(t *testing.T) {
	unused := maps.Clone(mayImport)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		plan, ok := mayImport[name]
		if !ok {
			t.Errorf("%s is not in the plan of the house", name)
		}
		delete(unused, name)
		for _, imp := range p.Imports {
			if of, ours := strings.CutPrefix(imp, module); ours {
				if plan != "*" && !slices.Contains(strings.Fields(plan), of) {
					t.Errorf("%s imports %s", name, of)
				}
				continue
			}
			if door, rule := doorOf(imp); rule && !slices.Contains(strings.Fields(door), name) {
				t.Errorf("%s imports %s, which is for %s", name, imp, door)
			}
		}
	}
	for name := range unused {
		t.Errorf("the plan has %s, and the house has not", name)
	}
}

// doorOf returns the door with the longest path that covers imp.
func doorOf(imp string) (door string, ok bool) {
	longest := ""
	for path := range doors {
		if (imp == path || strings.HasPrefix(imp, path+"/")) && len(path) > len(longest) {
			longest = path
		}
	}
	return doors[longest], longest != ""
}

func TestDoorOf(t *testing.T) {
	for imp, want := range map[string]string{
		"k8s.io/api/core/v1":                                 doors["k8s.io/api"],
		"github.com/prometheus/prometheus/storage":           doors["github.com/prometheus/prometheus/storage"],
		"github.com/prometheus/prometheus/promql/parser":     doors["github.com/prometheus/prometheus/promql/parser"],
		"github.com/prometheus/prometheus/promql/promqltest": doors["github.com/prometheus/prometheus"],
		"k8s.io/apimachinery/pkg/util":                       "",
	} {
		if got, _ := doorOf(imp); got != want {
			t.Errorf("doorOf(%q) = %q, want %q", imp, got, want)
		}
	}
}

// What a program links is everyone's memory and attack surface.
func TestLinks(t *testing.T) {
	for program, heavy := range map[string][]string{
		"cmd/vedette-agent": {"github.com/prometheus/prometheus", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "modernc.org/sqlite", module + "analyzer", module + "nlq", module + "fixtures"},
		"cmd/vedette":       {"github.com/NVIDIA/go-dcgm"}, // no cgo
	} {
		for dep := range strings.FieldsSeq(string(goList(t, "-deps", module+program))) {
			for _, h := range heavy {
				if dep == h || strings.HasPrefix(dep, h+"/") {
					t.Errorf("%s links %s", program, dep)
				}
			}
		}
	}
}

var vague = regexp.MustCompile(`(^|/)(utils?|common|helpers?|types|models?|base|misc|shared|core|lib|pkg|managers?|server)(/|$)`)

// maxLines is where a file most likely holds more than one idea.
const maxLines = 600

func TestManners(t *testing.T) {
	for _, p := range packages(t) {
		if vague.MatchString(strings.TrimPrefix(p.ImportPath, module)) {
			t.Errorf("%s: the name says nothing", p.ImportPath)
		}
		docs := 0
		for _, file := range append(p.GoFiles, p.CgoFiles...) {
			path := filepath.Join(p.Dir, file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), "\n"); n > maxLines {
				t.Errorf("%s has %d lines, want at most %d", path, n, maxLines)
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				docs++
			}
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !ast.IsGenerated(f) {
					t.Errorf("%s: func init", path)
				}
			}
		}
		if docs != 1 {
			t.Errorf("%s has %d package comments, want 1", p.ImportPath, docs)
		}
	}
}
