// Package otlp carries batches away: [Sink] sends them to an OTLP endpoint over
// gRPC or HTTP, and [Page] shows the newest as a Prometheus /metrics page. It
// is where the agent meets OpenTelemetry.
//
// What a reader would get wrong: names and attributes go out as they are. The
// scope's name, [Scope], tells our own receiver to store them so; any other
// receiver may append units and "_total" as the OTLP rules for Prometheus say.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vedette.dev/collector"
)

// Scope is the name of the instrumentation scope of everything a Sink sends.
const Scope = "vedette.dev/collector"

// A Protocol is a way to speak OTLP.
type Protocol string

// The protocols.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http"
)

// A Config says where to send batches, and as whom.
type Config struct {
	Endpoint  string            // host:port; for HTTP a path may follow, under which are v1/metrics and v1/logs
	Protocol  Protocol          // "" is gRPC
	Token     string            // sent as a bearer token, unless empty
	TokenFile string            // where to read the token from, each time; wins over Token
	Headers   map[string]string // sent with every request
	Insecure  bool              // no TLS
	CAFile    string            // PEM certificates to trust instead of the system's
	CertFile  string            // PEM certificate to show to the endpoint (mTLS), with KeyFile; both are read anew for each connection
	KeyFile   string

	// Compression is "gzip", which is the default, or "none", for a gRPC
	// receiver that has not linked gzip.
	Compression string

	Timeout time.Duration // of one request; 0 is 10 s
	Node    string        // the resource's host.name and k8s.node.name

	Resource []collector.Attr // what else the resource says, of where the node is

	Start time.Time // since when the counters count; zero is when they are first sent
}

// A Sink sends batches to one endpoint. Use [New]. Push must not be called
// concurrently with itself.
type Sink struct {
	endpoint string
	resource *resource.Resource
	start    time.Time
	metrics  metric.Exporter
	logs     sdklog.Exporter
	records  *recorder
	redial   func()
	close    func() error

	accepted map[string]bool // events that were, of a batch that was not
}

var _ collector.Sink = (*Sink)(nil)

// New returns a sink for c. It does not contact the endpoint.
func New(c Config) (*Sink, error) {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Compression != "" && c.Compression != "gzip" && c.Compression != "none" {
		return nil, fmt.Errorf("send to OTLP endpoint %q: compression %q is neither gzip nor none", c.Endpoint, c.Compression)
	}
	s := &Sink{endpoint: c.Endpoint, start: c.Start, accepted: map[string]bool{}, resource: resource.NewSchemaless(append(attributes(c.Resource),
		attribute.String("service.name", "vedette-agent"), // of two of a name the later holds
		attribute.String("host.name", c.Node),
		attribute.String("k8s.node.name", c.Node))...)}
	s.records = newRecorder(s.resource)

	var err error
	switch c.Protocol {
	case GRPC, "":
		err = s.dialGRPC(c)
	case HTTP:
		err = s.dialHTTP(c)
	default:
		err = fmt.Errorf("protocol %q is neither grpc nor http", c.Protocol)
	}
	if err != nil {
		return nil, fmt.Errorf("send to OTLP endpoint %q: %w", c.Endpoint, err)
	}
	return s, nil
}

// Push sends b: its points as metrics, its events as logs. It returns nil only
// when the endpoint has accepted both. Events that it accepts in a Push that
// fails for another reason are not sent again when they are pushed again.
func (s *Sink) Push(ctx context.Context, b collector.Batch) error {
	s.redial()
	var errs []error
	if len(b.Points) > 0 {
		if s.start.IsZero() {
			s.start = b.Points[0].At
		}
		if err := s.metrics.Export(ctx, resourceMetrics(s.resource, s.start, b.Points)); err != nil {
			errs = append(errs, fmt.Errorf("send %d points to OTLP endpoint %s: %w", len(b.Points), s.endpoint, final(err)))
		}
	}
	if err := s.pushEvents(ctx, b.Events); err != nil {
		errs = append(errs, err)
	}
	if errs == nil {
		clear(s.accepted)
	}
	return joined(errs)
}

// joined joins errs. The whole is refused for good only where each of them is:
// what one of them leaves to be tried again must be.
func joined(errs []error) error {
	err := errors.Join(errs...)
	for _, e := range errs {
		if !errors.Is(e, collector.ErrRefused) && errors.Is(err, collector.ErrRefused) {
			return errors.New(err.Error())
		}
	}
	return err
}

// maxLogBytes bounds one request of logs: receivers take 4 MiB by default, and
// an event may be a whole object.
const maxLogBytes = 2 << 20

func (s *Sink) pushEvents(ctx context.Context, events []collector.Event) error {
	var part []collector.Event
	size := 0
	for i, e := range events {
		if !s.accepted[eventKey(e)] {
			part = append(part, e)
			size += len(e.Text)
		}
		if len(part) == 0 || size < maxLogBytes && i+1 < len(events) {
			continue
		}
		err := s.logs.Export(ctx, s.records.of(ctx, part))
		if err != nil && !partialSuccess(err) {
			return fmt.Errorf("send %d events to OTLP endpoint %s: %w", len(part), s.endpoint, err)
		}
		for _, e := range part {
			s.accepted[eventKey(e)] = true
		}
		if err != nil {
			return fmt.Errorf("send %d events to OTLP endpoint %s: %w", len(part), s.endpoint, final(err))
		}
		part, size = nil, 0
	}
	return nil
}

// partialSuccess reports whether the receiver took the request and refused
// some of it for good: OTLP forbids to send it again. The exporters keep the
// type of that error to themselves.
func partialSuccess(err error) bool { return strings.Contains(err.Error(), "OTLP partial success") }

// final marks an error after which OTLP forbids to send the same again.
func final(err error) error {
	if partialSuccess(err) || status.Code(err) == codes.InvalidArgument || strings.Contains(err.Error(), "400 Bad Request") {
		return fmt.Errorf("%w: %w", collector.ErrRefused, err)
	}
	return err
}

func eventKey(e collector.Event) string {
	return fmt.Sprint(e.Kind, "\x00", e.At.UnixNano(), "\x00", e.Text, "\x00", e.Attrs)
}

// Close ends the connection.
func (s *Sink) Close() error {
	ctx := context.Background()
	return errors.Join(s.metrics.Shutdown(ctx), s.logs.Shutdown(ctx), s.close())
}
