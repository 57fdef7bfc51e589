package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// A Scenario is a cluster, what runs on it, and what goes wrong.
type Scenario struct {
	APIVersion string     `yaml:"apiVersion"` // vedette.dev/v1
	Kind       string     `yaml:"kind"`       // Scenario
	Name       string     `yaml:"name"`
	Seed       uint64     `yaml:"seed"`
	Cluster    Cluster    `yaml:"cluster"`
	Workloads  []Workload `yaml:"workloads"`
	Faults     []Fault    `yaml:"faults"`
}

// A Cluster is the machines of a scenario.
type Cluster struct {
	Name     string `yaml:"name"`
	Provider string `yaml:"provider"` // eks; anything else is bare metal
	Version  string `yaml:"version"`  // of the kubelets: v1.33.4
	Pools    []Pool `yaml:"pools"`

	// DiskGrowth is the share of its root file system, 0..1, by which a node's
	// disk fills in a day, for the nodes where it fills noticeably.
	DiskGrowth map[string]float64 `yaml:"diskGrowth"`
}

// A Pool is nodes of one kind. They are named after it: pool gpu has gpu-01, gpu-02 and so on.
type Pool struct {
	Name         string `yaml:"name"`
	Nodes        int    `yaml:"nodes"`
	InstanceType string `yaml:"instanceType"`
	GPUModel     string `yaml:"gpuModel"` // as NVML names it: NVIDIA H100 80GB HBM3
	GPUsPerNode  int    `yaml:"gpusPerNode"`
	RackSize     int    `yaml:"rackSize"`  // nodes in a rack; 0 is all in one
	CPUs         int    `yaml:"cpus"`      // of a node; 0 is 24 a GPU
	MemoryGiB    int    `yaml:"memoryGiB"` // of a node; 0 is 256 a GPU
}

// A WorkloadKind is the Kubernetes kind that owns a workload's pods.
type WorkloadKind string

// The kinds of workloads.
const (
	Job         WorkloadKind = "Job"
	Deployment  WorkloadKind = "Deployment"
	StatefulSet WorkloadKind = "StatefulSet"
)

// A Profile is how a workload uses its GPUs.
type Profile string

// The profiles. The pods of a training job wait for one another: the slowest
// GPU sets the pace, and a dead rank stops them all. A batch job ends, and is
// run again after a pause. An idle workload holds its GPUs and does nothing.
const (
	Training  Profile = "training"
	Inference Profile = "inference"
	Batch     Profile = "batch"
	Idle      Profile = "idle"
)

// A Workload is pods that are alike.
type Workload struct {
	Namespace  string       `yaml:"namespace"`
	Name       string       `yaml:"name"`
	Kind       WorkloadKind `yaml:"kind"`
	Replicas   int          `yaml:"replicas"`
	GPUsPerPod int          `yaml:"gpusPerPod"`
	Profile    Profile      `yaml:"profile"`
	Image      string       `yaml:"image"`
	Priority   int32        `yaml:"priority"` // the scheduler serves higher ones first; none preempts
	Model      string       `yaml:"model"`    // inference: the label model_name; "" is the workload's name
	Demand     *Demand      `yaml:"demand"`   // inference: what is asked of it

	Loads Duration `yaml:"loads"` // inference: how long a replica reads its model, about; 0 is less than a minute

	RunTime Duration `yaml:"runTime"` // batch: how long a run takes, about
	Pause   Duration `yaml:"pause"`   // batch: between a run and the next

	// NCCLTimeout is how long the ranks of a training job wait for a dead one,
	// in script time like all that a fault sets off; 0 is PyTorch's 10m.
	NCCLTimeout Duration `yaml:"ncclTimeout"`
}

