package cost

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/analyzer/problem"
)

// usualWindow holds every day of the week once.
const usualWindow = 7 * 24 * time.Hour

// formats are how a report may be asked for.
var formats = map[string]struct {
	media string
	write func(r Report) ([]byte, error)
}{
	"json":     {"application/json", JSON},
	"markdown": {"text/markdown; charset=utf-8", Markdown},
	"html":     {"text/html; charset=utf-8", HTML},
	"csv":      {"text/csv; charset=utf-8", CSV},
}

// Handler serves GET /vedette/v1/cost: the report of the window=7d that ends
// at time=, in a format=json, markdown, html or csv.
func (d *Desk) Handler(now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := formats[or(r.FormValue("format"), "json")]
		if !ok {
			problem.Write(w, problem.New(http.StatusBadRequest, fmt.Sprintf("format %q is not json, markdown, html or csv", r.FormValue("format")), ""))
			return
		}
		window, end, err := windowOf(r, now())
		if err != nil {
			problem.Write(w, err)
			return
		}
		report, err := d.Compared(r.Context(), window, end)
		if err != nil {
			problem.Write(w, err)
			return
		}
		data, err := f.write(report)
		if err != nil {
			problem.Write(w, err)
			return
		}
		w.Header().Set("Content-Type", f.media)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = bytes.NewReader(data).WriteTo(w) // who asked may have gone
	})
}

// windowOf reads which window a request is about.
func windowOf(r *http.Request, now time.Time) (time.Duration, time.Time, error) {
	window := usualWindow
	if s := r.FormValue("window"); s != "" {
		d, err := model.ParseDuration(s)
		if err != nil || time.Duration(d) < judged {
			return 0, now, problem.New(http.StatusBadRequest, fmt.Sprintf("window %q is not a duration of an hour or more", s), "window=7d is a week")
		}
		window = time.Duration(d)
	}
	if s := r.FormValue("time"); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return 0, now, problem.New(http.StatusBadRequest, fmt.Sprintf("time %q is not as in 2026-11-01T00:00:00Z", s), "")
		}
		return window, t, nil
	}
	return window, now, nil
}
