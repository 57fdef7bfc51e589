//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	peer  = flag.String("k8sgpt", "", "k8sgpt's binary, to be compared with on the same broken cluster")
	alone = flag.Bool("alone", false, "print what we find in the broken cluster where no peer can be had")
)

// A finding is what a program says is wrong.
type finding struct {
	subject string // kind/namespace/name, or kind/name
	cause   string // of ours
	text    string
}

// A tool is a program that says what is wrong in a cluster.
type tool struct {
	name  string
	found func(t *testing.T, all []*situation) []finding
}

// allAnalyzers are those that k8sgpt has on by itself and those that a user can
// turn on and that a cluster without Gateway API and OLM gives work to.
const allAnalyzers = "Pod,DaemonSet,Deployment,ReplicaSet,PersistentVolumeClaim,Service,Ingress,StatefulSet,Job,CronJob,Node,ValidatingWebhookConfiguration,MutatingWebhookConfiguration,ConfigMap," +
	"HorizontalPodAutoscaler,PodDisruptionBudget,NetworkPolicy,Log,Storage,Security"

// TestPeers runs us and k8sgpt on the same real API server with the same
// situations and prints what each found: `make bench-peers`.
//
// k8sgpt says what it sees of each object, in words. Ours is a cause with an ID.
// Its words count as the cause where they match what the situation says tells
// it, on an object that is to blame.
func TestPeers(t *testing.T) {
	if *peer == "" && !*alone {
		t.Skip("no peer is given with -k8sgpt")
	}
	k := startKube(t)
	now := time.Now()
	all := situations(t, now)
	k.breakIt(t, all, now)
	ours, root := k.photographer(t), k.config(t, k.addr, "root")
	tools := []tool{{"vedette", func(t *testing.T, all []*situation) []finding { return weFind(t, ours, all) }}}
	if *peer != "" {
		tools = append(tools,
			tool{"k8sgpt", func(t *testing.T, _ []*situation) []finding { return theyFind(t, root) }},
			tool{"k8sgpt, all analyzers", func(t *testing.T, _ []*situation) []finding { return theyFind(t, root, "--filter", allAnalyzers) }})
	}
	broken := slices.DeleteFunc(slices.Clone(all), func(s *situation) bool { return s.Healthy })
	marks := make([][]string, len(broken))
	type sum struct {
		subjects, causes, said int
		false                  []string
		took                   time.Duration
	}
	sums := make([]sum, len(tools))
	for i, tool := range tools {
		began := time.Now()
		found := tool.found(t, all)
		sums[i].took, sums[i].said = time.Since(began), len(found)
		for j, s := range broken {
			subject, cause := s.judge(all, found)
			marks[j] = append(marks[j], map[[2]bool]string{{true, true}: "subject and cause", {true, false}: "subject"}[[2]bool{subject, cause}])
			if subject {
				sums[i].subjects++
			}
			if cause {
				sums[i].causes++
			}
		}
		for _, f := range found {
			if s := whose(all, f.subject); s == nil || s.Healthy {
				sums[i].false = append(sums[i].false, f.subject+": "+cmp.Or(f.cause, f.text))
			}
		}
	}
	fmt.Printf("\n%-18s %-70s", "situation", "")
	for _, tool := range tools {
		fmt.Printf(" %-22s", tool.name)
	}
	fmt.Println()
	for j, s := range broken {
		fmt.Printf("%-18s %-70s", s.name, s.Says[:min(len(s.Says), 70)])
		for i := range tools {
			fmt.Printf(" %-22s", cmp.Or(marks[j][i], "-"))
		}
		fmt.Println()
	}
	fmt.Println()
	for i, tool := range tools {
		fmt.Printf("%s: of %d situations %d by subject, %d of them with the cause; %d findings in all, %d of them about what is well; %.1f s\n",
			tool.name, len(broken), sums[i].subjects, sums[i].causes, sums[i].said, len(sums[i].false), sums[i].took.Seconds())
		for _, f := range sums[i].false {
			fmt.Printf("    %s\n", f[:min(len(f), 150)])
		}
	}
}

