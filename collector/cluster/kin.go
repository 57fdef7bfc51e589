package cluster

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"vedette.dev/rules/strictcsv"
)

//go:embed gangs.csv
var gangsCSV []byte

// PodWorkload is the relation of a pod to what somebody asked for: 1, with
// labels namespace, pod, workload_kind, workload, and gang where the pod starts
// and fails together with others. kube_pod_owner tells only the next owner,
// which for most pods is a ReplicaSet or a Job that nobody wrote.
const PodWorkload = "vedette_pod_workload"

// maxOwners bounds a chain of owners: RayService, RayCluster, pod are three;
// objects that own each other would have no end.
const maxOwners = 8

// A gang is a row of gangs.csv.
type gangKey struct {
	annotation bool
	key        string
}

func readGangs() ([]gangKey, error) {
	var gs []gangKey
	err := strictcsv.Each("gangs.csv", bytes.NewReader(gangsCSV), "place,key,source", func(f []string) error {
		if f[0] != "label" && f[0] != "annotation" {
			return fmt.Errorf("place is %q, neither label nor annotation", f[0])
		}
		gs = append(gs, gangKey{f[0] == "annotation", f[1]})
		return nil
	})
	return gs, err
}

// A member is an object as far as owners go.
type member struct {
	kind, namespace, name string
	owner                 *metav1.OwnerReference // its controller, or nil
	gang                  string
}

// kin knows who owns whom.
type kin struct {
	gangs []gangKey

	mu      sync.Mutex
	members map[string]member // by uid
	changed bool
}

func newKin() (*kin, error) {
	gs, err := readGangs()
	return &kin{gangs: gs, members: map[string]member{}}, err
}

func (k *kin) put(o runtime.Object, acc metav1.Object) {
	m := member{kind: o.GetObjectKind().GroupVersionKind().Kind, namespace: acc.GetNamespace(), name: acc.GetName(), owner: metav1.GetControllerOf(acc)}
	for _, g := range k.gangs {
		from := acc.GetLabels()
		if g.annotation {
			from = acc.GetAnnotations()
		}
		if m.gang = cmp.Or(m.gang, from[g.key]); m.gang != "" {
			break
		}
	}
	uid := string(acc.GetUID())
	k.mu.Lock()
	defer k.mu.Unlock()
	if was, ok := k.members[uid]; !ok || !was.same(m) {
		k.members[uid], k.changed = m, true
	}
}

func (m member) same(o member) bool {
	if (m.owner == nil) != (o.owner == nil) || m.owner != nil && m.owner.UID != o.owner.UID {
		return false
	}
	return m.kind == o.kind && m.namespace == o.namespace && m.name == o.name && m.gang == o.gang
}

func (k *kin) remove(uid string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.members[uid]; ok {
		delete(k.members, uid)
		k.changed = true
	}
}

// samples returns [PodWorkload] of every pod, and whether it has changed since
// the last call.
func (k *kin) samples() ([]sample, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.changed {
		return nil, false
	}
	k.changed = false
	var ss []sample
	for _, m := range k.members {
		if m.kind != "Pod" {
			continue
		}
		kind, name := k.top(m)
		pairs := []string{labels.MetricName, PodWorkload, "namespace", m.namespace, "pod", m.name, "workload_kind", kind, "workload", name}
		if m.gang != "" {
			pairs = append(pairs, "gang", m.gang)
		}
		ss = append(ss, sample{lset: labels.FromStrings(pairs...), v: 1})
	}
	slices.SortFunc(ss, func(a, b sample) int { return labels.Compare(a.lset, b.lset) })
	return ss, true
}

// top follows the controllers of m to the one that nothing controls. One that
// is not watched ends the chain by its name. The node that owns a static pod
// did not ask for it.
func (k *kin) top(m member) (kind, name string) {
	for range maxOwners {
		if m.owner == nil || m.owner.Kind == "Node" {
			break
		}
		up, ok := k.members[string(m.owner.UID)]
		if !ok {
			return m.owner.Kind, m.owner.Name
		}
		m = up
	}
	return m.kind, m.name
}
