package facts

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// readClaims says why a claim has no volume: it runs the binder's comparison
// again with every volume of the claim's class. The volume that comes nearest
// tells what is wrong with the claim.
func (w *World) readClaims() {
	if !w.s.Captured("persistentvolumes") {
		return
	}
	for _, c := range w.s.Claims() {
		if c.Object.Status.Phase != corev1.ClaimPending || c.Object.Spec.VolumeName == "" && w.provisioned(c.Object) {
			continue
		}
		var best []string
		var near snapshot.Typed[corev1.PersistentVolume]
		for _, v := range w.s.Volumes() {
			if v.Object.Spec.StorageClassName != className(c.Object) || c.Object.Spec.VolumeName != "" && v.Object.Name != c.Object.Spec.VolumeName {
				continue
			}
			if lacks := mismatch(c.Object, v.Object); best == nil || len(lacks) < len(best) {
				best, near = lacks, v
			}
		}
		if len(best) == 0 {
			continue
		}
		name, text, _ := strings.Cut(best[0], ": ")
		f := w.add(Fact{Fact: analyzer.Fact{Subject: analyzer.Subject{Kind: "pvc", Namespace: c.Object.Namespace, Name: c.Object.Name}, Name: name,
			Standing: true, Source: c.Source, Text: fmt.Sprintf("the nearest volume, %s, does not fit: %s", near.Object.Name, text)}, Kind: ObjectKind, Weight: 1})
		f.Detail["volume"] = near.Object.Name
		f.Also = append(f.Also, analyzer.Evidence{Source: near.Source, Text: "the volume " + near.Object.Name})
	}
}

func className(c corev1.PersistentVolumeClaim) string {
	if c.Spec.StorageClassName == nil {
		return ""
	}
	return *c.Spec.StorageClassName
}

// provisioned reports whether a provisioner would make a volume for the claim,
// so that no volume that exists has to fit.
func (w *World) provisioned(c corev1.PersistentVolumeClaim) bool {
	return slices.ContainsFunc(w.s.StorageClasses(), func(s snapshot.Typed[storagev1.StorageClass]) bool {
		return s.Object.Name == className(c) && s.Object.Provisioner != "kubernetes.io/no-provisioner"
	})
}

// mismatch lists what keeps the claim from the volume, the binder's own order
// of tests: each is the name of a fact, and words.
func mismatch(c corev1.PersistentVolumeClaim, v corev1.PersistentVolume) []string {
	var all []string
	for _, m := range c.Spec.AccessModes {
		if !slices.Contains(v.Spec.AccessModes, m) {
			all = append(all, fmt.Sprintf("claim-access-mode: the claim wants %s and it offers %v", m, v.Spec.AccessModes))
			break
		}
	}
	want, have := c.Spec.Resources.Requests[corev1.ResourceStorage], v.Spec.Capacity[corev1.ResourceStorage]
	if want.Cmp(have) > 0 {
		all = append(all, fmt.Sprintf("claim-capacity: the claim wants %s and it has %s", want.String(), have.String()))
	}
	if sel, err := metav1.LabelSelectorAsSelector(c.Spec.Selector); err == nil && c.Spec.Selector != nil && !sel.Matches(labels.Set(v.Labels)) {
		all = append(all, fmt.Sprintf("claim-selector: the claim selects %s and it has %s", sel, labels.Set(v.Labels)))
	}
	switch r := v.Spec.ClaimRef; {
	case r == nil:
	case r.Namespace != c.Namespace || r.Name != c.Name:
		all = append(all, fmt.Sprintf("claim-volume-taken: it belongs to the claim %s/%s", r.Namespace, r.Name))
	case r.UID != "" && c.UID != "" && r.UID != c.UID: // made anew under its old name
		all = append(all, fmt.Sprintf("claim-volume-taken: it still belongs to an earlier claim of that name (%s)", v.Status.Phase))
	}
	return all
}
