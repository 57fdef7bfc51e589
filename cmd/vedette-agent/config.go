package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/collector"
	"vedette.dev/collector/otlp"
	"vedette.dev/collector/place"
	"vedette.dev/collector/spool"
	"vedette.dev/rules/strictyaml"
)

// A config is the agent's configuration: the file, and over it the flags.
// deploy/agent.yaml explains each key.
type config struct {
	APIVersion string              `yaml:"apiVersion"`
	Kind       string              `yaml:"kind"`
	Node       string              `yaml:"node"`
	Cluster    string              `yaml:"cluster"`
	Resource   map[string]string   `yaml:"resource"`
	NodeLabels string              `yaml:"nodeLabels"`
	IMDS       string              `yaml:"imds"`
	Period     strictyaml.Duration `yaml:"period"`

	Endpoint  string            `yaml:"endpoint"`
	Protocol  otlp.Protocol     `yaml:"protocol"`
	TokenFile string            `yaml:"tokenFile"`
	Headers   map[string]string `yaml:"headers"`
	Insecure  bool              `yaml:"insecure"`
	CAFile    string            `yaml:"caFile"`
	CertFile  string            `yaml:"certFile"`
	KeyFile   string            `yaml:"keyFile"`

	Compression string `yaml:"compression"`

	Queue    string `yaml:"queue"`
	QueueMiB int64  `yaml:"queueMiB"`

	Listen    string `yaml:"listen"`
	WebConfig string `yaml:"webConfigFile"`

	Host     string        `yaml:"host"`
	DCGM     string        `yaml:"dcgm"`
	Kubelet  kubeletConfig `yaml:"kubelet"`
	Counters string        `yaml:"counters"`
	Jobs     string        `yaml:"jobs"`
	HostName string        `yaml:"hostnameLabel"`
	Kmsg     string        `yaml:"kmsg"`
	Proc     string        `yaml:"proc"`
	Sys      string        `yaml:"sys"`
	Root     string        `yaml:"root"`

	file    string
	version bool
	doctor  bool // look once at everything, and say what is wrong
}

// minPeriod is the shortest time that DCGM samples its profiling fields in:
// below it they are not valid, and nothing else on a node changes faster.
const minPeriod = 100 * time.Millisecond

// A usageError is a mistake on the command line.
type usageError struct{ error }

// defaults returns what holds where neither the file nor a flag says otherwise.
func defaults() *config {
	return &config{Period: strictyaml.Duration(15 * time.Second), Protocol: otlp.GRPC, Compression: "gzip", QueueMiB: spool.DefaultMax >> 20, Host: "on", DCGM: "auto", Kubelet: kubeletDefaults(), HostName: "Hostname", Kmsg: "/dev/kmsg",
		Proc: "/proc", Sys: "/sys", Root: "/"}
}

// configure reads the command line, and the file that it names. Asked for help,
// it writes that and returns [flag.ErrHelp].
func configure(args []string, stdout io.Writer) (*config, error) {
	doctor := len(args) > 0 && args[0] == "doctor"
	if doctor {
		args = args[1:]
	}
	first := defaults()
	fs := first.flags()
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stdout, "vedette-agent watches a GPU node and sends what it reads; vedette-agent doctor says what it could not read, and why. Their flags are:")
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return nil, err
	case err != nil:
		return nil, usageError{err}
	}
	if fs.NArg() > 0 {
		return nil, usageError{fmt.Errorf("what is %q? There are only flags; see --help", fs.Arg(0))}
	}

	c := defaults()
	c.doctor = doctor
	if first.file != "" {
		if err := strictyaml.DecodeFile(first.file, c); err != nil {
			return nil, fmt.Errorf("read config: %w", err)
		}
		if c.APIVersion != "vedette.dev/v1" || c.Kind != "AgentConfig" {
			return nil, fmt.Errorf("read config: %s: apiVersion and kind are %q and %q, want vedette.dev/v1 and AgentConfig", first.file, c.APIVersion, c.Kind)
		}
	}
	if err := c.flags().Parse(args); err != nil { // a second time, over the file
		return nil, usageError{err}
	}
	if c.version {
		return c, nil
	}
	return c, c.check()
}

