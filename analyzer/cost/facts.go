package cost

import "time"

// Facts is what was seen of a cluster's GPUs in a window: samples at From+Step,
// From+2*Step … To, each of which stands for the Step before it.
type Facts struct {
	From, To time.Time
	Step     time.Duration
	Lead     int // samples before those, by which the first are judged

	Nodes map[string]Node
	GPUs  []GPU // by node and UUID
	Pods  map[PodName]Pod
	Asked []Asked // of CPUs and memory, by node and pod
	Early []Early // ahead of need, by pool

	Activity map[string]int // how many GPUs and parts each metric told the activity of
	Gaps     []string       // what could not be read
}

// Samples returns how many samples the window has, the lead not among them.
func (f *Facts) Samples() int { return int(f.To.Sub(f.From) / f.Step) }

// A Node is a machine as far as its price goes, and what is left on it at To.
type Node struct {
	Name, ID               string // the ID is its provider's: i-0abc
	Instance, Region, Pool string
	Zone                   string // "" where it is not known
	Spot                   bool
	Away                   []float64 // above 0 where it takes no pods: cordoned, or not ready
	Free                   Size      // at To
	Capacity               Size      // what pods may have of it
}

// A Size is what a pod asks for, or what a node has.
type Size struct{ GPUs, CPUs, MemoryBytes float64 }

// A GPU is one GPU and what was seen of its parts.
type GPU struct {
	Node, UUID, Index, Model string
	Lost                     []float64 // above 0 where it did not answer
	Parts                    []Part
}

// A Part is a MIG instance, or all of a GPU.
type Part struct {
	Instance, Profile string  // "" for all of a GPU
	Share             float64 // of the GPU
	Metric            string  // that tells Mean and Peak; "" is none
	Mean, Peak        []float64
	Memory            []float64 // share of it that is used
	MiB               float64   // of memory, all of it; 0 is not known
	Seen              []bool
	Held              []Held
}

// Held is a pod's hold on a part; several share it where it is time-sliced.
type Held struct {
	Pod PodName
	On  []bool
}

// A PodName is a pod's name in its namespace.
type PodName struct{ Namespace, Name string }

// A Pod is whose a pod is and what it asks for.
type Pod struct {
	Workload Workload
	Team     string // "" where no label says
	Standby  bool   // its label says that it may be idle
	Main     string // the container that has the GPU, "" is not known
	Node     string
	Asks     Size
	Running  bool // at To
}

// A Workload is what somebody asked for that pods belong to.
type Workload struct{ Namespace, Kind, Name string }

func (w Workload) String() string { return w.Namespace + "/" + w.Name }
