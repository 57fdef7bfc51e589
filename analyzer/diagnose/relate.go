package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/diagnose/knowledge"
)

// A relation says which keys of a cause and of an effect must meet for the two
// facts to hang together.
type relation struct {
	from, to func(*judge, *facts.Fact) []analyzer.Subject
}

// relations are the ways in which subjects hang together, by the names that
// knowledge.yaml uses for them.
var relations = map[string]*relation{
	"same":        {self, self},                 // the same subject
	"holder":      {holders, self},              // a GPU and the pods that held it then
	"held-by":     {heldBy, workload},           // a GPU and the workloads of the pods that held it then
	"node":        {node, self},                 // anything and the node that it is on
	"on-node":     {node, node},                 // anything and what is on the same node
	"replaced":    {heldBy, listed("replaces")}, // a GPU that pods held, and the workload whose new pods wait in their place
	"workload":    {workload, self},             // a pod and what it belongs to
	"pods":        {self, workload},             // a workload and its pods
	"peers":       {workload, workload},         // pods of one workload
	"blocked-by":  {self, listed("blockedBy")},  // a node and the pods that it alone keeps waiting
	"waits-for":   {self, listed("waitsFor")},   // a pod and those that wait for what it holds
	"namespace":   {namespace, namespace},
	"its-pod":     {listed("pod"), self}, // a fact that names a pod, and the pod
	"mounted-by":  {self, mounts},        // a claim and the pods that mount it
	"mounts":      {workload, behind},    // a workload and the claims that its pods mount
	"anywhere":    {everything, everything},
	"called":      {itself, listed("callee")}, // what is called and does not answer, and who says so
	"called-from": {node, listed("from")},     // a node and the calls that only pods on it make in vain
	"runs-there":  {thereOn, workload},        // a node and the workloads with a pod on it
	"seen":        {seen, workload},           // a fact, and the workloads where it showed
	"its-watcher": {watchers, self},           // a fact, and the very pods where it showed
	"webhook":     {itself, listed("serves")}, // what serves a webhook, and who could not call it
	"selected":    {behind, workload},         // what stands for workloads, and those
}

func self(_ *judge, f *facts.Fact) []analyzer.Subject { return []analyzer.Subject{f.Subject} }

func holders(j *judge, f *facts.Fact) []analyzer.Subject {
	return j.HoldersAt(f.Subject, f.At)
}

func heldBy(j *judge, f *facts.Fact) []analyzer.Subject {
	var all []analyzer.Subject
	for _, p := range j.HoldersAt(f.Subject, f.At) {
		if top := j.Workload(p); !slices.Contains(all, top) {
			all = append(all, top)
		}
	}
	return all
}

func node(j *judge, f *facts.Fact) []analyzer.Subject {
	if n := j.NodeOf(f.Subject); n != "" {
		return []analyzer.Subject{analyzer.Node(n)}
	}
	return nil
}

func workload(j *judge, f *facts.Fact) []analyzer.Subject {
	return []analyzer.Subject{j.Workload(f.Subject)}
}

func namespace(_ *judge, f *facts.Fact) []analyzer.Subject {
	if f.Subject.Kind == "namespace" {
		return []analyzer.Subject{f.Subject}
	}
	return []analyzer.Subject{{Kind: "namespace", Name: f.Subject.Namespace}}
}

func mounts(j *judge, f *facts.Fact) []analyzer.Subject { return j.Mounts(f.Subject) }

func everything(j *judge, _ *facts.Fact) []analyzer.Subject {
	return []analyzer.Subject{analyzer.Cluster(j.s.Cluster.Name)}
}

func itself(j *judge, f *facts.Fact) []analyzer.Subject {
	all := []analyzer.Subject{f.Subject}
	if top := j.Workload(f.Subject); top != f.Subject {
		all = append(all, top)
	}
	return all
}

