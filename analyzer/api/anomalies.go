package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/problem"
)

func (a *Routes) anomalies(_ http.ResponseWriter, r *http.Request) (any, error) {
	as, err := a.Anomalies.List(r.Context(), listed)
	if err != nil {
		return nil, err
	}
	return map[string]any{"anomalies": notNil(as)}, nil
}

const listAnomalies = "vedette anomalies list, or GET /vedette/v1/anomalies, shows them"

func anomalyID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, problem.New(http.StatusNotFound, fmt.Sprintf("anomaly %q: its id is a number", r.PathValue("id")), listAnomalies)
	}
	return id, nil
}

// dismiss records that an anomaly is none.
func (a *Routes) dismiss(w http.ResponseWriter, r *http.Request) (any, error) {
	id, err := anomalyID(r)
	if err != nil {
		return nil, err
	}
	var said struct {
		By  string `json:"by"`
		Why string `json:"why"`
		For string `json:"for"` // "" is until it is taken back
	}
	if err := problem.Read(w, r, &said); err != nil {
		return nil, err
	}
	if said.By == "" || said.Why == "" {
		return nil, problem.New(http.StatusBadRequest, "that something is no anomaly needs a name and a reason", `send {"by":"…","why":"…"}, and "for":"2h" where it is for a while`)
	}
	now, until := a.Now(), time.Time{}
	if said.For != "" {
		d, err := model.ParseDuration(said.For)
		if err != nil || d == 0 {
			return nil, problem.New(http.StatusBadRequest, fmt.Sprintf("for %q is not a duration", said.For), "say 30m, 2h or 7d; leave it out for until it is taken back")
		}
		until = now.Add(time.Duration(d))
	}
	x, err := a.Anomalies.Dismiss(r.Context(), id, said.By, said.Why, until, now)
	return x, ofAnomaly(err)
}

// restore takes back that an anomaly is none.
func (a *Routes) restore(w http.ResponseWriter, r *http.Request) (any, error) {
	id, err := anomalyID(r)
	if err != nil {
		return nil, err
	}
	var said struct {
		By string `json:"by"`
	}
	if err := problem.Read(w, r, &said); err != nil {
		return nil, err
	}
	if said.By == "" {
		return nil, problem.New(http.StatusBadRequest, "to take it back needs a name", `send {"by":"…"}`)
	}
	x, err := a.Anomalies.Restore(r.Context(), id, said.By, a.Now())
	return x, ofAnomaly(err)
}

func ofAnomaly(err error) error {
	switch {
	case errors.Is(err, anomaly.ErrNoSuchAnomaly):
		return problem.New(http.StatusNotFound, err.Error(), listAnomalies)
	case errors.Is(err, anomaly.ErrNothingToDo):
		return problem.New(http.StatusConflict, err.Error(), "")
	}
	return err
}
