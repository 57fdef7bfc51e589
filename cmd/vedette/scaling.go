package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"k8s.io/client-go/dynamic"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/cost"
	"vedette.dev/analyzer/scale"
	"vedette.dev/analyzer/scale/amazon"
	scalecluster "vedette.dev/analyzer/scale/cluster"
	"vedette.dev/analyzer/scale/external"
	"vedette.dev/analyzer/scale/keda"
	"vedette.dev/analyzer/store"
	"vedette.dev/collector/cluster"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictyaml"
	"vedette.dev/rules/syntax"
)

// Scaling is the configuration of predictive scaling. Without pools nothing is forecast.
type Scaling struct {
	Pools []scaledPool `yaml:"pools"`
	KEDA  scalingDoor  `yaml:"keda"` // an external scaler; without TLS where there is no certFile
	HPA   scalingDoor  `yaml:"hpa"`  // the API external.metrics.k8s.io, of which a cluster has one; over TLS
	EKS   struct {
		Region   string `yaml:"region"`   // of node groups; "" is the environment's
		Endpoint string `yaml:"endpoint"` // "" is AWS' own
	} `yaml:"eks"`
}

type scaledPool struct {
	Name     string              `yaml:"name"`
	Demand   string              `yaml:"demand"`   // PromQL that comes to one series: sum(vllm:num_requests_running) + sum(vllm:num_requests_waiting)
	Capacity float64             `yaml:"capacity"` // the demand that one unit meets
	Min      int                 `yaml:"min"`      // units
	Max      int                 `yaml:"max"`      // units; required
	Step     int                 `yaml:"step"`     // how many units a forecast adds at most; 0 is as many as demand asks for
	Overload float64             `yaml:"overload"` // share of minutes in which demand may be more than the units meet; 0.005
	Pods     string              `yaml:"pods"`     // whose starts say how long a unit boots, as PromQL matchers: namespace="serving", pod=~"llm-.*"
	Boot     strictyaml.Duration `yaml:"boot"`     // how long a unit boots, where it is known; 0 is measured
	GPUs     int                 `yaml:"gpus"`     // of one unit: for its price, and for a balloon's pods
	Instance string              `yaml:"instance"` // type of its machine: p5.48xlarge
	Region   string              `yaml:"region"`   // whose prices count; "" is the price book's
	Target   scaledTarget        `yaml:"target"`
}

type scaledTarget struct {
	Kind    string `yaml:"kind"`    // balloon, buffer or nodegroup; "" only advises
	Name    string `yaml:"name"`    // namespace/name, of a node group cluster/name
	Approve string `yaml:"approve"` // person, or policy: within min, max and step it is approved; person
}

// defaultOverload is the objective of a pool that has none: a quarter of the
// minutes that an availability of 98 % would allow, some 50 in a week.
const defaultOverload = 0.005

func (c *Scaling) fill() {
	for i := range c.Pools {
		p := &c.Pools[i]
		if p.Overload == 0 {
			p.Overload = defaultOverload
		}
		if p.Target.Approve == "" {
			p.Target.Approve = "person"
		}
	}
}

var poolName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

func (c *Scaling) check() error {
	var errs []error
	seen := map[string]bool{}
	for i, p := range c.Pools {
		where := fmt.Sprintf("scaling.pools[%d]", i)
		if p.Name != "" {
			where += " " + p.Name
		}
		wrong := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf(where+": "+format, args...))
		}
		if !poolName.MatchString(p.Name) {
			wrong("name %q is not of small letters, digits, - and .", p.Name)
		}
		if seen[p.Name] {
			wrong("another pool has this name")
		}
		seen[p.Name] = true
		if _, err := syntax.Parse(p.Demand); err != nil {
			wrong("demand: %w", err)
		}
		if _, err := syntax.Parse("kube_pod_created{" + p.Pods + "}"); err != nil {
			wrong("pods: %q are not PromQL matchers: %w", p.Pods, err)
		}
		if !(p.Capacity > 0) {
			wrong("capacity: how much demand a unit meets is required, above 0")
		}
		if p.Min < 0 || p.Max < 1 || p.Max < p.Min || p.Step < 0 {
			wrong("min %d, max %d, step %d: a max of 1 or more is required, and no less than min", p.Min, p.Max, p.Step)
		}
		if !(p.Overload > 0 && p.Overload < 1) {
			wrong("overload %g is not a share between 0 and 1", p.Overload)
		}
		if boot := time.Duration(p.Boot); boot < 0 || boot > time.Hour {
			wrong("boot %s is not between 0 and 1h", boot)
		}
		if p.GPUs < 0 {
			wrong("gpus: %d", p.GPUs)
		}
		errs = append(errs, p.Target.check(where, p.GPUs))
	}
	errs = append(errs, c.KEDA.check("scaling.keda"), c.HPA.check("scaling.hpa"))
	if c.HPA.Listen != "" && c.HPA.CertFile == "" {
		errs = append(errs, errors.New("scaling.hpa: an API server asks over TLS only: certFile and keyFile are required"))
	}
	return errors.Join(errs...)
}

var twoNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (t scaledTarget) check(where string, gpus int) error {
	var errs []error
	switch t.Kind {
	case "balloon":
		if gpus == 0 {
			errs = append(errs, fmt.Errorf("%s: a balloon's pods need gpus", where))
		}
	case "", "buffer", "nodegroup":
	default:
		errs = append(errs, fmt.Errorf("%s: target.kind %q is not balloon, buffer or nodegroup", where, t.Kind))
	}
	if t.Kind != "" && !twoNames.MatchString(t.Name) {
		errs = append(errs, fmt.Errorf("%s: target.name %q is not namespace/name, or cluster/name of a node group", where, t.Name))
	}
	if t.Approve != "person" && t.Approve != "policy" {
		errs = append(errs, fmt.Errorf("%s: target.approve %q is not person or policy", where, t.Approve))
	}
	return errors.Join(errs...)
}

// scaleDesk makes the desk that advises on the configured pools. Its ledger
// comes later.
func (s *service) scaleDesk(book *cost.Book) *scale.Desk {
	d := &scale.Desk{Querier: s.db}
	for _, p := range s.cfg.Scaling.Pools {
		spec := scale.Spec{Name: p.Name, Demand: p.Demand, Objective: p.Overload, Pods: p.Pods, BootTime: time.Duration(p.Boot),
			Pool: scale.Pool{Capacity: p.Capacity, Min: p.Min, Max: p.Max, Step: p.Step}, Target: p.target()}
		if p.Instance != "" {
			price := book.GPUHour(cost.Node{Instance: p.Instance, Region: p.Region}, "")
			spec.USD = float64(p.GPUs) * (price.USD + price.Rest())
			if !price.Known {
				s.log.Warn("what a unit costs is not known", "pool", p.Name, "why", price.Why)
			}
		}
		d.Pools = append(d.Pools, spec)
	}
	return d
}

func (p scaledPool) target() *scale.Target {
	t := &scale.Target{Name: p.Target.Name, ByPolicy: p.Target.Approve == "policy"}
	switch p.Target.Kind {
	case "balloon":
		t.Kind, t.Says = action.ScaleBalloon, fmt.Sprintf("pods of %d GPUs that give way to any other", p.GPUs)
		t.Params = map[string]string{scalecluster.GPUs: strconv.Itoa(p.GPUs), scalecluster.Node: p.Instance}
	case "buffer":
		t.Kind, t.Says = action.ScaleBuffer, "replicas more than its owner asked for"
	case "nodegroup":
		t.Kind, t.Says, t.Whole = action.ScaleNodegroup, "nodes at least", true
	default:
		return nil
	}
	return t
}

