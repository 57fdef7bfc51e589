package snapshot

import (
	"strings"
	"time"
)

// What oc adm must-gather and oc adm inspect write, below a folder for each
// image that gathered:
//
//	namespaces/<namespace>/<group>/<plural>.yaml              a List; the group is "core" where it has no name
//	namespaces/<namespace>/<group>/<plural>/<name>.yaml
//	namespaces/<namespace>/<namespace>.yaml
//	namespaces/<namespace>/pods/<pod>/<pod>.yaml              the pod once more
//	namespaces/<namespace>/pods/<pod>/<container>/<container>/logs/{current,previous}[.insecure].log
//	cluster-scoped-resources/<group>/<plural>[/<name>].yaml
//	timestamp                                                 when it began and ended
//
// Secrets have their values left out by oc.

const (
	gatherNamespaces = "namespaces/"
	gatherCluster    = "cluster-scoped-resources/"
)

func marksGather(_ *tree, name string) bool {
	if _, ok := below(name, gatherCluster); ok {
		return true
	}
	rest, ok := below(name, gatherNamespaces)
	return ok && strings.Count(rest, "/") >= 1 && (strings.HasSuffix(rest, ".yaml") || strings.HasSuffix(rest, "/logs/current.log"))
}

func (b *bundle) gatherFile(name string, data []byte) {
	if name == "timestamp" || strings.HasSuffix(name, "/timestamp") {
		b.gatherClock(data)
		return
	}
	if rest, ok := below(name, gatherCluster); ok {
		b.gathered(name, rest, data)
		return
	}
	rest, ok := below(name, gatherNamespaces)
	if !ok {
		return
	}
	namespace, rest, _ := strings.Cut(rest, "/")
	b.pages[namespace] = true
	parts := strings.Split(rest, "/")
	switch {
	case rest == namespace+".yaml":
		b.objects(name, "namespaces", data)
	case parts[0] != "pods":
		b.gathered(name, rest, data)
	case len(parts) == 3 && parts[2] == parts[1]+".yaml":
		b.objects(name, "pods", data)
	case len(parts) == 6 && parts[4] == "logs":
		file := strings.Replace(parts[5], ".insecure.", ".", 1)
		if file == "current.log" || file == "previous.log" {
			b.logOf(name, namespace, parts[1], parts[2], file == "previous.log", data)
		}
	}
}

// gathered takes a file of objects at <group>/<plural>[/<name>].yaml.
func (b *bundle) gathered(name, rest string, data []byte) {
	bare, ok := strings.CutSuffix(rest, ".yaml")
	parts := strings.Split(bare, "/")
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return
	}
	resource := parts[1]
	if group := parts[0]; group != "core" {
		resource += "." + group
	}
	if resource == "events.events.k8s.io" {
		return // the same events once more, in other fields
	}
	b.objects(name, resource, data)
}

// gatherClock reads the newest time of a file that Go's printing of times fills.
func (b *bundle) gatherClock(data []byte) {
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " m=") // the monotonic clock
		if at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", line); err == nil && at.After(b.clock) {
			b.clock = at.UTC()
		}
	}
}
