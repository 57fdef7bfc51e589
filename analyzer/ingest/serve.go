package ingest

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// MaxMessage bounds one message, unpacked: a node of 8 GPUs sends some 100 KiB.
const MaxMessage = 16 << 20

// Register serves OTLP on s. The server should take messages of [MaxMessage].
func (r *Receiver) Register(s *grpc.Server) {
	pmetricotlp.RegisterGRPCServer(s, &metricsServer{r: r})
	plogotlp.RegisterGRPCServer(s, &logsServer{r: r})
}

type metricsServer struct {
	pmetricotlp.UnimplementedGRPCServer
	r *Receiver
}

func (m *metricsServer) Export(ctx context.Context, req pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	resp := pmetricotlp.NewExportResponse()
	refused, err := m.r.Metrics(ctx, req.Metrics())
	if err != nil {
		return resp, status.Error(codes.Unavailable, err.Error()) // OTLP: send it again
	}
	if refused.Count > 0 {
		resp.PartialSuccess().SetRejectedDataPoints(refused.Count)
		resp.PartialSuccess().SetErrorMessage(refused.Why.Error())
	}
	return resp, nil
}

type logsServer struct {
	plogotlp.UnimplementedGRPCServer
	r *Receiver
}

func (l *logsServer) Export(ctx context.Context, req plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	resp := plogotlp.NewExportResponse()
	refused, err := l.r.Logs(ctx, req.Logs())
	if err != nil {
		return resp, status.Error(codes.Unavailable, err.Error())
	}
	if refused.Count > 0 {
		resp.PartialSuccess().SetRejectedLogRecords(refused.Count)
		resp.PartialSuccess().SetErrorMessage(refused.Why.Error())
	}
	return resp, nil
}

// Handler serves OTLP over HTTP: POST /v1/metrics and /v1/logs, protobuf or
// JSON, gzip or not.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, req *http.Request) {
		in := pmetricotlp.NewExportRequest()
		serve(w, req, in, func() (message, error) {
			return (&metricsServer{r: r}).Export(req.Context(), in)
		})
	})
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, req *http.Request) {
		in := plogotlp.NewExportRequest()
		serve(w, req, in, func() (message, error) {
			return (&logsServer{r: r}).Export(req.Context(), in)
		})
	})
	return mux
}

// A message can be written in both encodings of OTLP; a request read in both.
type message interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

type request interface {
	UnmarshalProto([]byte) error
	UnmarshalJSON([]byte) error
}

func serve(w http.ResponseWriter, req *http.Request, in request, export func() (message, error)) {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	decode, encode := in.UnmarshalProto, message.MarshalProto
	switch kind {
	case "application/x-protobuf":
	case "application/json":
		decode, encode = in.UnmarshalJSON, message.MarshalJSON
	default:
		http.Error(w, fmt.Sprintf("content type %q is neither application/x-protobuf nor application/json", kind), http.StatusUnsupportedMediaType)
		return
	}
	body, err := read(req)
	if err == nil {
		err = decode(body)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("read OTLP message: %v", err), http.StatusBadRequest)
		return
	}
	out, err := export()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	data, err := encode(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Write(data)
}

// read returns the unpacked body of req, at most [MaxMessage] bytes of it.
func read(req *http.Request) ([]byte, error) {
	var r io.Reader = req.Body
	switch enc := req.Header.Get("Content-Encoding"); enc {
	case "":
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("content encoding %q is not gzip", enc)
	}
	body, err := io.ReadAll(io.LimitReader(r, MaxMessage+1))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxMessage {
		return nil, errors.New("it is larger than 16 MiB")
	}
	return body, nil
}
