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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"vedette.dev/analyzer"
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
			if len(r.Diagnoses) > 0 {
				t.Errorf("%s: nothing is wrong, and it is %s of %s", s.name, r.Diagnoses[0].Cause, r.Diagnoses[0].Subject)
			}
		case !s.right(r) && !s.Open:
			t.Errorf("%s: %s %v, want %s of one of %v", s.name, r.Verdict, r.Diagnoses, s.Cause, s.Subjects)
		}
		for _, u := range r.Unseen {
			if strings.Contains(u, "forbidden") {
				t.Errorf("the role that is shipped does not do: %s", u)
			}
		}
	}
}

// right reports whether the first diagnosis is the one.
func (s *situation) right(r analyzer.Report) bool {
	return len(r.Diagnoses) > 0 && string(r.Diagnoses[0].Cause) == s.Cause && slices.Contains(s.Subjects, r.Diagnoses[0].Subject.String())
}
