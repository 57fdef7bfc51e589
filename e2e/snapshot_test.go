//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/snapshot"
)

// photographer makes the account of deploy/snapshot-rbac.yaml and returns a
// kubeconfig of it.
func (k *kube) photographer(t *testing.T) string {
	t.Helper()
	k.namespace(t, "vedette")
	k.grant(t, "../deploy/snapshot-rbac.yaml")
	tr, err := k.CoreV1().ServiceAccounts("vedette").CreateToken(t.Context(), "vedette-snapshot", &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return k.config(t, k.addr, tr.Status.Token)
}

// diagnosed is what is said of focus; of what the snapshot does not know, nothing.
func diagnosed(t *testing.T, path, focus string) analyzer.Report {
	t.Helper()
	var r analyzer.Report
	out, errs, code := run(t, vedette, "diagnose", "--snapshot", path, "-o", "json", "--focus", focus)
	if code == 2 && strings.Contains(errs, "holds nothing called") {
		return r
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("diagnose %s: %v: %s", focus, err, errs)
	}
	return r
}

// TestSnapshot: with the rights of the role that is shipped, one look at a
// real API server has everything, and every situation is what it is.
func TestSnapshot(t *testing.T) {
	k := startKube(t)
	now := time.Now()
	all := situations(t, now)
	k.breakIt(t, all, now)
	path := filepath.Join(t.TempDir(), "s.tar.gz")
	must(t, vedette, "snapshot", "take", "--kubeconfig", k.photographer(t), "-o", path)
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the snapshot is %v, %v; want it for its owner alone", fi, err)
	}
	for _, s := range all {
		r := diagnosed(t, path, s.focus())
		switch {
		case s.Healthy:
			for _, d := range s.own(all, r) {
				t.Errorf("%s: nothing is wrong, and it is %s of %s", s.name, d.Cause, d.Subject)
			}
		case !s.right(all, r) && !s.Open:
			t.Errorf("%s: %s %v, want %s of one of %v", s.name, r.Verdict, r.Diagnoses, s.Cause, s.Subjects)
		}
		for _, u := range r.Unseen {
			if strings.Contains(u, "forbidden") {
				t.Errorf("the role that is shipped does not do: %s", u)
			}
		}
	}
}

// own leaves out what is said of another situation, such as a cause that is the
// whole cluster's.
func (s *situation) own(all []*situation, r analyzer.Report) []analyzer.Diagnosis {
	return slices.DeleteFunc(slices.Clone(r.Diagnoses), func(d analyzer.Diagnosis) bool {
		of := whose(all, d.Subject.String())
		return of != nil && of != s
	})
}

// right reports whether the first diagnosis is the one.
func (s *situation) right(all []*situation, r analyzer.Report) bool {
	ds := s.own(all, r)
	return len(ds) > 0 && string(ds[0].Cause) == s.Cause && slices.Contains(s.Subjects, ds[0].Subject.String())
}

// notDumped are the situations that rest on kinds which kubectl does not dump.
var notDumped = []string{"claim", "job", "quota", "autoscaler", "ingress-class", "ingress-backend"}

// TestDumps: what other programs capture of the same cluster has the same first
// diagnosis, where it holds what that rests on.
func TestDumps(t *testing.T) {
	k := startKube(t)
	now := time.Now()
	all := situations(t, now)
	k.breakIt(t, all, now)
	root, dir := k.config(t, k.addr, "root"), t.TempDir()

	files := filepath.Join(dir, "dump")
	must(t, kubectl, "--kubeconfig", root, "cluster-info", "dump", "-A", "--output-directory", files)
	// kubectl asks five times a second: the other forms are of a few namespaces.
	few := []string{"oom", "image-pull", "pending-gpus", "train", "service-selector", "healthy-start"}
	var others []string
	for _, s := range all {
		if !slices.ContainsFunc(few, func(ns string) bool { return s.spaces[ns] }) {
			others = append(others, s.name)
		}
	}
	yamls := filepath.Join(dir, "yamls")
	must(t, kubectl, "--kubeconfig", root, "cluster-info", "dump", "--namespaces", strings.Join(few, ","), "-o", "yaml", "--output-directory", yamls)
	text := write(t, filepath.Join(dir, "dump.txt"), must(t, kubectl, "--kubeconfig", root, "cluster-info", "dump", "--namespaces", strings.Join(few, ",")))
	captures := map[string][]string{files: notDumped, yamls: others, text: others}
	if _, err := os.Stat(supportBundle); err == nil {
		spec := write(t, filepath.Join(dir, "spec.yaml"), "apiVersion: troubleshoot.sh/v1beta2\nkind: SupportBundle\nmetadata: {name: all}\nspec: {collectors: [{clusterInfo: {}}, {clusterResources: {}}]}\n")
		bundle := filepath.Join(dir, "bundle.tar.gz")
		must(t, supportBundle, "--kubeconfig", root, "--interactive=false", "-o", bundle, spec)
		captures[bundle] = nil
	} else {
		t.Logf("left out: a real support bundle, since %s is not there", supportBundle)
	}
	for path, without := range captures {
		snap, err := snapshot.Read(path)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		for _, s := range all {
			if s.Open || slices.Contains(without, s.name) {
				continue
			}
			on, err := analyzer.ParseSubject(s.focus())
			if err != nil {
				t.Fatal(err)
			}
			r := diagnose.Diagnose(snap, on)
			switch {
			case s.Healthy && len(s.own(all, r)) > 0:
				t.Errorf("%s, %s: nothing is wrong, and it is %v", filepath.Base(path), s.name, s.own(all, r))
			case !s.Healthy && !s.right(all, r):
				t.Errorf("%s, %s: %s %v, want %s of one of %v", filepath.Base(path), s.name, r.Verdict, r.Diagnoses, s.Cause, s.Subjects)
			}
			for _, d := range r.Diagnoses {
				for _, e := range d.Evidence {
					if strings.HasPrefix(e.Source, "objects/") || strings.HasPrefix(e.Source, "events.jsonl") {
						t.Errorf("%s, %s: the source %s is no file of it", filepath.Base(path), s.name, e.Source)
					}
				}
			}
		}
	}
	converted := filepath.Join(dir, "s.tar.gz")
	must(t, vedette, "snapshot", "convert", files, "-o", converted)
	for _, s := range all {
		if s.name == "oom" && !s.right(all, diagnosed(t, converted, s.focus())) {
			t.Error("a dump that was made a snapshot lost why")
		}
	}
}

