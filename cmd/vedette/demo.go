package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/api"
	"vedette.dev/analyzer/scale"
	scalecluster "vedette.dev/analyzer/scale/cluster"
	"vedette.dev/collector"
	"vedette.dev/collector/kmsg"
	"vedette.dev/collector/otlp"
	"vedette.dev/collector/simulate"
	"vedette.dev/fixtures"
	"vedette.dev/fixtures/incident"
	"vedette.dev/rules/strictyaml"
)

const (
	// demoPeriod is how often the demo's agents look: three times as often as
	// real ones by default, so that a visitor sees things move.
	demoPeriod = 5 * time.Second
	// demoEvaluate is its rules' interval.
	demoEvaluate = 5 * time.Second
	// demoStep is how finely the simulated cluster lives.
	demoStep = time.Second
	// demoLead is how long the cluster is quiet before its script starts, so
	// that what goes wrong is seen to start.
	demoLead = 10 * time.Second
)

// demoOptions are the flags of `vedette demo`.
type demoOptions struct {
	scenario string // the name of one that comes with the program, or a file
	listen   string
	data     string // "" is a directory that goes with the demo
	speed    float64
	seed     uint64 // 0 is the scenario's own
	history  time.Duration
}

func demoCommand(s *screen) *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use: "demo", Short: "Run everything in one process on a simulated GPU cluster", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.speed <= 0 {
				return usage(fmt.Errorf("--speed %v is not above 0", o.speed))
			}
			return demo(c.Context(), o, c.OutOrStdout(), logger(c.ErrOrStderr(), max(s.logLevel, slog.LevelWarn)))
		},
	}
	f := c.Flags()
	f.StringVar(&o.scenario, "scenario", "demo", fmt.Sprintf("what happens: one of %v, an incident of vedette snapshot simulate, or a file", fixtures.Scenarios()))
	f.StringVar(&o.listen, "listen", defaultHTTP, "address of the page and the API")
	f.StringVar(&o.data, "data", "", "directory to keep data in (default: one that is removed at the end)")
	f.Float64Var(&o.speed, "speed", 4, "how much faster the script of faults runs; stored time stays wall-clock time")
	f.Uint64Var(&o.seed, "seed", 0, "seed of the simulation (default: the scenario's)")
	f.DurationVar(&o.history, "history", 7*24*time.Hour, "how much past to fill in; 0 is none")
	return c
}

// demo runs the simulated cluster, an agent for each of its nodes, and the
// service, until ctx ends.
func demo(ctx context.Context, o demoOptions, out io.Writer, log *slog.Logger) (err error) {
	started := time.Now()
	sc, err := scenario(o)
	if err != nil {
		return err
	}
	dir := o.data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "vedette-demo-"); err != nil {
			return fmt.Errorf("make a directory for the demo's data: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	token := rand.Text()
	tokenFile := filepath.Join(dir, "ingest.token")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the demo's data directory: %w", err)
	}
	if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the agents' token: %w", err)
	}

	world, err := simulate.New(sc, started.Add(-o.history))
	if err != nil {
		return err
	}
	relive(world, started.Add(-o.history), started)
	past := &backfill{sc: sc, from: started.Add(-o.history), to: started}

	cfg := &Config{APIVersion: "vedette.dev/v1", Kind: "ServerConfig", Data: dir, Mode: action.Approve, Evaluate: strictyaml.Duration(demoEvaluate)}
	cfg.Cluster.Name, cfg.Cluster.Provider, cfg.Cluster.Version = sc.Cluster.Name, sc.Cluster.Provider, sc.Cluster.Version
	cfg.Listen.HTTP, cfg.Listen.OTLP = o.listen, "127.0.0.1:0"
	cfg.Tokens.Ingest = tokenFile
	cfg.Scaling.Pools = demoPools(sc)
	cfg.Kubernetes.Disabled = true // its cluster is the simulated one, wherever it runs
	cfg.fill()
	svc, err := open(cfg, log, extras{simulated: true, backfill: past.progress,
		executors: map[action.Kind]action.Executor{action.CordonNode: cordoning(world), action.ScaleBalloon: inflating(world)}})
	if errors.Is(err, syscall.EADDRINUSE) {
		return hint(err, "--listen 127.0.0.1:0 takes any free port")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.close()) }()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return svc.run(ctx) })
	world.StartScript(time.Now().Add(demoLead), o.speed)
	g.Go(func() error {
		return every(ctx, demoStep, func(_ context.Context, now time.Time) { world.Advance(now) })
	})
	agents, err := simulatedAgents(world, svc.otlp.Addr().String(), token, log)
	if err != nil {
		return err
	}
	for _, a := range agents {
		g.Go(func() error { a.Run(ctx); return nil })
	}
	if o.history > 0 {
		g.Go(func() error { past.run(ctx, svc.db, log); return nil })
	}
	g.Go(func() error { return greet(ctx, svc, sc, out, started) })
	return g.Wait()
}

// scenario reads the scenario that the flags name.
func scenario(o demoOptions) (*simulate.Scenario, error) {
	data, err := fixtures.Scenario(o.scenario)
	file := o.scenario + ".yaml"
	if err != nil {
		file = o.scenario
		data, err = os.ReadFile(file)
	}
	var sc *simulate.Scenario
	switch {
	case err == nil:
		sc, err = simulate.Parse(file, data)
	case slices.Contains(fixtures.Incidents(), o.scenario):
		sc, err = incident.Read(o.scenario)
	default:
		return nil, hint(fmt.Errorf("read scenario: %w", err), fmt.Sprintf("those that come with the program are %v and the incidents %v", fixtures.Scenarios(), fixtures.Incidents()))
	}
	if err == nil && o.seed != 0 {
		sc.Seed = o.seed
	}
	return sc, err
}

