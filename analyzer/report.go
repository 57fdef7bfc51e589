package analyzer

import (
	"time"

	"vedette.dev/rules/fault"
)

// A Verdict is what a diagnosis comes to.
type Verdict string

// The verdicts. Healthy is no standing symptom; inconclusive is symptoms and
// no cause with a confidence of 0.5 or more, or no symptom where those who show
// symptoms, the pods, were not captured.
const (
	Diagnosed    Verdict = "diagnosed"
	Healthy      Verdict = "healthy"
	Inconclusive Verdict = "inconclusive"
)

// NoPods is what Unseen of a report says where no pods were captured.
const NoPods = "pods: not captured"

// A Report is what [diagnose.Diagnose] says of a snapshot. Its JSON is the
// DiagnosisReport that others score and store; do not rename its keys.
type Report struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	CapturedAt time.Time   `json:"capturedAt"`
	Focus      *Subject    `json:"focus"` // nil: the whole cluster
	Verdict    Verdict     `json:"verdict"`
	Diagnoses  []Diagnosis `json:"diagnoses"` // the likeliest first; each explains what the later ones do not
	Rejected   []Rejected  `json:"rejected"`
	Unseen     []string    `json:"unseen"` // what the snapshot does not hold and would have helped
}

// A Diagnosis is a cause that would explain what is seen.
type Diagnosis struct {
	Cause        fault.CauseID `json:"cause"`
	Subject      Subject       `json:"subject"`
	Confidence   float64       `json:"confidence"` // 0..1, two decimals
	Summary      string        `json:"summary"`    // one sentence
	FirstSymptom *Symptom      `json:"firstSymptom,omitempty"`
	Chain        []Link        `json:"chain"` // cause → … → what the user saw
	Evidence     []Evidence    `json:"evidence"`
	Affected     []Subject     `json:"affected"`
	Remedy       []string      `json:"remedy"`
	Caveats      []string      `json:"caveats"`
}

// A Symptom is the first thing that went wrong.
type Symptom struct {
	At      time.Time `json:"at"`
	Subject Subject   `json:"subject"`
	Text    string    `json:"text"`
}

// A Link is one step from the cause to what was seen.
type Link struct {
	Subject Subject   `json:"subject"`
	What    string    `json:"what"`
	At      time.Time `json:"at,omitzero"`
}

// Evidence is what a claim rests on: a line, an object or a query.
type Evidence struct {
	Source  string    `json:"source"`
	At      time.Time `json:"at,omitzero"`
	Subject Subject   `json:"-"` // what it is about, where that is known; in a report the source says so
	Text    string    `json:"text"`
}

// A Rejected cause was considered and does not explain what is seen.
type Rejected struct {
	Cause   fault.CauseID `json:"cause"`
	Subject Subject       `json:"subject"`
	Why     string        `json:"why"`
	Cites   []string      `json:"cites,omitempty"` // the sources of what rules it out
}
