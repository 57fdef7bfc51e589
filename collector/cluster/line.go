package cluster

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
)

// A line notes whether the API server answers at all, so that one that is away
// is one trouble, and not one of each watch. It must be seen here: where a
// proxy cuts a connection, client-go takes that for the end of a watch.
type line struct {
	http.RoundTripper
	heard func(context.Context, error) // of the first failure, and of every answer
	down  atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if errors.Is(err, context.Canceled) {
		return resp, err
	}
	// Each connection fails in words of its own; it is one trouble.
	if was := l.down.Swap(err != nil); err == nil || !was {
		l.heard(r.Context(), err)
	}
	return resp, err
}

// away reports whether err says that the API server did not answer.
func away(err error) bool {
	var u *url.Error
	return errors.As(err, &u)
}
