// Command vedette-agent is the node agent: it reads the GPUs, the node and its
// kernel log, and sends what it read to an OTLP endpoint, such as vedette's, or
// shows it to whoever scrapes it.
//
// It links go-dcgm, which binds the DCGM library's functions when they are
// first called. Where a toolchain hardens by default, build it with
// -ldflags '-extldflags=-Wl,-z,lazy', or it will not start.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"vedette.dev/collector"
	"vedette.dev/collector/batchjob"
	"vedette.dev/collector/host"
	"vedette.dev/collector/kmsg"
	"vedette.dev/collector/kubelet"
	"vedette.dev/collector/otlp"
	"vedette.dev/collector/spool"
)

// Exit statuses.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	log.SetOutput(io.Discard) // go-dcgm's, which tells of what is no news; ours is log/slog
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// beAGuest has Go use one processor, whatever the node has, unless
// $GOMAXPROCS says otherwise: a cycle is a few milliseconds of work, which
// Go would spread over all of them, waking each and giving each its own memory.
// A call of DCGM's that hangs holds none.
func beAGuest() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// run is the program. It returns when ctx ends, or at once where it cannot start.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := configure(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, new(usageError)):
		fmt.Fprintln(stderr, "vedette-agent:", err)
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, "vedette-agent:", err)
		return exitError
	case c.version:
		fmt.Fprintln(stdout, "vedette-agent", version)
		return exitDone
	}
	if c.doctor {
		return doctor(ctx, c, stdout)
	}
	if err := watch(ctx, c, slog.New(slog.NewTextHandler(stderr, nil))); err != nil {
		fmt.Fprintln(stderr, "vedette-agent:", err)
		return exitError
	}
	return exitDone
}

// lastPush is how long the agent may take to send what it has when it is told to end.
const lastPush = 5 * time.Second

// watch makes the sources and the sinks and carries readings from the one to
// the other until ctx ends.
func watch(ctx context.Context, c *config, log *slog.Logger) error {
	start := time.Now()
	sources := map[string]collector.Source{}
	if c.Host != "off" {
		sources["host"] = &host.Source{Node: c.Node, Proc: c.Proc, Sys: c.Sys, Root: c.Root}
	}
	xids := &kmsg.Merge{Node: c.Node, Now: time.Now} // every Xid once, whoever reports it
	if c.Kmsg != "" {
		boot, err := bootTime(c.Proc, start)
		if err != nil {
			return err
		}
		device := &kmsg.Device{Path: c.Kmsg}
		defer device.Close()
		_, _ = device.Records(ctx) // finds its end: what is from before is not news; what is wrong the first look tells
		xids.Kernel = &kmsg.Source{Node: c.Node, Records: device.Records, Boot: boot}
		sources["kmsg"] = xids
	}
	page := &otlp.Page{}
	if c.DCGM != "off" {
		gpus := &gpus{conf: c, log: log, now: time.Now}
		defer gpus.close()
		if err := gpus.reread(); err != nil {
			return err // at the start a wrong file is a mistake of whoever starts us
		}
		page.Help = gpus.help
		sources["dcgm"] = xids.Other(gpus)
		if xids.Kernel == nil { // then nothing is called kmsg, which would say that the log is read
			sources["xids"] = xids
		}
	}

	if socket, wanted := c.Kubelet.socket(); wanted {
		pods, err := kubelet.New(socket, c.Node, time.Now)
		if err != nil {
			return err
		}
		defer pods.Close()
		sources["kubelet"] = pods
		if gpus, ok := sources["dcgm"]; ok {
			sources["dcgm"] = pods.Label(gpus)
		}
	}
	if gpus, ok := sources["dcgm"]; ok && c.Jobs != "" {
		jobs := &batchjob.Jobs{Dir: c.Jobs}
		sources["dcgm"], sources["jobs"] = jobs.Label(gpus), jobs
	}
	if api, wanted := c.kubeletAPI(); wanted {
		defer api.Close()
		sources["kubelet-api"] = api
		if gpus, ok := sources["dcgm"]; ok {
			sources["dcgm"] = api.Label(gpus)
		}
		if api.SkipVerify {
			log.Warn("the kubelet's certificate is not verified: kubelet.insecureSkipVerify is set", "address", api.Address)
		}
	} else if len(c.Kubelet.PodLabels) > 0 {
		log.Warn("GPU series get no pod labels: the kubelet is not asked at its own port", "address", c.Kubelet.Address, "token", c.Kubelet.TokenFile)
	}

	troubles := &collector.Troubles{Now: time.Now,
		Fails: func(what string, err error) {
			if !expected(err) {
				log.Warn(what+" fails", "err", err)
			}
		},
		Well: func(what string, after time.Duration) {
			log.Info(what+" is well again", "after", after.Round(time.Second))
		},
	}
	health := &health{period: time.Duration(c.Period), now: time.Now, started: start}
	sinks := sinks{page, health}
	if c.Endpoint != "" {
		where, err := c.place().Find(ctx)
		if err != nil {
			log.Warn("not all is known of where this node is", "err", err)
		}
		sink, err := otlp.New(c.otlp(start, where))
		if err != nil {
			return err
		}
		defer sink.Close()
		if q := openQueue(c, log); q != nil {
			defer q.Close()
			q.Node, q.Sink = c.Node, sink
			q.Tried = func(ctx context.Context, err error) { troubles.Note(ctx, "endpoint", err) }
			sources["queue"] = q
			sinks = append(sinks, q)
		} else {
			sinks = append(sinks, sink)
		}
	}
	if c.Insecure && c.TokenFile != "" {
		log.Warn("the token is sent in the clear: insecure is set", "endpoint", c.Endpoint)
	}
	if c.Listen != "" {
		stop, err := serve(c, page, health, log)
		if err != nil {
			return err
		}
		defer stop()
	}

	agent := &collector.Agent{Node: c.Node, Cluster: c.Cluster, Sources: sources, Sink: sinks, Period: time.Duration(c.Period), Troubles: troubles}
	log.Info("watching", "node", c.Node, "cluster", c.Cluster, "endpoint", c.Endpoint, "listen", c.Listen, "period", c.Period, "version", version)
	agent.Run(ctx)

	last, cancel := context.WithTimeout(context.Background(), lastPush)
	defer cancel()
	xids.Last = true
	agent.Look(last, time.Now())
	log.Info("ended")
	return nil
}

// openQueue opens the queue on disk that is configured; nil is without.
func openQueue(c *config, log *slog.Logger) *spool.Queue {
	if c.Queue == "" {
		return nil
	}
	q, err := spool.Open(c.Queue, c.QueueMiB<<20)
	switch {
	case q != nil && err != nil:
		log.Warn("the queue on disk starts afresh", "err", err)
	case err != nil:
		log.Warn("there is no queue on disk: what the endpoint does not take is lost", "err", err)
	}
	return q
}

// serve answers at the configured address until stop is called.
func serve(c *config, page http.Handler, h *health, log *slog.Logger) (stop func() error, err error) {
	if err := web.Validate(c.WebConfig); err != nil {
		return nil, fmt.Errorf("web config file %s: %w", c.WebConfig, err)
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", page)
	mux.HandleFunc("GET /livez", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if c.WebConfig == "" {
			_ = srv.Serve(l) // ends with stop
			return
		}
		// It reads the file anew for each connection.
		err := web.Serve(l, srv, &web.FlagConfig{WebConfigFile: &c.WebConfig}, log)
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("nothing is served any more", "err", err)
		}
	}()
	return srv.Close, nil
}

// version is set by the linker: -X main.version=v1.2.3.
var version = "dev"
