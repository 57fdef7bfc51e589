package snapshot

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCustoms checks that what is Kubernetes' own is not among them, whatever
// its group is called.
func TestCustoms(t *testing.T) {
	s := &Snapshot{Objects: map[string][]Object{}}
	for resource, kind := range map[string]string{
		"pods": "Pod", "deployments.apps": "Deployment", "ingresses.networking.k8s.io": "Ingress", "certificates.cert-manager.io": "Certificate",
		"rayjobs.ray.io": "RayJob", "jobsets.jobset.x-k8s.io": "JobSet",
	} {
		s.Objects[resource] = []Object{{Raw: json.RawMessage(`{"kind":"` + kind + `","metadata":{"name":"a","namespace":"ml"},"status":{"phase":"Failed"}}`)}}
	}
	var got []string
	for _, c := range s.Customs() {
		got = append(got, c.Object.Kind+" "+c.Object.Name+" "+string(c.Object.Status))
	}
	if d := cmp.Diff([]string{`JobSet a {"phase":"Failed"}`, `RayJob a {"phase":"Failed"}`}, got); d != "" {
		t.Errorf("customs (-want +got):\n%s", d)
	}
}