const (
	kubectl       = "../bin/kubectl"
	supportBundle = "../bin/support-bundle" // of github.com/replicatedhq/troubleshoot/cmd/troubleshoot, where somebody built it
)

// TestForgotten: a pod that is gone and an event that the API server has
// forgotten are explained from what the service kept, and a look at the API
// server with a service beside it has both.
func TestForgotten(t *testing.T) {
	k := startKube(t)
	token := k.admit(t)
	if err := k.node(t.Context(), "gpu-01"); err != nil {
		t.Fatal(err)
	}
	k.namespace(t, "ml")
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0", watching(k.config(t, k.addr, token)))
	c.within(t, "the node", patience, func() bool { return len(c.query(`kube_node_info`)) == 1 })

	why := `Failed to pull image "registry.example/train:9": rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/train:9": registry.example/train:9: not found`
	k.pod(t, "lost-0", "gpu-01", "1", nil, corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: "main", Image: "registry.example/train:9",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}}}}})
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "lost-0.1", Namespace: "ml"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "ml", Name: "lost-0"},
		Type: "Warning", Reason: "Failed", Message: why, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(), Count: 9}
	if _, err := k.CoreV1().Events("ml").Create(t.Context(), e, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.within(t, "the pod", patience, func() bool { return len(c.query(`kube_pod_status_phase{pod="lost-0", phase="Pending"} == 1`)) == 1 })
	if err := k.CoreV1().Events("ml").Delete(t.Context(), "lost-0.1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	k.remove(t, "lost-0")
	c.within(t, "the end of the pod", patience, func() bool { return len(c.query(`kube_pod_info{pod="lost-0"}`)) == 0 })

	dir := t.TempDir()
	kept, both := filepath.Join(dir, "kept.tar.gz"), filepath.Join(dir, "both.tar.gz")
	must(t, vedette, "--server", c.url, "--token-file", c.apiFile, "snapshot", "take", "--since", "2h", "-n", "ml", "-o", kept)
	must(t, vedette, "--server", c.url, "--token-file", c.apiFile, "snapshot", "take", "--kubeconfig", k.config(t, k.addr, "root"), "--since", "2h", "-o", both)
	for _, path := range []string{kept, both} {
		s, err := snapshot.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if span := s.Window.To.Sub(s.Window.From); span != 2*time.Hour {
			t.Errorf("%s goes back %s", filepath.Base(path), span)
		}
		told := ""
		for _, e := range s.Events {
			told += e.Message
		}
		for _, r := range s.History {
			told += r.Type + string(r.Raw)
		}
		if !strings.Contains(told, "registry.example/train:9: not found") || !strings.Contains(told, "DELETED") || !strings.Contains(told, `"lost-0"`) {
			t.Errorf("%s does not tell of the pod that is gone", filepath.Base(path))
		}
		r := diagnosed(t, path, "pod/ml/lost-0")
		if len(r.Diagnoses) == 0 || r.Diagnoses[0].Cause != "image-not-found" || r.Diagnoses[0].Subject.String() != "pod/ml/lost-0" {
			t.Errorf("%s: of the pod that is gone it says %s, %v; unseen %q", filepath.Base(path), r.Verdict, r.Diagnoses, r.Unseen)
		}
	}
}