// Demand is what an inference deployment is asked for: requests in flight. It
// swings over the day (UTC), is less at weekends, and grows from day to day.
// The deployment's replicas follow it, between Min and Max.
type Demand struct {
	Requests     float64 `yaml:"requests"`     // in flight, on the mean of the first day
	PerReplica   float64 `yaml:"perReplica"`   // in flight at once on one replica before they queue
	Min          int     `yaml:"min"`          // replicas
	Max          int     `yaml:"max"`          // replicas
	Daily        float64 `yaml:"daily"`        // 0..1: the day's swing around its mean
	Weekend      float64 `yaml:"weekend"`      // what is left of it on Saturday and Sunday; 0 is all
	GrowthPerDay float64 `yaml:"growthPerDay"` // 0.02 is 2 % of the first day's, each day
	Surge        *Surge  `yaml:"surge"`        // at one time of every day; none unless set
}

// A Surge is what comes at the same time of every day: somebody's work begins.
type Surge struct {
	After  Duration `yaml:"after"`  // the time of day at which the simulated past began
	For    Duration `yaml:"for"`    // it is there within a minute, and goes as fast
	Factor float64  `yaml:"factor"` // times the demand that there would be
}

// A FaultKind names a fault.
type FaultKind string

// The kinds of faults.
const (
	ThermalThrottle FaultKind = "thermal-throttle" // a GPU heats up to Peak within Ramp; what follows, follows
	XidError        FaultKind = "xid"              // a GPU reports Code
	DemandGrowth    FaultKind = "demand-growth"    // a deployment's demand grows to Factor times itself over For, and stays
	ECCBurst        FaultKind = "ecc-burst"        // a GPU corrects Count single-bit errors within For
	DiskFill        FaultKind = "disk-fill"        // a node's root file system fills to To within For, and stays so
)

// A Fault is one thing that goes wrong, at a time of the script.
type Fault struct {
	Kind   FaultKind `yaml:"kind"`
	At     Duration  `yaml:"at"` // since the script was started
	For    Duration  `yaml:"for"`
	Target Target    `yaml:"target"`

	Peak   float64  `yaml:"peak"`   // thermal-throttle: °C; 0 is 92
	Ramp   Duration `yaml:"ramp"`   // thermal-throttle: from the start to Peak; 0 is 2m
	Code   int      `yaml:"code"`   // xid
	Factor float64  `yaml:"factor"` // demand-growth
	Count  int      `yaml:"count"`  // ecc-burst
	To     float64  `yaml:"to"`     // disk-fill: the share that is used, 0..1
}

// A Target is what a fault befalls: a node, a GPU of a node, a workload, or
// a GPU of one of its pods.
type Target struct {
	Node     string `yaml:"node"`
	Workload string `yaml:"workload"` // namespace/name
	Replica  int    `yaml:"replica"`  // the pod: its index in a job, its place by age in a deployment
	GPU      int    `yaml:"gpu"`      // its index on the node, or among the pod's
}

// A Duration is written in Prometheus' notation: 1m30s, 2h, 7d.
type Duration time.Duration

// UnmarshalYAML reads d and names the line where it cannot.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := model.ParseDuration(n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*d = Duration(v)
	return nil
}

// Parse reads a scenario. An error names file and line, or the field that is wrong.
func Parse(file string, data []byte) (*Scenario, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	sc := new(Scenario)
	if err := dec.Decode(sc); err != nil {
		return nil, located(file, err)
	}
	if err := dec.Decode(new(yaml.Node)); err != io.EOF {
		return nil, fmt.Errorf("%s: more than one document", file)
	}
	errs := sc.validate()
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", file, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return sc, nil
}

var (
	yamlLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	unknownField = regexp.MustCompile(`^field (\S+) not found in type .*$`)
)

// located rewrites an error of the YAML decoder as file:line: what.
func located(file string, err error) error {
	messages := []string{err.Error()}
	if te, ok := errors.AsType[*yaml.TypeError](err); ok {
		messages = te.Errors
	}
	var errs []error
	for _, m := range messages {
		at := file
		if l := yamlLine.FindStringSubmatch(m); l != nil {
			at, m = file+":"+l[1], m[len(l[0]):]
		}
		m = unknownField.ReplaceAllString(strings.TrimPrefix(m, "yaml: "), `unknown key "$1"`)
		errs = append(errs, fmt.Errorf("%s: %s", at, m))
	}
	return errors.Join(errs...)
}
