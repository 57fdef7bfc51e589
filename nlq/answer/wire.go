package answer

// This file is the answer as it goes over the wire, to the page and the command line.

import (
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/anomaly"
	"vedette.dev/analyzer/backtest"
	"vedette.dev/nlq/investigate"
)

// An Answer is what a question comes to. Kind says which of the parts below is
// set; the rest is what every answer shows of itself.
type Answer struct {
	Asked      string   `json:"asked"`
	goesOn     bool     // from what was asked before it
	Kind       Kind     `json:"kind"`
	Readback   string   `json:"readback"`             // the meaning, in plain words
	Assumed    []string `json:"assumed,omitempty"`    // what was not said and was taken
	Expr       string   `json:"expr,omitempty"`       // the PromQL that was run or would be
	Confidence float64  `json:"confidence,omitempty"` // that this is what was meant
	Caveats    []string `json:"caveats,omitempty"`

	Alert   *AlertDraft    `json:"alert,omitempty"`
	Query   *QueryResult   `json:"query,omitempty"`
	Why     *WhyResult     `json:"why,omitempty"`
	When    *WhenResult    `json:"when,omitempty"`
	Changes *ChangesResult `json:"changes,omitempty"`
	Actions *ActionsResult `json:"actions,omitempty"`

	Anomalies *AnomaliesResult `json:"anomalies,omitempty"`

	Explain *ExplainResult `json:"explain,omitempty"`
	Silence *SilenceResult `json:"silence,omitempty"`
	Cost    *CostResult    `json:"cost,omitempty"`
	Unclear *Unclear       `json:"unclear,omitempty"`
}

// A Kind is the kind of an answer.
type Kind string

// The kinds of answers.
const (
	KindAlert   Kind = "alert"
	KindQuery   Kind = "query"
	KindWhy     Kind = "why"
	KindWhen    Kind = "when"
	KindChanges Kind = "changes"
	KindActions Kind = "actions"

	KindAnomalies Kind = "anomalies"

	KindExplain Kind = "explain"
	KindSilence Kind = "silence"
	KindCost    Kind = "cost"
	KindUnclear Kind = "unclear"
)

// An AlertDraft is a rule that was asked for: checked, back-tested, and, if
// the asker said so, published.
type AlertDraft struct {
	ID        string        `json:"id"`   // of the rule group, once published
	YAML      string        `json:"yaml"` // the rule group as Prometheus reads it
	Problems  []Problem     `json:"problems"`
	Backtest  *Backtest     `json:"backtest,omitempty"`
	Published *action.Entry `json:"published,omitempty"` // the ledger's entry; nil: not published
}

// A Problem is one thing a check found.
type Problem struct {
	Check    string `json:"check"`
	Severity string `json:"severity"` // error, warning or info
	Text     string `json:"text"`
	From     int    `json:"from"` // byte offsets in the expression; both 0 is the whole
	To       int    `json:"to"`
}

// A Backtest says when the rule would have fired.
type Backtest struct {
	From      time.Time          `json:"from"`
	To        time.Time          `json:"to"`
	Step      float64            `json:"step"`      // seconds between evaluations
	Summary   string             `json:"summary"`   // "would have fired 3 times in 7 days, 31 min in all"
	Episodes  []backtest.Episode `json:"episodes"`  // in time order, at most 200
	Total     int                `json:"total"`     // episodes in all
	FiringFor float64            `json:"firingFor"` // seconds, all label sets added up
	Series    []ChartSeries      `json:"series"`    // what the rule watches, at most 12 series
	Threshold *float64           `json:"threshold,omitempty"`
	Limits    []Limit            `json:"limits,omitempty"` // other limits worth a thought, by value
	Caveats   []string           `json:"caveats,omitempty"`
}

// A Limit is how often the rule would have fired with another limit.
type Limit struct {
	Value     float64 `json:"value"`
	Expr      string  `json:"expr"` // the rule's expression with it
	Episodes  int     `json:"episodes"`
	FiringFor float64 `json:"firingFor"` // seconds, all label sets added up
}

// A ChartSeries is a series to draw: evenly spaced, null where missing.
type ChartSeries struct {
	Name   string     `json:"name"`
	Start  float64    `json:"start"` // Unix seconds
	Step   float64    `json:"step"`  // seconds
	Values []*float64 `json:"values"`
}

