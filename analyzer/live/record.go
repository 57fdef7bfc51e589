package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/problem"
	"vedette.dev/analyzer/snapshot"
)

// A told is a record of the history as it is served: what the source history#17
// of a report is. Objects and events are in Object, lines in Text.
type told struct {
	Source  string            `json:"source"`
	Kind    history.Kind      `json:"kind"`
	At      time.Time         `json:"at"`
	Subject analyzer.Subject  `json:"subject"`
	Attrs   map[string]string `json:"attributes,omitempty"`
	Text    string            `json:"text,omitempty"`
	Object  json.RawMessage   `json:"object,omitempty"`
}

// Record serves the record of the history with the {id} of the path, without secrets.
func (c *Camera) Record() http.Handler {
	return problem.Handle(func(_ http.ResponseWriter, r *http.Request) (any, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			return nil, problem.New(http.StatusNotFound, fmt.Sprintf("record %q: its id is the number behind history#", r.PathValue("id")), "GET /vedette/v1/history/17 tells what history#17 is")
		}
		rec, err := c.History.Record(r.Context(), id)
		if errors.Is(err, history.ErrNoSuchRecord) {
			return nil, problem.New(http.StatusNotFound, err.Error(), "what is older than the retention is dropped; the incident keeps what it said")
		}
		if err != nil {
			return nil, err
		}
		t := told{Source: rec.Source(), Kind: rec.Kind, At: rec.At.UTC(), Subject: rec.Subject, Attrs: rec.Attrs}
		switch rec.Kind {
		case history.KubeObject, history.KubeEvent:
			t.Object = snapshot.Object{Raw: json.RawMessage(rec.Text)}.Redacted()
		default:
			t.Text = snapshot.RedactedLines([]snapshot.Line{{Text: rec.Text}})[0].Text
		}
		return t, nil
	})
}
