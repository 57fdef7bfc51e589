package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/history"
)

// Logs appends a message of logs to the history. An error means that nothing
// was kept and that it should be sent again.
func (r *Receiver) Logs(ctx context.Context, ld plog.Logs) (Refusal, error) {
	var refused Refusal
	var rs []history.Record
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				rec, err := record(rl.Resource(), lr, r.Now())
				if err != nil {
					refused.add(err)
					continue
				}
				rs = append(rs, rec)
			}
		}
	}
	if err := r.History.Append(ctx, rs); err != nil {
		return refused, fmt.Errorf("keep %d log records: %w", len(rs), err)
	}
	return refused, nil
}

// record turns a log record into one of the history. What has no event name is
// a log line, of the pod or node that its resource names.
func record(res pcommon.Resource, lr plog.LogRecord, now time.Time) (history.Record, error) {
	r := history.Record{Kind: history.Kind(lr.EventName()), At: now.UTC(), Text: lr.Body().AsString(), Attrs: map[string]string{}}
	if t := max(lr.Timestamp(), 0); t != 0 {
		r.At = t.AsTime()
	} else if t := lr.ObservedTimestamp(); t != 0 {
		r.At = t.AsTime()
	}
	for k, v := range lr.Attributes().All() {
		r.Attrs[k] = v.AsString()
	}
	switch r.Kind {
	case history.KernelLine, history.KubeEvent, history.KubeObject, history.LogLine:
	default:
		r.Kind = history.LogLine
		for _, key := range promoted {
			if v := text(res.Attributes(), key); v != "" && r.Attrs[key] == "" {
				r.Attrs[key] = v
			}
		}
	}
	s, err := subjectOf(r)
	if err != nil {
		return r, fmt.Errorf("%s record of %s: %w", r.Kind, r.At.Format(time.RFC3339), err)
	}
	r.Subject = s
	return r, nil
}

// subjectOf says what a record is about.
func subjectOf(r history.Record) (analyzer.Subject, error) {
	type object struct {
		Kind     string `json:"kind"`
		Name     string `json:"name"`
		Space    string `json:"namespace"`
		Metadata struct {
			Name  string `json:"name"`
			Space string `json:"namespace"`
		} `json:"metadata"`
		Involved *object `json:"involvedObject"`
	}
	var o object
	switch r.Kind {
	case history.KubeObject:
		if err := json.Unmarshal([]byte(r.Text), &o); err != nil {
			return analyzer.Subject{}, fmt.Errorf("its text is not a Kubernetes object: %w", err)
		}
		o.Name, o.Space = o.Metadata.Name, o.Metadata.Space
	case history.KubeEvent:
		if err := json.Unmarshal([]byte(r.Text), &o); err != nil {
			return analyzer.Subject{}, fmt.Errorf("its text is not a Kubernetes event: %w", err)
		}
		if o.Involved == nil {
			return analyzer.Subject{}, fmt.Errorf("the event says of nothing what it is about")
		}
		o = *o.Involved
	default:
		if pod := r.Attrs["k8s.pod.name"]; pod != "" && r.Attrs["k8s.namespace.name"] != "" {
			return analyzer.Pod(r.Attrs["k8s.namespace.name"], pod), nil
		}
		for _, key := range []string{"k8s.node.name", "host.name"} {
			if node := r.Attrs[key]; node != "" {
				return analyzer.Node(node), nil
			}
		}
		return analyzer.Subject{}, fmt.Errorf("it names neither a pod nor a node")
	}
	if o.Kind == "" || o.Name == "" {
		return analyzer.Subject{}, fmt.Errorf("its object has no kind or no name")
	}
	return analyzer.Subject{Kind: strings.ToLower(o.Kind), Namespace: o.Space, Name: o.Name}, nil
}