// flags returns flags that set c; what is not given stays as it is.
func (c *config) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("vedette-agent", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	text := func(p *string, name, usage string) { fs.StringVar(p, name, *p, usage) }
	text(&c.file, "config", "the configuration `file`; flags win over it")
	text(&c.Node, "node", "this node's `name`, as Kubernetes knows it (default $NODE_NAME, or the host's)")
	text(&c.Cluster, "cluster", "the cluster's `name`, added to every series")
	text(&c.Endpoint, "endpoint", "send to this OTLP endpoint: `host:port`, for http a path may follow")
	text((*string)(&c.Protocol), "protocol", "of the endpoint: `grpc or http`")
	text(&c.TokenFile, "token-file", "`file` with the bearer token for the endpoint")
	fs.BoolVar(&c.Insecure, "insecure", c.Insecure, "speak to the endpoint without TLS")
	text(&c.Queue, "queue", "keep on disk, in this `file`, what the endpoint has not taken; empty keeps events in memory and no readings")
	text(&c.Listen, "listen", "serve /metrics, /livez and /readyz at `address`; empty is off")
	text(&c.WebConfig, "web-config-file", "`file` with the TLS and the passwords of what is served, as Prometheus' exporters have it; empty is neither")
	text(&c.Host, "host", "the machine's own readings, under node_exporter's names: `on or off`")
	text(&c.DCGM, "dcgm", "`auto, off, embedded or host:port` of a host engine")
	text(&c.Kubelet.Socket, "kubelet", "`auto, off or path` of the kubelet's PodResources socket")
	text(&c.Kubelet.Address, "kubelet-address", "`auto, off or URL` of the kubelet's own port: https://host:10250")
	text(&c.Counters, "counters", "a counter `file` of dcgm-exporter; empty reads everything that is known")
	text(&c.Counters, "f", "the same as -counters, as dcgm-exporter calls it: `file`")
	text(&c.Jobs, "hpc-job-mapping-dir", "a `directory` with a file for each GPU that names its jobs, as dcgm-exporter has it; empty is none")
	text(&c.HostName, "hostname-label", "the label with this node's name on GPU series: `Hostname or hostname`")
	text(&c.Kmsg, "kmsg", "the kernel log's `path`; empty is off")
	text(&c.Proc, "proc-root", "`where` the node's /proc is")
	text(&c.Sys, "sys-root", "`where` the node's /sys is")
	text(&c.Root, "root", "`where` the node's / is, to see how full its file systems are")
	fs.BoolVar(&c.version, "version", false, "print the version and end")
	fs.Func("period", "`duration` between two looks, at least 100ms (default 15s)", func(s string) error {
		d, err := model.ParseDuration(s)
		c.Period = strictyaml.Duration(d)
		return err
	})
	return fs
}

// place is how it is found out where the node is.
func (c *config) place() place.Config {
	return place.Config{Sys: c.Sys, IMDS: c.IMDS, Labels: c.NodeLabels, Env: os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), Cluster: c.Cluster, Attributes: c.Resource}
}

// otlp is how readings are sent from a place, to be counted from start.
func (c *config) otlp(start time.Time, where []collector.Attr) otlp.Config {
	return otlp.Config{Resource: where, Endpoint: c.Endpoint, Protocol: c.Protocol, TokenFile: c.TokenFile, Headers: c.Headers,
		Insecure: c.Insecure, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, Compression: c.Compression, Node: c.Node, Start: start}
}

// check fills in the node's name and reports what cannot be.
func (c *config) check() error {
	if c.Node == "" {
		c.Node = os.Getenv("NODE_NAME")
	}
	if c.Node == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("no node name is given, and the host's cannot be read: %w", err)
		}
		c.Node = name
	}
	switch {
	case c.Endpoint == "" && c.Listen == "" && !c.doctor:
		return usageError{errors.New("the readings have nowhere to go: give an endpoint, or an address to listen at")}
	case time.Duration(c.Period) < minPeriod:
		return usageError{fmt.Errorf("period is %v, want at least %v", time.Duration(c.Period), minPeriod)}
	case c.Host != "on" && c.Host != "off":
		return usageError{fmt.Errorf("host is %q, want on or off", c.Host)}
	case c.DCGM != "auto" && c.DCGM != "off" && c.DCGM != "embedded" && !strings.ContainsAny(c.DCGM, ":/"):
		return usageError{fmt.Errorf("dcgm is %q, want auto, off, embedded or host:port", c.DCGM)}
	case c.HostName != "Hostname" && c.HostName != "hostname":
		return usageError{fmt.Errorf("hostnameLabel is %q, want Hostname or hostname", c.HostName)}
	case c.QueueMiB < 1:
		return usageError{fmt.Errorf("queueMiB is %d, want at least 1", c.QueueMiB)}
	case c.Protocol != otlp.GRPC && c.Protocol != otlp.HTTP:
		return usageError{fmt.Errorf("protocol is %q, want grpc or http", c.Protocol)}
	}
	return c.Kubelet.check()
}