// judge reports whether what was found names what is to blame in s, and why.
func (s *situation) judge(all []*situation, found []finding) (subject, cause bool) {
	tells := regexp.MustCompile(s.Tells)
	for _, f := range found {
		if whose(all, f.subject) != s || !slices.ContainsFunc(s.Subjects, func(want string) bool { return covers(want, f.subject) }) {
			continue
		}
		subject = true
		if f.cause == s.Cause || f.cause == "" && tells.MatchString(f.text) {
			cause = true
		}
	}
	return subject, cause
}

// covers reports whether got is want, or a pod or a ReplicaSet of it.
func covers(want, got string) bool {
	if want == got {
		return true
	}
	_, ns, name := parts(want)
	kind, gotNS, gotName := parts(got)
	return ns == gotNS && ns != "" && (kind == "pod" || kind == "replicaset" || kind == "deployment" || kind == "job" || kind == "daemonset") && strings.HasPrefix(gotName, name)
}

func parts(subject string) (kind, namespace, name string) {
	kind, rest, _ := strings.Cut(subject, "/")
	namespace, name, ok := strings.Cut(rest, "/")
	if !ok {
		return kind, "", rest
	}
	return kind, namespace, name
}

// whose returns the situation that subject is of: the one that blames it before
// the one that made it.
func whose(all []*situation, subject string) *situation {
	for _, s := range all {
		if slices.Contains(s.Subjects, subject) {
			return s
		}
	}
	kind, ns, name := parts(subject)
	if kind == "namespace" {
		ns = name
	}
	return situationOf(all, ns, name)
}

// weFind takes a snapshot and asks about each namespace and node: a report of
// a whole cluster is of its ten likeliest causes.
func weFind(t *testing.T, kubeconfig string, all []*situation) []finding {
	path := filepath.Join(t.TempDir(), "s.tar.gz")
	must(t, vedette, "snapshot", "take", "--kubeconfig", kubeconfig, "-o", path)
	var found []finding
	focuses := map[string]bool{}
	for _, s := range all {
		for ns := range s.spaces {
			focuses["namespace/"+ns] = true
		}
		focuses[s.focus()] = true
	}
	for focus := range focuses {
		for _, d := range diagnosed(t, path, focus).Diagnoses {
			f := finding{d.Subject.String(), string(d.Cause), d.Summary}
			if d.Confidence >= 0.5 && !slices.Contains(found, f) { // below it is a guess, and called one
				found = append(found, f)
			}
		}
	}
	return found
}

// theyFind runs k8sgpt's analyzers, with no model and nothing of a cache.
func theyFind(t *testing.T, kubeconfig string, more ...string) []finding {
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), *peer, append([]string{"analyze", "--config", filepath.Join(home, "k8sgpt.yaml"), "--kubeconfig", kubeconfig, "--no-cache", "-o", "json"}, more...)...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "XDG_DATA_HOME="+home)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("k8sgpt: %v\n%s", err, out)
	}
	var said struct {
		Errors  []string
		Results []struct {
			Kind, Name string
			Error      []struct{ Text string }
		}
	}
	if i := strings.IndexByte(string(out), '{'); i >= 0 {
		out = out[i:]
	}
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("k8sgpt: %v\n%s", err, out)
	}
	for _, e := range said.Errors {
		t.Logf("k8sgpt could not: %s", e)
	}
	var found []finding
	for _, r := range said.Results {
		kind := strings.ToLower(r.Kind[strings.LastIndexByte(r.Kind, '/')+1:]) // an analyzer's name may stand before it
		kind = cmp.Or(map[string]string{"persistentvolumeclaim": "pvc", "horizontalpodautoscaler": "hpa"}[kind], kind)
		f := finding{subject: kind + "/" + strings.TrimPrefix(r.Name, "/")}
		for _, e := range r.Error {
			f.text = strings.TrimSpace(f.text + " " + e.Text)
		}
		found = append(found, f)
	}
	return found
}
