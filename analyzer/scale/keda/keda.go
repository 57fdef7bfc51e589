// Package keda serves how many replicas a pool should have to KEDA, as an
// external scaler (https://keda.sh/docs/latest/scalers/external/):
//
//	triggers:
//	- type: external
//	  metadata: {scalerAddress: "vedette.vedette.svc:8791", pool: llm}
//
// What a reader would get wrong: the answer is a number of replicas with a
// target of one each, so it is the recommendation as it stands, and a trigger
// of the user's own beside it asks for more where that is more: the largest
// counts. Where there is no advice the answer is an error, which keeps an
// autoscaler from taking anything away; it is never a zero.
package keda

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vedette.dev/analyzer/scale"
	"vedette.dev/analyzer/scale/keda/externalscaler"
)

// metric is the name under which the recommendation is served.
const metric = "vedette_recommended_replicas"

// stale is how old advice may be: the horizon of a short boot.
const stale = 5 * time.Minute

// A Server is an external scaler over the pools of a desk.
type Server struct {
	Desk *scale.Desk
	Now  func() time.Time

	externalscaler.UnimplementedExternalScalerServer
}

// Register adds s to a gRPC server.
func (s *Server) Register(to *grpc.Server) { externalscaler.RegisterExternalScalerServer(to, s) }

// pool returns which pool a trigger is about.
func (s *Server) pool(of *externalscaler.ScaledObjectRef) (string, error) {
	name := of.GetScalerMetadata()["pool"]
	for _, p := range s.Desk.Pools {
		if p.Name == name {
			return name, nil
		}
	}
	if name == "" {
		return "", status.Errorf(codes.InvalidArgument, "the trigger of %s/%s names no pool: add pool to its metadata", of.GetNamespace(), of.GetName())
	}
	return "", status.Errorf(codes.NotFound, "there is no pool %q", name)
}

// advice returns the newest advice on the pool of a trigger.
func (s *Server) advice(of *externalscaler.ScaledObjectRef) (scale.Advice, error) {
	name, err := s.pool(of)
	if err != nil {
		return scale.Advice{}, err
	}
	st, _ := s.Desk.State(name)
	if st.Advice == nil {
		return scale.Advice{}, status.Errorf(codes.Unavailable, "there is no advice on pool %s: %s", name, why(st))
	}
	if age := s.Now().Sub(st.Advice.At); age > stale {
		return scale.Advice{}, status.Errorf(codes.Unavailable, "the advice on pool %s is %s old", name, age.Round(time.Second))
	}
	return *st.Advice, nil
}

func why(st scale.State) string {
	if len(st.Gaps) == 0 {
		return "it has not been looked at yet"
	}
	return st.Gaps[0]
}

// IsActive says whether the pool should have any replica.
func (s *Server) IsActive(_ context.Context, of *externalscaler.ScaledObjectRef) (*externalscaler.IsActiveResponse, error) {
	a, err := s.advice(of)
	if err != nil {
		return nil, err
	}
	return &externalscaler.IsActiveResponse{Result: a.Units > 0}, nil
}

// StreamIsActive says it at once and whenever it changes. What cannot be said
// now is said once it can.
func (s *Server) StreamIsActive(of *externalscaler.ScaledObjectRef, to externalscaler.ExternalScaler_StreamIsActiveServer) error {
	if _, err := s.pool(of); err != nil {
		return err
	}
	said, before := false, false
	for {
		next := s.Desk.Next() // before looking, so that no tick is missed
		if a, err := s.advice(of); err == nil && (!said || before != (a.Units > 0)) {
			said, before = true, a.Units > 0
			if err := to.Send(&externalscaler.IsActiveResponse{Result: before}); err != nil {
				return err
			}
		}
		select {
		case <-to.Context().Done():
			return nil
		case <-next:
		}
	}
}

// specs says that there is one metric, of which each replica has one. It is the
// same for all pools and does not change.
var specs = &externalscaler.GetMetricSpecResponse{MetricSpecs: []*externalscaler.MetricSpec{{MetricName: metric, TargetSize: 1, TargetSizeFloat: 1}}}

// GetMetricSpec says which metric there is.
func (s *Server) GetMetricSpec(_ context.Context, of *externalscaler.ScaledObjectRef) (*externalscaler.GetMetricSpecResponse, error) {
	if _, err := s.pool(of); err != nil {
		return nil, err
	}
	return specs, nil
}

// StreamMetricSpec says the same once, and stays: to a stream that ends KEDA
// comes back every two seconds.
func (s *Server) StreamMetricSpec(of *externalscaler.ScaledObjectRef, to externalscaler.ExternalScaler_StreamMetricSpecServer) error {
	if _, err := s.pool(of); err != nil {
		return err
	}
	if err := to.Send(specs); err != nil {
		return err
	}
	<-to.Context().Done()
	return nil
}

// GetMetrics says how many replicas the pool should have.
func (s *Server) GetMetrics(_ context.Context, r *externalscaler.GetMetricsRequest) (*externalscaler.GetMetricsResponse, error) {
	if r.GetMetricName() != metric {
		return nil, status.Errorf(codes.NotFound, "there is no metric %q, only %s", r.GetMetricName(), metric)
	}
	a, err := s.advice(r.GetScaledObjectRef())
	if err != nil {
		return nil, err
	}
	return &externalscaler.GetMetricsResponse{MetricValues: []*externalscaler.MetricValue{{MetricName: metric, MetricValue: int64(a.Units), MetricValueFloat: float64(a.Units)}}}, nil
}
