package keda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"vedette.dev/analyzer/scale"
	"vedette.dev/analyzer/scale/keda/externalscaler"
	"vedette.dev/analyzer/series"
)

var noon = time.Date(2026, 11, 12, 12, 0, 0, 0, time.UTC)

// steady is a demand that is always the same, and may be none.
type steady struct{ demand float64 }

func (q *steady) Query(_ context.Context, _ string, r series.Range) ([]series.Series, error) {
	s := series.Series{Start: r.From, Step: r.Step}
	for range r.Len() {
		s.Values = append(s.Values, q.demand)
	}
	return []series.Series{s}, nil
}

// serve runs a scaler on loopback and returns a connection to it.
func serve(t *testing.T, s *Server) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	s.Register(srv)
	go srv.Serve(l)
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func desk(q series.Querier) *scale.Desk {
	return &scale.Desk{Querier: q, Pools: []scale.Spec{{Name: "llm", Demand: "d", Objective: 0.005, Pool: scale.Pool{Capacity: 10}}}}
}

func ref(pool string) *externalscaler.ScaledObjectRef {
	return &externalscaler.ScaledObjectRef{Name: "llm", Namespace: "serving", ScalerMetadata: map[string]string{"scalerAddress": "here", "pool": pool}}
}

func tick(t *testing.T, d *scale.Desk, at time.Time) {
	t.Helper()
	if err := d.Tick(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

func TestKEDA(t *testing.T) {
	d, now := desk(&steady{42}), noon
	c := externalscaler.NewExternalScalerClient(serve(t, &Server{Desk: d, Now: func() time.Time { return now }}))
	ctx := t.Context()

	spec, err := c.GetMetricSpec(ctx, ref("llm"))
	if err != nil || len(spec.MetricSpecs) != 1 || spec.MetricSpecs[0].TargetSizeFloat != 1 {
		t.Fatalf("spec is %v, %v", spec, err)
	}
	ask := &externalscaler.GetMetricsRequest{ScaledObjectRef: ref("llm"), MetricName: spec.MetricSpecs[0].MetricName}
	if _, err := c.GetMetrics(ctx, ask); status.Code(err) != codes.Unavailable {
		t.Errorf("before the first look: %v", err)
	}
	tick(t, d, noon)
	got, err := c.GetMetrics(ctx, ask)
	if err != nil || len(got.MetricValues) != 1 || got.MetricValues[0].MetricValueFloat != 5 || got.MetricValues[0].MetricValue != 5 || got.MetricValues[0].MetricName != ask.MetricName {
		t.Errorf("values are %v, %v, want 5", got, err)
	}
	if a, err := c.IsActive(ctx, ref("llm")); err != nil || !a.Result {
		t.Errorf("active is %v, %v", a, err)
	}
	for _, tt := range []struct {
		pool string
		want codes.Code
	}{{"other", codes.NotFound}, {"", codes.InvalidArgument}} {
		if _, err := c.IsActive(ctx, ref(tt.pool)); status.Code(err) != tt.want {
			t.Errorf("pool %q: %v, want %s", tt.pool, err, tt.want)
		}
		if _, err := c.GetMetricSpec(ctx, ref(tt.pool)); status.Code(err) != tt.want {
			t.Errorf("spec of pool %q: %v, want %s", tt.pool, err, tt.want)
		}
	}
	ask.MetricName = "s0-other"
	if _, err := c.GetMetrics(ctx, ask); status.Code(err) != codes.NotFound {
		t.Errorf("another metric: %v", err)
	}
	now = noon.Add(stale + time.Second) // nobody has looked since
	if _, err := c.IsActive(ctx, ref("llm")); status.Code(err) != codes.Unavailable {
		t.Errorf("stale advice: %v", err)
	}
}

// A stream says what is at once, and what changes; what is not known it waits for.
func TestStream(t *testing.T) {
	q := &steady{math.NaN()}
	d, now := desk(q), noon
	c := externalscaler.NewExternalScalerClient(serve(t, &Server{Desk: d, Now: func() time.Time { return now }}))
	if err := d.Tick(t.Context(), noon.Add(-time.Minute)); err == nil {
		t.Fatal("a pool without demand was advised on")
	}
	stream, err := c.StreamIsActive(t.Context(), ref("llm"))
	if err != nil {
		t.Fatal(err)
	}
	q.demand = 42
	tick(t, d, noon)
	if m, err := stream.Recv(); err != nil || !m.Result {
		t.Fatalf("first %v, %v, want active", m, err)
	}
	q.demand = 0
	// Units stay for ten minutes, so the pool is empty some ticks later.
	for i := range 12 {
		tick(t, d, noon.Add(time.Duration(i+1)*time.Minute-time.Second))
	}
	if m, err := stream.Recv(); err != nil || m.Result {
		t.Fatalf("then %v, %v, want inactive", m, err)
	}
	other, err := c.StreamIsActive(t.Context(), ref("other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Recv(); status.Code(err) != codes.NotFound {
		t.Errorf("stream of another pool: %v", err)
	}
}

// What each replica is to have is said at once and on a stream that stays open;
// KEDA asks again after one that ends, and takes Unimplemented for a refusal for good.
func TestStreamMetricSpec(t *testing.T) {
	d := desk(&steady{42})
	c := externalscaler.NewExternalScalerClient(serve(t, &Server{Desk: d, Now: func() time.Time { return noon }}))
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := c.StreamMetricSpec(ctx, ref("llm"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	asked, err := c.GetMetricSpec(ctx, ref("llm"))
	if err != nil || !proto.Equal(got, asked) {
		t.Errorf("the stream says %v, and when asked it is %v, %v", got, asked, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := stream.Recv()
		ended <- err
	}()
	tick(t, d, noon)
	select {
	case err := <-ended:
		t.Errorf("the stream ended by itself: %v", err)
	default:
	}
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the stream ended with %v, want that it was cancelled", err)
	}
	other, err := c.StreamMetricSpec(t.Context(), ref("other"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Recv(); status.Code(err) != codes.NotFound {
		t.Errorf("stream of another pool: %v", err)
	}
}

// bare passes messages as they are on the wire.
type bare struct{}

func (bare) Name() string { return "proto" }
func (bare) Marshal(v any) ([]byte, error) {
	return *v.(*[]byte), nil
}
func (bare) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// The names and numbers are KEDA's: written here by hand, they cannot change
// together with the generated code.
func TestWire(t *testing.T) {
	d := desk(&steady{42})
	conn := serve(t, &Server{Desk: d, Now: func() time.Time { return noon }})
	tick(t, d, noon)

	text := func(b []byte, field protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
	}
	of := text(nil, 1, "llm")                                                              // ScaledObjectRef.name
	of = text(of, 2, "serving")                                                            // namespace
	of = text(of, 3, string(text(text(nil, 1, "pool"), 2, "llm")))                         // scalerMetadata, an entry
	req := text(text(nil, 1, string(of)), 2, metric)                                       // GetMetricsRequest
	value := text(nil, 1, metric)                                                          // MetricValue.metricName
	value = protowire.AppendVarint(protowire.AppendTag(value, 2, 0), 5)                    // metricValue
	value = protowire.AppendFixed64(protowire.AppendTag(value, 3, 1), math.Float64bits(5)) // metricValueFloat
	spec := text(nil, 1, metric)
	spec = protowire.AppendVarint(protowire.AppendTag(spec, 2, 0), 1)
	spec = protowire.AppendFixed64(protowire.AppendTag(spec, 3, 1), math.Float64bits(1))
	stream := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), uint64(len(spec)))
	stream = append(stream, spec...) // GetMetricSpecResponse.metricSpecs
	active := protowire.AppendVarint(protowire.AppendTag(nil, 1, 0), 1)
	for _, tt := range []struct {
		method  string
		in, out []byte
	}{
		{"GetMetrics", req, text(nil, 1, string(value))},
		{"GetMetricSpec", of, text(nil, 1, string(spec))},
		{"IsActive", of, active},
	} {
		var got []byte
		if err := conn.Invoke(t.Context(), "/externalscaler.ExternalScaler/"+tt.method, &tt.in, &got, grpc.ForceCodec(bare{})); err != nil {
			t.Errorf("%s: %v", tt.method, err)
		}
		if fmt.Sprintf("%x", got) != fmt.Sprintf("%x", tt.out) {
			t.Errorf("%s answers %x, want %x", tt.method, got, tt.out)
		}
	}
	for method, want := range map[string][]byte{"StreamMetricSpec": stream, "StreamIsActive": active} {
		cs, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/externalscaler.ExternalScaler/"+method, grpc.ForceCodec(bare{}))
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		if err := errors.Join(cs.SendMsg(&of), cs.CloseSend(), cs.RecvMsg(&got)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s says %x, %v, want %x", method, got, err, want)
		}
	}
}
