package nlq

import "time"

// A Raw is PromQL that a model proposed because no other intent says what was
// asked. It is the only intent that is not made of words, and says so wherever
// it is shown.
type Raw struct {
	Expr     string
	Words    string // Expr read back, by package rules/explain; "" where it cannot be
	Alert    bool   // else its value is asked for
	For      time.Duration
	ForSaid  bool
	Severity string
}

func (Raw) isIntent() {}

// String does not depend on a catalog: Words do already.
func (r Raw) String() string {
	says := r.Words
	if says == "" {
		says = r.Expr
	}
	b := "PromQL proposed by a model, not made of words: "
	if r.Alert {
		b += "alert: "
	}
	b += says
	switch {
	case r.For > 0:
		b += ", for " + Period(r.For)
	case r.ForSaid:
		b += ", at once"
	}
	if r.Severity != "" {
		b += ", severity " + r.Severity
	}
	return b
}