// placing returns the executors that the targets of the pools need.
func (s *service) placing(ctx context.Context) (map[action.Kind]action.Executor, error) {
	out := map[action.Kind]action.Executor{}
	for _, p := range s.cfg.Scaling.Pools {
		switch p.Target.Kind {
		case "balloon", "buffer":
			if s.extras.simulated {
				continue // its executors are the demo's
			}
			api, err := cluster.Config(s.cfg.Kubernetes.Kubeconfig)
			if err != nil {
				return nil, fmt.Errorf("scaling: %s: %w", p.Name, err)
			}
			objects, err := dynamic.NewForConfig(api)
			if err != nil {
				return nil, fmt.Errorf("scaling: %s: %w", p.Name, err)
			}
			out[action.ScaleBalloon], out[action.ScaleBuffer] = scalecluster.Balloon{API: objects}, scalecluster.Buffer{API: objects}
		case "nodegroup":
			groups, err := amazon.Open(ctx, s.cfg.Scaling.EKS.Region, s.cfg.Scaling.EKS.Endpoint)
			if err != nil {
				return nil, fmt.Errorf("scaling: %s: %w", p.Name, err)
			}
			out[action.ScaleNodegroup] = groups
		}
	}
	return out, nil
}

// kedaServer returns the external scaler, not yet listening.
func (s *service) kedaServer() (*grpc.Server, error) {
	var opts []grpc.ServerOption
	if k := s.cfg.Scaling.KEDA; k.CertFile != "" {
		c, err := k.tls()
		if err != nil {
			return nil, fmt.Errorf("scaling.keda: %w", err)
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(c)))
	}
	srv := grpc.NewServer(opts...)
	(&keda.Server{Desk: s.scaling, Now: time.Now}).Register(srv)
	return srv, nil
}

// openScaling opens the doors through which autoscalers ask.
func (s *service) openScaling() (err error) {
	if at := s.cfg.Scaling.KEDA.Listen; at != "" {
		if s.keda, err = listen("scaling.keda.listen", at); err != nil {
			return err
		}
		s.closers = append(s.closers, closeListener(s.keda))
		if s.scaler, err = s.kedaServer(); err != nil {
			return err
		}
	}
	if at := s.cfg.Scaling.HPA.Listen; at != "" {
		c, err := s.cfg.Scaling.HPA.tls()
		if err != nil {
			return fmt.Errorf("scaling.hpa: %w", err)
		}
		l, err := listen("scaling.hpa.listen", at)
		if err != nil {
			return err
		}
		c.NextProtos = []string{"h2", "http/1.1"}
		s.hpa = tls.NewListener(l, c)
		s.closers = append(s.closers, closeListener(l))
		s.external = &http.Server{Handler: external.Handler(s.scaling, time.Now), ReadHeaderTimeout: 10 * time.Second,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	}
	return nil
}

// foresee is one turn of predictive scaling: look, propose, write down. A
// target that does not answer keeps it no longer than until the next.
func (s *service) foresee(ctx context.Context, now time.Time) {
	if past := s.extras.backfill; past != nil {
		if p := past(); p != nil && p.Done < 1 && p.Err == "" {
			return // what is not filled in yet would be taken for a gap
		}
	}
	ctx, cancel := context.WithTimeout(ctx, scale.Every)
	defer cancel()
	if err := s.scaling.Tick(ctx, now); err != nil && ctx.Err() == nil {
		s.log.Warn("scaling", "err", err)
	}
	if err := writeSamples(ctx, s.db, s.scaling.Samples(), now); err != nil && ctx.Err() == nil {
		s.log.Error("scaling", "err", err)
	}
}

// writeSamples keeps what is advised as ordinary series.
func writeSamples(ctx context.Context, db *store.Local, samples []scale.Sample, now time.Time) error {
	app := db.DB().Appender(ctx)
	for _, s := range samples {
		b := labels.NewBuilder(labels.FromMap(s.Labels))
		if _, err := app.Append(0, b.Set(labels.MetricName, s.Metric).Labels(), now.UnixMilli(), s.Value); err != nil {
			return errors.Join(fmt.Errorf("write what is advised: %w", err), app.Rollback())
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("write what is advised: %w", err)
	}
	return nil
}

// advised shows the same on /metrics. Which series there are changes, so none
// is described beforehand.
type advised struct{ desk *scale.Desk }

func (advised) Describe(chan<- *prometheus.Desc) {}

func (a advised) Collect(to chan<- prometheus.Metric) {
	for _, s := range a.desk.Samples() {
		m, _ := catalog.Builtin().Metric(catalog.ID(s.Metric))
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(s.Metric, m.Help, nil, s.Labels), prometheus.GaugeValue, s.Value)
	}
}
