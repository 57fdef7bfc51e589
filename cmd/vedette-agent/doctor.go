package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"vedette.dev/collector"
	"vedette.dev/collector/dcgm"
	"vedette.dev/collector/host"
	"vedette.dev/collector/kmsg"
	"vedette.dev/collector/kubelet"
	"vedette.dev/collector/otlp"
)

// exitFindings is the exit status of a doctor that found something broken.
const exitFindings = 3

// A verdict is what one check comes to.
type verdict struct {
	state  state
	detail string
	fix    string // what to do; "" where there is nothing
}

type state string

// The states. What is missing is not there to be read, which may be as it
// should; what is broken is there and cannot be used.
const (
	good    state = "ok"
	missing state = "missing"
	broken  state = "broken"
)

// doctor looks once at everything that the agent would, and writes a line for
// each with what to do about it.
func doctor(ctx context.Context, c *config, out io.Writer) int {
	checks := []struct {
		name string
		look func(context.Context, *config) verdict
	}{
		{"node", lookNode}, {"host", lookHost}, {"pressure", lookPressure}, {"kernel log", lookKernelLog}, {"driver", lookDriver},
		{"gpus", lookGPUs}, {"kubelet", lookKubelet}, {"endpoint", lookEndpoint}, {"page", lookPage},
	}
	code := exitDone
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		v := check.look(ctx, c)
		if v.state == broken {
			code = exitFindings
		}
		line := strings.Join(strings.Fields(v.detail), " ") // one line, whatever an error says
		if v.fix != "" {
			line += " — " + v.fix
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", v.state, check.name, line)
	}
	tw.Flush()
	return code
}

func lookNode(_ context.Context, c *config) verdict {
	from := "the host's name"
	if os.Getenv("NODE_NAME") == c.Node {
		from = "$NODE_NAME"
	} else if name, err := os.Hostname(); err != nil || name != c.Node {
		from = "as configured"
	}
	return verdict{state: good, detail: fmt.Sprintf("%s (%s)", c.Node, from)}
}

func lookHost(ctx context.Context, c *config) verdict {
	b, err := (&host.Source{Node: c.Node, Proc: c.Proc, Sys: c.Sys, Root: c.Root}).Collect(ctx)
	if err != nil {
		return verdict{broken, err.Error(), "in a container, mount the node's /proc, /sys and / and set proc, sys and root"}
	}
	return verdict{state: good, detail: fmt.Sprintf("%d readings of %s and %s", len(b.Points), c.Proc, c.Sys)}
}

func lookPressure(_ context.Context, c *config) verdict {
	if _, err := os.ReadFile(filepath.Join(c.Proc, "pressure", "cpu")); err != nil {
		return verdict{missing, err.Error(), "boot the kernel with psi=1 to know of stalls"}
	}
	return verdict{state: good, detail: "the kernel tells of stalls"}
}

func lookKernelLog(ctx context.Context, c *config) verdict {
	if c.Kmsg == "" {
		return verdict{missing, "not to be read", "Xids are then taken from DCGM, which sees fewer; set kmsg to read them all"}
	}
	device := &kmsg.Device{Path: c.Kmsg}
	defer device.Close()
	if _, err := device.Records(ctx); err != nil {
		return verdict{broken, err.Error(), "run privileged or with CAP_SYSLOG, and mount /dev/kmsg"}
	}
	return verdict{state: good, detail: c.Kmsg}
}

func lookDriver(_ context.Context, c *config) verdict {
	n := nvidiaDevices(c.Sys)
	version, err := os.ReadFile(filepath.Join(c.Proc, "driver", "nvidia", "version"))
	switch {
	case n == 0:
		return verdict{state: missing, detail: "no NVIDIA device on the PCI bus"}
	case err != nil:
		return verdict{broken, fmt.Sprintf("%d NVIDIA devices, and no driver is loaded", n), "install NVIDIA's driver, or wait for the GPU operator to"}
	}
	first, _, _ := strings.Cut(string(version), "\n")
	return verdict{state: good, detail: fmt.Sprintf("%d NVIDIA devices; %s", n, strings.TrimPrefix(first, "NVRM version: "))}
}

func lookGPUs(ctx context.Context, c *config) verdict {
	if c.DCGM == "off" {
		return verdict{missing, "not to be read", "set dcgm to auto"}
	}
	quiet := slog.New(slog.DiscardHandler)
	g := &gpus{conf: c, log: quiet, now: time.Now}
	defer g.close()
	if err := g.reread(); err != nil {
		return verdict{broken, err.Error(), "correct the counter file"}
	}
	g.open()
	if g.missing != nil {
		fix := "install DCGM 4 (datacenter-gpu-manager-4-core), or name a host engine with dcgm"
		if c.DCGM == "auto" && nvidiaDevices(c.Sys) == 0 {
			return verdict{missing, g.missing.Error(), ""}
		}
		return verdict{broken, g.missing.Error(), fix}
	}
	b, err := g.source.Collect(ctx)
	answering, lost := 0, 0
	for _, p := range b.Points {
		if p.Metric == dcgm.Lost {
			answering += int(1 - p.Value)
			lost += int(p.Value)
		}
	}
	switch {
	case err != nil && answering == 0:
		return verdict{broken, err.Error(), "see that the driver is loaded and that nvidia-smi answers"}
	case lost > 0 || err != nil:
		return verdict{broken, fmt.Sprintf("%d GPUs answer, %d do not (%v)", answering, lost, err), "look for Xid 79 in the kernel log; cordon the node"}
	}
	return verdict{state: good, detail: fmt.Sprintf("%d GPUs answer, %d readings", answering, len(b.Points))}
}

func lookKubelet(ctx context.Context, c *config) verdict {
	socket, wanted := kubeletSocket(c.Kubelet)
	if !wanted {
		return verdict{state: missing, detail: "no kubelet here: which pod holds a GPU is not known"}
	}
	pods, err := kubelet.New(socket, c.Node, time.Now)
	if err != nil {
		return verdict{broken, err.Error(), "correct kubelet"}
	}
	defer pods.Close()
	b, err := pods.Collect(ctx)
	if err != nil {
		return verdict{broken, err.Error(), "mount " + filepath.Dir(socket) + " into the container"}
	}
	return verdict{state: good, detail: fmt.Sprintf("%d containers hold a GPU or a part of one", len(b.Points))}
}

// lookEndpoint sends one reading.
func lookEndpoint(ctx context.Context, c *config) verdict {
	if c.Endpoint == "" {
		return verdict{state: missing, detail: "readings are not sent"}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	sink, err := otlp.New(c.otlp(time.Now(), nil))
	if err == nil {
		defer sink.Close()
		err = sink.Push(ctx, collector.Batch{Points: []collector.Point{{Metric: collector.Up, Value: 1, At: time.Now(),
			Attrs: []collector.Attr{{Key: "instance", Value: c.Node}, {Key: "source", Value: "doctor"}}}}})
	}
	if err != nil {
		return verdict{broken, err.Error(), "see that " + c.Endpoint + " is reachable from here, speaks " + string(c.Protocol) + ", and knows the token"}
	}
	return verdict{state: good, detail: fmt.Sprintf("%s took a reading by OTLP over %s", c.Endpoint, c.Protocol)}
}

func lookPage(_ context.Context, c *config) verdict {
	if c.Listen == "" {
		return verdict{state: missing, detail: "readings are not served to be scraped"}
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return verdict{broken, err.Error(), "set listen to a free port, if it is not the agent itself that holds this one"}
	}
	l.Close()
	return verdict{state: good, detail: c.Listen + " is free"}
}