// A QueryResult is the answer to a lookup.
type QueryResult struct {
	At     time.Time     `json:"at"`
	Unit   string        `json:"unit"`
	Rows   []Row         `json:"rows"` // the highest first, at most 100
	Total  int           `json:"total"`
	Series []ChartSeries `json:"series,omitempty"`
}

// A Row is one series' value now.
type Row struct {
	Labels map[string]string `json:"labels"`
	Value  *float64          `json:"value"`
}

// A WhyResult is a diagnosis, and the incidents it belongs to.
type WhyResult struct {
	Focus     *analyzer.Subject   `json:"focus"`
	Report    analyzer.Report     `json:"report"`
	Account   []analyzer.Sentence `json:"account"` // the report in sentences, each with its sources
	Incidents []string            `json:"incidents"`

	Model *investigate.Account `json:"model,omitempty"` // what a model said of the report; nil where none was asked
}

// A WhenResult is a forecast of when a limit is reached.
type WhenResult struct {
	Reached  bool          `json:"reached"` // within the horizon, by the median
	Already  bool          `json:"already"` // it is past the limit now
	At       time.Time     `json:"at,omitzero"`
	Earliest time.Time     `json:"earliest,omitzero"` // 10 % quantile
	Latest   time.Time     `json:"latest,omitzero"`   // 90 % quantile; zero: beyond the horizon
	Horizon  time.Time     `json:"horizon"`
	Limit    float64       `json:"limit"`
	Unit     string        `json:"unit"`
	Now      float64       `json:"now"`
	Text     string        `json:"text"`   // the answer in a sentence
	Held     string        `json:"held"`   // how such forecasts did on the past
	Series   []ChartSeries `json:"series"` // past; then median, low and high of the future
}

// Unclear is the answer to what was not understood.
type Unclear struct {
	Words   []string `json:"words"`   // the words without a meaning here
	Nearest []string `json:"nearest"` // questions that are understood, the nearest first
	Ask     string   `json:"ask,omitempty"`
}

// A ChangesResult is what changed from From to To, the newest first. Total
// counts those that are not listed too.
type ChangesResult struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Rows  []Change  `json:"rows"`
	Total int       `json:"total"`
}

// A Change is one thing that changed, and what tells it.
type Change struct {
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	What    string    `json:"what"`
	Source  string    `json:"source"`
}

// An ActionsResult lists entries of the ledger, the newest first, and says how
// somebody decides on those that wait.
type ActionsResult struct {
	Entries []action.Entry `json:"entries"`
	How     string         `json:"how,omitempty"`
}

// An AnomaliesResult lists the anomalies that go on, the newest first, and says
// how somebody says that one is none. Over counts those of late that are over.
type AnomaliesResult struct {
	Entries []anomaly.Anomaly `json:"entries"` // at most 100
	Total   int               `json:"total"`
	Over    int               `json:"over"`
	How     string            `json:"how,omitempty"`
}

// An ExplainResult is what a rule or an expression means, in plain words, and
// of a rule that stands whose it is and what was asked for when it was made.
type ExplainResult struct {
	Words string `json:"words"`
	Rule  string `json:"rule,omitempty"`
	Group string `json:"group,omitempty"`
	Owner string `json:"owner,omitempty"`
	Asked string `json:"asked,omitempty"`
}

// A SilenceResult is the proposal that nobody be told of some alerts, or that
// people be told of them again, and what it waits for.
type SilenceResult struct {
	Firing []map[string]string `json:"firing"` // the alerts that fire now and that it is about, at most 20
	Total  int                 `json:"total"`
	Entry  action.Entry        `json:"entry"`
	How    string              `json:"how"` // how somebody decides
}

// A CostResult is what GPUs cost, or who had the use of them: in a sentence,
// and by row where that was asked, the most first.
type CostResult struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Text string    `json:"text"`
	By   string    `json:"by,omitempty"`
	Rows []CostRow `json:"rows"`
}

// A CostRow is GPU-hours and money of one thing. Of hours without a price the
// money is not known: USD is of the others.
type CostRow struct {
	Name     string  `json:"name"`
	GPUHours float64 `json:"gpuHours"`
	USD      float64 `json:"usd"`
	Idle     float64 `json:"idleGPUHours"`
	Unpriced float64 `json:"unpricedGPUHours,omitempty"`
	Query    string  `json:"query,omitempty"`
}
