// Package problem writes JSON answers and RFC 9457 errors over HTTP, so that
// every route of ours fails in the same words and form.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// A Problem is an error as a client sees it.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // what the caller can do
}

func (p *Problem) Error() string { return p.Detail }

// New returns a problem with the standard title of its status.
func New(status int, detail, hint string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Hint: hint}
}

// Write answers with err: as it is where it is a [Problem], else as an
// internal error.
func Write(w http.ResponseWriter, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = New(http.StatusInternalServerError, err.Error(), "")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// JSON answers with v.
func JSON(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		Write(w, fmt.Errorf("encode the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(append(data, '\n'))
}

// maxBody bounds what a caller may send: a question or a decision.
const maxBody = 1 << 20

// Read decodes the JSON body of r into v. Unknown keys are an error.
func Read(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return New(http.StatusBadRequest, fmt.Sprintf("read the request: %v", err), "send a JSON object")
	}
	return nil
}

// Handle makes a function that answers or fails a handler.
func Handle(do func(w http.ResponseWriter, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := do(w, r)
		if err != nil {
			Write(w, err)
			return
		}
		JSON(w, v)
	}
}
