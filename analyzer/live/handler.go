package live

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"vedette.dev/analyzer/problem"
)

// Handler serves a snapshot of the running system as a .tar.gz: what a
// diagnosis of now would read, without secrets. What could not be had is listed
// within. The query may say how far back it goes (since=2h) and of which
// namespace it is (namespace=ml).
func (c *Camera) Handler(now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		window, err := windowOf(r.FormValue("since"))
		if err != nil {
			problem.Write(w, err)
			return
		}
		s, _ := c.since(r.Context(), now(), window) // the snapshot itself names what is missing
		if ns := r.FormValue("namespace"); ns != "" {
			s.Narrow(ns)
		}
		s.Redact()
		var b bytes.Buffer // whole, or a failure could not be told from a snapshot
		if err := s.Pack(&b); err != nil {
			problem.Write(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/gzip")
		_, _ = b.WriteTo(w) // who asked may have gone
	})
}

func windowOf(since string) (time.Duration, error) {
	if since == "" {
		return window, nil
	}
	d, err := time.ParseDuration(since)
	if err != nil || d <= 0 || d > Longest {
		return 0, problem.New(http.StatusBadRequest, fmt.Sprintf("since=%q is no time of up to %s", since, Longest), "write it as 2h or 45m")
	}
	return d, nil
}
