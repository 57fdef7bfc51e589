package live

import (
	"context"
	"errors"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose"
)

const (
	// reach is how far back a diagnosis looks for the beginning of an open incident: what
	// maxSteps of the usual step cover, four times the cost of the usual window. An
	// incident that began earlier costs nothing: its book remembers what it rested on.
	reach = maxSteps * step
	// before is how much is looked at before the first sign of an incident, to see what
	// was usual then and who held what.
	before = 5 * time.Minute
)

// Ongoing tells of the open incidents; the book of incidents does.
type Ongoing interface {
	Ongoing(ctx context.Context) ([]analyzer.Incident, error)
}

// Diagnoser is the [analyzer.Diagnoser] of the running system.
type Diagnoser struct {
	Camera *Camera
	Book   Ongoing // whose incidents stay in view; nil is none
}

var _ analyzer.Diagnoser = Diagnoser{}

// Diagnose implements [analyzer.Diagnoser]: the whole cluster, whatever was found.
// It looks back as far as the open incidents need.
func (d Diagnoser) Diagnose(ctx context.Context, _ []analyzer.Finding, now time.Time) (analyzer.Report, error) {
	window, unread := d.window(ctx, now)
	s, err := d.Camera.since(ctx, now, window)
	return diagnose.Diagnose(s, analyzer.Subject{}), errors.Join(unread, err)
}

// window is the usual one, or what reaches back to before the first sign of
// every open incident that is within reach.
func (d Diagnoser) window(ctx context.Context, now time.Time) (time.Duration, error) {
	w := window
	if d.Book == nil {
		return w, nil
	}
	open, err := d.Book.Ongoing(ctx)
	for _, in := range open {
		if in.Diagnosis == nil || in.Diagnosis.FirstSymptom == nil {
			continue
		}
		if need := now.Sub(in.Diagnosis.FirstSymptom.At) + before; need <= reach {
			w = max(w, need)
		}
	}
	return w, err
}
