// Package rules is the house of what Vedette knows beforehand. This package
// holds the alerting rule itself; its subpackages hold the metric catalog and
// the fault tables, which are data files, and the checks and publishers for rules.
//
// Nothing under rules imports any other Vedette house.
package rules

import (
	"context"
	"time"
)

// An ID names a published rule group for as long as it lives. It is a file
// name and a Prometheus group name: lower-case letters, digits and dashes.
type ID string

// A Rule is one Prometheus alerting rule.
type Rule struct {
	Name        string            // the alert's name: GPUTooHot
	Expr        string            // PromQL; fires for every series it returns
	For         time.Duration     // how long Expr must hold; 0 is at once
	KeepFiring  time.Duration     // how long it stays firing after Expr ends
	Labels      map[string]string // severity and the like
	Annotations map[string]string // summary, description: shown to the person alerted
}

// A Group is a named list of rules that are evaluated and published together.
type Group struct {
	ID       ID
	Owner    string        // who answers for it: a person or a team; "vedette" for what comes with the program
	Revision int           // 1 at first; grows with every change, an undo included
	Asked    string        // the words it was asked for in, if it was asked for in words
	Every    time.Duration // evaluation interval; 0 is the server's default
	Rules    []Rule
}

// A Publisher makes a group take effect. Publishing the same group twice
// leaves the world as publishing it once.
type Publisher interface {
	Publish(ctx context.Context, g Group) error
}
