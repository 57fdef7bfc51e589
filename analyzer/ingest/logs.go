package ingest

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

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
	s, err := history.SubjectOf(r)
	if err != nil {
		return r, fmt.Errorf("%s record of %s: %w", r.Kind, r.At.Format(time.RFC3339), err)
	}
	r.Subject = s
	return r, nil
}