func thereOn(j *judge, f *facts.Fact) []analyzer.Subject {
	n := j.NodeOf(f.Subject)
	var all []analyzer.Subject
	for _, p := range j.Graph.PodsOn(n) {
		if top := j.Workload(p); n != "" && !slices.Contains(all, top) {
			all = append(all, top)
		}
	}
	return all
}

func seen(j *judge, f *facts.Fact) []analyzer.Subject {
	var all []analyzer.Subject
	for _, s := range f.Seen {
		if top := j.Workload(s); !slices.Contains(all, top) {
			all = append(all, top)
		}
	}
	return all
}

func watchers(_ *judge, f *facts.Fact) []analyzer.Subject { return f.Seen }

func behind(j *judge, f *facts.Fact) []analyzer.Subject { return j.Behind(f.Subject) }

// listed reads subjects that a reader left in a detail, separated by blanks.
func listed(detail string) func(*judge, *facts.Fact) []analyzer.Subject {
	return func(_ *judge, f *facts.Fact) []analyzer.Subject {
		var all []analyzer.Subject
		for _, text := range strings.Fields(f.Detail[detail]) {
			if s, err := analyzer.ParseSubject(text); err == nil {
				all = append(all, s)
			}
		}
		return all
	}
}

// How far apart clocks may be. Kubelets write whole seconds.
const (
	skewNear = 2 * time.Second // on one node
	skewFar  = 5 * time.Second
)

// follows reports whether to can be an effect of from as the link says.
func (j *judge) follows(l knowledge.Link, from, to *facts.Fact) bool {
	if from == to {
		return false
	}
	if to.Kind == facts.AlertKind && !from.Standing {
		return false // it fires now: what is over did not make it
	}
	if from.At.IsZero() || to.At.IsZero() {
		return true // an unknown time excludes nothing
	}
	skew := skewFar
	if n := j.NodeOf(from.Subject); n != "" && n == j.NodeOf(to.Subject) {
		skew = skewNear
	}
	d := to.At.Sub(from.At)
	if from.Kind != to.Kind {
		skew = max(skew, sampling(from), sampling(to))
	}
	if from.Until.After(from.At) {
		return d >= -(skew+l.Before) && (l.Within == 0 || to.At.Sub(from.Until) <= l.Within+skew)
	}
	return d >= -(skew+l.Before) && (l.Within == 0 || d <= l.Within+skew)
}

// sampling is how late a metric may notice: one scrape, and as long as its
// samples are apart. Kernel lines and events are noted when they happen.
func sampling(f *facts.Fact) time.Duration {
	if f.Kind.Sampled() {
		return max(time.Minute, f.Lag)
	}
	return 0
}

// effects returns, for every fact, the facts that follow from it directly.
func (j *judge) effects() map[*facts.Fact][]*facts.Fact {
	out := map[*facts.Fact][]*facts.Fact{}
	seen := map[[2]*facts.Fact]bool{}
	for _, l := range knowledge.All().Links {
		rel := relations[l.Where]
		byKey := map[analyzer.Subject][]*facts.Fact{}
		for _, name := range l.To {
			for _, f := range j.Called(name) {
				for _, k := range rel.to(j, f) {
					byKey[k] = append(byKey[k], f)
				}
			}
		}
		if len(byKey) == 0 {
			continue
		}
		for _, name := range l.From {
			for _, f := range j.Called(name) {
				for _, k := range rel.from(j, f) {
					for _, to := range byKey[k] {
						if pair := [2]*facts.Fact{f, to}; !seen[pair] && j.follows(l, f, to) {
							seen[pair] = true
							out[f] = append(out[f], to)
						}
					}
				}
			}
		}
	}
	at := map[*facts.Fact]int{}
	for i, f := range j.Facts {
		at[f] = i
	}
	for _, fs := range out {
		slices.SortFunc(fs, func(a, b *facts.Fact) int { return cmp.Compare(at[a], at[b]) })
	}
	return out
}
