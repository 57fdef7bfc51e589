package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// A support bundle of troubleshoot.sh: an archive of a folder that is named by
// the time, with
//
//	cluster-info/cluster_version.json
//	cluster-resources/<kind>.json, cluster-resources/<kind>/<namespace>.json
//	cluster-resources/custom-resources/<plural>.<group>[/<namespace>].json
//	cluster-resources/<kind>-errors.json                       what could not be had
//	cluster-resources/pods/logs/<namespace>/<pod>/<container>[-previous].log
//
// Its logs carry times only where its collector was told to write them.

const supportDir = "cluster-resources/"

// below returns what follows the folder called dir in name.
func below(name, dir string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(name, dir); ok {
		return rest, true
	}
	_, rest, ok = strings.Cut(name, "/"+dir)
	return rest, ok
}

func marksSupport(_ *tree, name string) bool {
	_, ok := below(name, supportDir)
	return ok
}

func (b *bundle) supportFile(name string, data []byte) {
	if day, _, _ := strings.Cut(name, "/"); b.clock.IsZero() {
		// It is the clock of who captured it, without its zone: of use only where
		// nothing in it is newer.
		if at, err := time.Parse("support-bundle-2006-01-02T15_04_05", day); err == nil {
			b.tick(at, day)
		}
	}
	if _, ok := below(name, "cluster-info/cluster_version.json"); ok {
		var v struct {
			String string `json:"string"`
		}
		b.note(name, data, json.Unmarshal(data, &v))
		b.Cluster.Version = v.String
		return
	}
	rest, ok := below(name, supportDir)
	if !ok {
		return
	}
	parts := strings.Split(rest, "/")
	switch {
	case strings.HasSuffix(rest, "-errors.json"):
		b.refusals(name, data)
	case len(parts) == 5 && parts[0] == "pods" && parts[1] == "logs":
		b.supportLog(name, parts[2], parts[3], parts[4], data)
	case parts[0] == "custom-resources" && strings.HasSuffix(rest, ".json"):
		b.objects(name, strings.TrimSuffix(parts[1], ".json"), data)
	default:
		resource, ok := resourceAt("support", rest)
		if !ok {
			return
		}
		b.objects(name, resource, data)
		if len(parts) == 2 && resource == "pods" {
			b.pages[strings.TrimSuffix(parts[1], path.Ext(parts[1]))] = true
		}
	}
}

func (b *bundle) supportLog(name, namespace, pod, file string, data []byte) {
	if container, failed := strings.CutSuffix(file, "-logs-errors.log"); failed {
		b.blind("logs of pod/%s/%s, container %s: %s (%s)", namespace, pod, container, strings.TrimSpace(string(data)), name)
		return
	}
	container, ok := strings.CutSuffix(file, ".log")
	if !ok {
		return
	}
	container, previous := strings.CutSuffix(container, "-previous")
	b.logOf(name, namespace, pod, container, previous, data)
}

// refusals tells what the capturer was refused: a list, or by namespace.
func (b *bundle) refusals(name string, data []byte) {
	var by map[string]string
	var all []string
	if err := json.Unmarshal(data, &by); err != nil {
		if err := json.Unmarshal(data, &all); err != nil {
			b.note(name, data, err)
			return
		}
	}
	for _, where := range slices.Sorted(maps.Keys(by)) {
		all = append(all, strings.TrimPrefix(where+": "+by[where], ": "))
	}
	for _, why := range all {
		b.Unseen = append(b.Unseen, fmt.Sprintf("%s: %s", name, why))
	}
}
