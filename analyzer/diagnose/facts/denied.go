package facts

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"vedette.dev/analyzer"
)

// deniedPath is the file that a program may not use.
var deniedPath = regexp.MustCompile(`(?:^|[\s"'(=])(/[A-Za-z0-9_.@+-]+(?:/[A-Za-z0-9_.@+-]+)*)`)

// readDenied believes a program that it may not use a file of its volume where
// the file may be in one: the kernel refuses what is below /proc, /sys and /dev
// for reasons of its own, and what is in no mount came with the image.
func (w *World) readDenied() {
	for _, f := range w.Called("permission-denied-said") {
		seen := f.Seen
		if len(seen) == 0 {
			seen = []analyzer.Subject{f.Subject} // a pod that nobody owns
		}
		for _, s := range seen {
			p := w.pods[s]
			if p == nil || !mayBeMounted(p.Pod, f.Text) && !slices.ContainsFunc(f.Also, func(e analyzer.Evidence) bool { return mayBeMounted(p.Pod, e.Text) }) {
				continue
			}
			o := *f
			o.Name, o.Seen = "permission-denied", []analyzer.Subject{s}
			w.addOnce(o)
		}
	}
}

// mayBeMounted reports whether a path of the text is in a volume of the pod; a
// text with no whole path may be about any file.
func mayBeMounted(p *corev1.Pod, text string) bool {
	found := deniedPath.FindAllStringSubmatch(text, -1)
	whole := 0
	for _, m := range found {
		if strings.Count(m[1], "/") < 2 && !mountedAt(p, m[1]) {
			continue // a word, or a program's own name for something
		}
		whole++
		if mountedAt(p, m[1]) {
			return true
		}
	}
	return whole == 0
}

func mountedAt(p *corev1.Pod, path string) bool {
	for _, cs := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for _, c := range cs {
			for _, m := range c.VolumeMounts {
				if at := strings.TrimSuffix(m.MountPath, "/"); path == at || strings.HasPrefix(path, at+"/") {
					return true
				}
			}
		}
	}
	return false
}
