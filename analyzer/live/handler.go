package live

import (
	"bytes"
	"net/http"
	"time"

	"vedette.dev/analyzer/problem"
)

// Handler serves a snapshot of the running system as a .tar.gz: what a
// diagnosis of now would read. What could not be had is listed within.
func (c *Camera) Handler(now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := c.Take(r.Context(), now()) // the snapshot itself names what is missing
		var b bytes.Buffer                 // whole, or a failure could not be told from a snapshot
		if err := s.Pack(&b); err != nil {
			problem.Write(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/gzip")
		_, _ = b.WriteTo(w) // who asked may have gone
	})
}
