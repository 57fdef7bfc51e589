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

	Background []Workload `yaml:"background"` // more workloads, which have nothing to do with the faults
	Decoys     []Fault    `yaml:"decoys"`     // faults that another cause would show, and that do not matter
	Unseen     []string   `yaml:"unseen"`     // what nobody collects: kernel, metrics, logs, holders (which pod has a GPU)
	Noise      float64    `yaml:"noise"`      // 0..1: how much goes on that means nothing, of what is known of that
	Ends       Duration   `yaml:"ends"`       // when there is something to explain, since the script was started
	Truth      *Truth     `yaml:"truth"`      // what is to be explained then; nil is nothing
	NearMiss   *NearMiss  `yaml:"nearMiss"`
}

// A NearMiss is the same cluster and noise with other faults, which make the
// truth another.
type NearMiss struct {
	Text      string     `yaml:"text"`      // what is different
	Workloads []Workload `yaml:"workloads"` // instead of the scenario's; none is those
	Faults    []Fault    `yaml:"faults"`
	Truth     *Truth     `yaml:"truth"`
}

// A Truth is what a diagnosis of a scenario should come to.
type Truth struct {
	Cause   string   `yaml:"cause"`   // of causes.csv
	Accept  []string `yaml:"accept"`  // further causes that are right
	Subject string   `yaml:"subject"` // gpu, node, pod, workload or namespace: that of At
	At      Target   `yaml:"at"`
	Exact   bool     `yaml:"exact"` // the subject itself, not what owns it or it owns
	Focus   bool     `yaml:"focus"` // the question is about At's workload, and not what is wrong at all
	Tells   []string `yaml:"tells"` // regular expressions that the report's words match
}

// Near returns the scenario of sc's near miss, and whether it has one.
func (sc *Scenario) Near() (*Scenario, bool) {
	if sc.NearMiss == nil {
		return nil, false
	}
	near := *sc
	near.Faults, near.Truth, near.NearMiss = sc.NearMiss.Faults, sc.NearMiss.Truth, nil
	if sc.NearMiss.Workloads != nil {
		near.Workloads = sc.NearMiss.Workloads
	}
	return &near, true
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

	Quotas []Quota `yaml:"quotas"`
}

// A Quota is how many GPUs the pods of a namespace may ask for.
type Quota struct {
	Namespace string `yaml:"namespace"`
	GPUs      int    `yaml:"gpus"`
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
	MIG          string `yaml:"mig"`       // the profile that its GPUs are cut into seven of, 1g.10gb; "" is none

	names []string // of the nodes, where Vary gave them others
}

// A WorkloadKind is the Kubernetes kind that owns a workload's pods.
type WorkloadKind string

// The kinds of workloads.
const (
	Job         WorkloadKind = "Job"
	Deployment  WorkloadKind = "Deployment"
	StatefulSet WorkloadKind = "StatefulSet"
	DaemonSet   WorkloadKind = "DaemonSet"
)

// A Profile is how a workload uses its GPUs.
type Profile string

// The profiles. The pods of a training job wait for one another: the slowest
// GPU sets the pace, and a dead rank stops them all. A batch job ends, and is
// run again after a pause. An idle workload holds its GPUs and does nothing. A
// service has none, or does not use them.
const (
	Training  Profile = "training"
	Inference Profile = "inference"
	Batch     Profile = "batch"
	Idle      Profile = "idle"
	Service   Profile = "service"
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

	// Arrives is when somebody makes the workload, since the script was started; 0 is long before.
	Arrives    Duration          `yaml:"arrives"`
	MIG        string            `yaml:"mig"`        // the profile of the slice that each pod asks for instead of GPUs
	Pool       string            `yaml:"pool"`       // the pool on whose nodes the pods must be
	OnGPUNodes bool              `yaml:"onGPUNodes"` // of a daemon set: not on other nodes
	Beside     string            `yaml:"beside"`     // namespace/name: the workload on whose first pod's node all pods are, by nodeName
	Intolerant bool              `yaml:"intolerant"` // the pods do not tolerate the taint of GPU nodes
	Tolerates  []string          `yaml:"tolerates"`  // further taints' keys
	Env        map[string]string `yaml:"env"`

	// Retries is how many pods of a job may fail before the job has; 0 is 8 of each index.
	Retries int `yaml:"retries"`

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
	PowerBrake      FaultKind = "power-brake"      // the power supply slows GPUs down for For
	Fail            FaultKind = "fail"             // processes end as Failure says, and again when they are started within For
	Hang            FaultKind = "hang"             // a rank goes on no further, and says nothing
	MemoryGrowth    FaultKind = "memory-growth"    // the memory that is used on a GPU grows to To within For, and stays
	NVLinkErrors    FaultKind = "nvlink-errors"    // a GPU's links make Count errors within For
	SXidError       FaultKind = "sxid"             // an NVSwitch of a node reports Code
	PluginDown      FaultKind = "plugin-down"      // the device plug-in of a node fails for For
	UnitDown        FaultKind = "unit-down"        // Unit of a node is not active for For
	MIGFailed       FaultKind = "mig-failed"       // the MIG manager could not cut a node's GPUs
	Tainted         FaultKind = "taint"            // a node gets the taint Taint
	Cordoned        FaultKind = "cordon"           // a node is cordoned
	Rebooted        FaultKind = "reboot"           // a node boots anew, and its GPUs are whole again
	Restarted       FaultKind = "restart"          // pods are deleted, and their controller makes others
)

// A Fault is one thing that goes wrong, at a time of the script.
type Fault struct {
	Kind   FaultKind `yaml:"kind"`
	At     Duration  `yaml:"at"` // since the script was started
	For    Duration  `yaml:"for"`
	Target Target    `yaml:"target"`

	Peak     float64  `yaml:"peak"`     // thermal-throttle: °C; 0 is 92
	Ramp     Duration `yaml:"ramp"`     // thermal-throttle: from the start to Peak; 0 is 2m
	Code     int      `yaml:"code"`     // xid
	Stranger bool     `yaml:"stranger"` // memory-growth: it is not the process of the pod that has the GPU
	Factor   float64  `yaml:"factor"`   // demand-growth
	Count    int      `yaml:"count"`    // ecc-burst
	To       float64  `yaml:"to"`       // disk-fill, memory-growth: the share that is used, 0..1

	Failure string `yaml:"failure"` // fail: the id of a row of failures.yaml
	Unit    string `yaml:"unit"`    // unit-down: nvidia-fabricmanager.service
	OnNode  bool   `yaml:"onNode"`  // fail: whatever starts with GPUs on the node where the workload's pod is
	Taint   string `yaml:"taint"`   // taint: key=value, with the effect NoSchedule
}

// A Target is what a fault befalls: a node, a GPU of a node, a workload, or
// a GPU of one of its pods.
type Target struct {
	Node     string `yaml:"node"`
	Workload string `yaml:"workload"` // namespace/name
	Replica  int    `yaml:"replica"`  // the pod: its index in a job, its place by age in a deployment
	GPU      int    `yaml:"gpu"`      // its index on the node, or among the pod's
	All      bool   `yaml:"all"`      // every GPU of the node, every pod of the workload
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
func Parse(file string, data []byte) (*Scenario, error) { return ParseIn(new(Scenario), file, data) }

// ParseIn reads a scenario that leaves to setting what it does not say itself:
// the same cluster for many.
func ParseIn(setting *Scenario, file string, data []byte) (*Scenario, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	sc := new(Scenario)
	*sc = *setting
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
