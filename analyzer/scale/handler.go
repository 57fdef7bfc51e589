package scale

import (
	"fmt"
	"net/http"

	"vedette.dev/analyzer/problem"
)

// Handler serves GET /vedette/v1/scale, the pools with what is advised, and
// /vedette/v1/scale/{pool}, one of them.
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /vedette/v1/scale", func(w http.ResponseWriter, _ *http.Request) {
		states := d.States()
		if states == nil {
			states = []State{}
		}
		problem.JSON(w, map[string]any{"pools": states})
	})
	mux.HandleFunc("GET /vedette/v1/scale/{pool}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := d.State(r.PathValue("pool"))
		if !ok {
			problem.Write(w, problem.New(http.StatusNotFound, fmt.Sprintf("there is no pool %q", r.PathValue("pool")), "GET /vedette/v1/scale lists them; scaling.pools configures them"))
			return
		}
		problem.JSON(w, s)
	})
	return mux
}
