package live_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/history"
	"vedette.dev/analyzer/live"
)

// TestRecord checks that what a report cites as history#1 can be looked up, and
// has no secrets.
func TestRecord(t *testing.T) {
	_, past := open(t)
	if err := past.Append(t.Context(), []history.Record{
		{Kind: history.KernelLine, At: noon, Subject: analyzer.Node("gpu-01"), Text: xid79},
		{Kind: history.KubeObject, At: noon, Subject: analyzer.Pod("ml", "a"), Attrs: map[string]string{history.AttrResource: "pods", history.AttrVerb: "ADDED"},
			Text: `{"kind":"Pod","metadata":{"name":"a","namespace":"ml"},"spec":{"containers":[{"name":"main","args":["--token=XYZZY12345"]}]}}`},
	}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /vedette/v1/history/{id}", (&live.Camera{History: past}).Record())
	for id, want := range map[string]struct {
		code int
		says string
	}{
		"1": {200, "GPU has fallen off the bus"}, "2": {200, `"name":"a"`}, "3": {404, "no such record"}, "x": {404, "the number behind history#"},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/vedette/v1/history/"+id, nil))
		body := strings.Join(strings.Fields(w.Body.String()), "")
		if w.Code != want.code || !strings.Contains(body, strings.ReplaceAll(want.says, " ", "")) || strings.Contains(body, "XYZZY") {
			t.Errorf("%s: %d %s, want %d with %q", id, w.Code, body, want.code, want.says)
		}
		if w.Code == 200 {
			var got struct{ Source string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Source != "history#"+id {
				t.Errorf("%s is called %q: %v", id, got.Source, err)
			}
		}
	}
}
