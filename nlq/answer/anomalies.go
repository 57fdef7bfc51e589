package answer

import (
	"context"
	"fmt"

	"vedette.dev/analyzer/anomaly"
	"vedette.dev/nlq"
)

const (
	// maxAnomalies bounds what is listed; Total has them all.
	maxAnomalies = 100
	// lookedThrough is how many of the journal's newest are looked through.
	lookedThrough = 1000
)

// anomalies lists what is unusual now, and how somebody says that it is not.
func (d *Desk) anomalies(ctx context.Context, a *Answer, i nlq.Anomalies) error {
	all, err := d.Anomalies.List(ctx, lookedThrough)
	if err != nil {
		return err
	}
	r := &AnomaliesResult{Entries: []anomaly.Anomaly{}}
	for _, x := range all {
		switch {
		case !within(i.About, x.Subject):
		case !x.Open():
			r.Over++
		default:
			r.Entries = append(r.Entries, x)
		}
	}
	r.Total = len(r.Entries)
	r.Entries = r.Entries[:min(maxAnomalies, r.Total)]
	switch {
	case r.Total == 1:
		r.How = fmt.Sprintf("Nothing is decided by words here: vedette anomalies dismiss %d --reason …, or the button on the page, says that it is no anomaly.", r.Entries[0].ID)
	case r.Total > 1:
		r.How = "Nothing is decided by words here: vedette anomalies dismiss ID --reason …, or the button on the page, says that one is no anomaly."
	case i.Dismiss:
		r.How = "Nothing is unusual there now; of what is over, vedette anomalies list has the numbers, and vedette anomalies dismiss ID takes them."
	}
	a.Kind, a.Anomalies = KindAnomalies, r
	return nil
}
