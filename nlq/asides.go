package nlq

import (
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

// A Changes asks what changed of late: of objects, and by actions that were taken.
type Changes struct {
	About Why // nothing named: anywhere
	Since time.Duration
}

// An Actions asks what would change the world, or did. It decides nothing:
// words never do.
type Actions struct {
	Pending bool // only those that wait for somebody to decide
}

// An Anomalies asks what the detectors find unusual, or how somebody says that it
// is none. It says nothing itself: words never do.
type Anomalies struct {
	About   Why // nothing named: anywhere
	Dismiss bool
}

func (Anomalies) isIntent()        {}
func (a Anomalies) String() string { return Read(a, catalog.Builtin()) }

func readAnomalies(a Anomalies) string {
	where := ""
	if a.About.Name != "" || a.About.Kind != "" {
		where = " on " + strings.TrimPrefix(readWhy(a.About), "what is wrong with ")
	}
	if a.Dismiss {
		return "dismiss anomaly" + where
	}
	return "what is anomalous" + where
}

func (Changes) isIntent()        {}
func (Actions) isIntent()        {}
func (c Changes) String() string { return Read(c, catalog.Builtin()) }
func (a Actions) String() string { return Read(a, catalog.Builtin()) }

func readChanges(c Changes) string {
	b := "what changed"
	if c.About.Name != "" || c.About.Kind != "" {
		b += " on " + strings.TrimPrefix(readWhy(c.About), "what is wrong with ")
	}
	return b + " in the last " + Period(c.Since)
}

func readActions(a Actions) string {
	if a.Pending {
		return "which actions are pending"
	}
	return "which actions were taken"
}

// An Explain asks what a rule or an expression means: Of is a rule's name or
// ID, or PromQL, which is read and never run.
type Explain struct{ Of string }

func (Explain) isIntent()        {}
func (e Explain) String() string { return Read(e, catalog.Builtin()) }

func readExplain(e Explain) string { return "explain rule " + quoted(e.Of) }