// relive lets the world live from from until to in the steps of its past.
func relive(w *simulate.World, from, to time.Time) {
	for t := from; t.Before(to); t = t.Add(pastStep) {
		w.Advance(t)
	}
}

// simulatedAgents makes an agent for each node and one for the API server.
// They differ from real ones only in their sources.
func simulatedAgents(w *simulate.World, endpoint, token string, log *slog.Logger) ([]*collector.Agent, error) {
	var agents []*collector.Agent
	add := func(node string, sources map[string]collector.Source) error {
		sink, err := otlp.New(otlp.Config{Endpoint: endpoint, Protocol: "grpc", Token: token, Insecure: true, Node: node})
		if err != nil {
			return fmt.Errorf("agent of %s: %w", node, err)
		}
		agents = append(agents, &collector.Agent{Node: node, Sources: sources, Sink: sink, Period: demoPeriod, Troubles: &collector.Troubles{Now: time.Now,
			Fails: func(what string, err error) { log.Warn(what+" fails", "node", node, "err", err) },
			Well: func(what string, after time.Duration) {
				log.Info(what+" is well again", "node", node, "after", after.Round(time.Second))
			}}})
		return nil
	}
	for _, node := range w.Nodes() {
		if err := add(node, map[string]collector.Source{
			"dcgm": w.GPUs(node),
			"host": w.Host(node),
			"kmsg": &kmsg.Source{Node: node, Boot: w.Boot(node), Records: w.Kernel(node)},
		}); err != nil {
			return nil, err
		}
	}
	return agents, add("cluster", map[string]collector.Source{"cluster": w.Cluster()})
}

// cordoning lets an approved cordon happen to the simulated node.
func cordoning(w *simulate.World) action.Executor {
	return action.ExecutorFunc(func(_ context.Context, a action.Action) (string, error) {
		node, err := nodeOf(a.Target)
		if err != nil {
			return "", err
		}
		if err := w.Cordon(node); err != nil {
			return "", err
		}
		return fmt.Sprintf("node %s takes no new pods", node), nil
	})
}

// demoPools are the workloads of a scenario that take their time to load: those
// for which it is worth while to order early.
func demoPools(sc *simulate.Scenario) []scaledPool {
	var pools []scaledPool
	for _, wl := range sc.Workloads {
		if wl.Loads == 0 {
			continue
		}
		d := wl.Demand
		of := fmt.Sprintf("{namespace=%q,model_name=%q}", wl.Namespace, cmp.Or(wl.Model, wl.Name))
		p := scaledPool{Name: wl.Name, Demand: "sum(vllm:num_requests_running" + of + ") + sum(vllm:num_requests_waiting" + of + ")",
			Capacity: simulate.AimedLoad * d.PerReplica, Min: d.Min, Max: d.Max, GPUs: wl.GPUsPerPod, Instance: sc.Cluster.Pools[0].InstanceType,
			Pods:   fmt.Sprintf("namespace=%q,pod=~%q", wl.Namespace, wl.Name+"-.*"),
			Target: scaledTarget{Kind: "balloon", Name: wl.Namespace + "/vedette-balloon"}}
		pools = append(pools, p)
	}
	return pools
}

// inflating lets an approved balloon be there in the simulated cluster.
func inflating(w *simulate.World) action.Executor {
	return action.ExecutorFunc(func(_ context.Context, a action.Action) (string, error) {
		namespace, name, _ := strings.Cut(a.Target, "/")
		pods, err := strconv.Atoi(a.Params[scale.Units])
		gpus, bad := strconv.Atoi(a.Params[scalecluster.GPUs])
		if err := errors.Join(err, bad); err != nil {
			return "", fmt.Errorf("resize the balloon %s: %w", a.Target, err)
		}
		if err := w.Inflate(namespace, name, pods, gpus); err != nil {
			return "", err
		}
		return fmt.Sprintf("balloon %s has %d pods", a.Target, pods), nil
	})
}

// greet waits for the first readings and says where to look.
func greet(ctx context.Context, svc *service, sc *simulate.Scenario, out io.Writer, started time.Time) error {
	want := 0
	for _, p := range sc.Cluster.Pools {
		want += p.Nodes * p.GPUsPerNode
	}
	for {
		ss, err := svc.db.Query(ctx, "count(DCGM_FI_DEV_GPU_TEMP)", instant(time.Now()))
		if err == nil && len(ss) == 1 && int(math.Round(ss[0].Values[0])) >= want {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	look, why := `the fleet: within some minutes a GPU slows down from heat, one falls off
              the bus under a training job, and demand outgrows the GPUs. Then: incidents.`, "why is llama-pretrain failing"
	if sc.Name != "demo" { // another scenario has other faults and other workloads
		look, why = fmt.Sprintf("what scenario %s has happen. Then: incidents.", sc.Name), "what is wrong"
	}
	fmt.Fprintf(out, `
  Vedette is watching a simulated cluster of %[1]d GPUs (%.1[2]f s after the start).

    page      http://%[3]s
    look at   %[5]s
    type      %[4]s ask "which GPUs are hotter than 80 degrees"
              %[4]s ask "alert when GPU temperature is above 85 for 5 minutes" --publish
              %[4]s ask "%[6]s"
              %[4]s ask "when will GPUs run out"
              %[4]s scale list   (and, once the past is filled in: %[4]s actions list)
    stop      Ctrl-C

`, want, time.Since(started).Seconds(), svc.page.Addr(), os.Args[0], look, why)
	return nil
}

// progress is how far the past is filled in; nil where none is wanted.
func (b *backfill) progress() *api.Backfill {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.from.Before(b.to) {
		return nil
	}
	return &api.Backfill{From: b.from.UTC(), To: b.to.UTC(), Done: b.done, Err: b.err}
}
