package llm

import "vedette.dev/nlq/talk"

// This file is the form that a model fills in. Its fields are slots of the
// intents of package nlq and nothing else: there is no place for a sentence.
// The tags say all that a schema says, so that what is asked for and what is
// taken are the same. Where a schema is enforced, a model writes the keys in
// the order of the alphabet: those that decide what the others hold come first.

// intentForm is the form as a provider is told of it.
var intentForm = talk.FormOf[form]("intent")

type form struct {
	Kind     string     `json:"asks" one:"lookup alert formula when why raw none refuse"`
	Measure  measure    `json:"measure"`
	Compare  comparison `json:"compare"`
	Top      int        `json:"top"`
	Since    string     `json:"since"`
	For      string     `json:"for"`
	Severity string     `json:"severity" one:"- info warning critical"`
	Capacity string     `json:"capacity"`
	Thing    string     `json:"thing" one:"- cluster node gpu namespace pod job deployment statefulset daemonset cronjob service"`
	Name     string     `json:"name"`
	Alert    bool       `json:"fires"`
	Steps    []step     `json:"steps"`
	Expr     string     `json:"expr"`
}

// uses are the fields that each kind has a use for. A field of another kind
// that is filled in makes the form contradict itself.
var uses = map[string][]string{
	"lookup":  {"measure", "compare", "top", "since"},
	"alert":   {"measure", "compare", "for", "severity"},
	"formula": {"steps", "fires", "for", "severity"},
	"when":    {"measure", "compare", "capacity"},
	"why":     {"thing", "name"},
	"raw":     {"expr", "fires", "for", "severity"},
}

type measure struct {
	Metric string     `json:"metric"`
	Where  []matcher  `json:"where"`
	Over   string     `json:"over" one:"- avg max min rate increase"`
	Window string     `json:"window"`
	Only   comparison `json:"only"`
	Agg    string     `json:"agg" one:"- avg max min sum count"`
	By     []string   `json:"by"`
}

type matcher struct {
	Label string `json:"label"`
	Op    string `json:"op" one:"= != =~ !~"`
	Value string `json:"value"`
}

type comparison struct {
	Op    string  `json:"op" one:"- > >= < <= == !="`
	Limit float64 `json:"limit"`
}

// A step of a formula makes a term of terms made before it, which Of and With
// name by their place in the list. The last step is the formula.
type step struct {
	Is      string   `json:"a" one:"measure number now func group binary"`
	Measure measure  `json:"measure"`
	Number  float64  `json:"number"`
	Func    string   `json:"func" one:"- ago absent abs delta deriv changes resets predict_linear histogram_quantile quantile_over_time stddev_over_time hour day_of_week"`
	Agg     string   `json:"agg" one:"- avg max min sum count quantile stddev topk bottomk"`
	Op      string   `json:"op" one:"- + - * / % > >= < <= == != and or unless"`
	Of      int      `json:"of"`
	With    int      `json:"with"`
	Param   float64  `json:"param"`
	Window  string   `json:"window"`
	By      []string `json:"by"`
}

// stepUses are to steps what uses are to forms.
var stepUses = map[string][]string{
	"measure": {"measure"},
	"number":  {"number"},
	"now":     {},
	"func":    {"func", "of", "param", "window"},
	"group":   {"agg", "of", "param", "by"},
	"binary":  {"op", "of", "with"},
}

// decode reads a form and takes nothing that is not one.
func decode(text string) (form, error) {
	f, err := talk.Decode[form](text)
	if err != nil {
		return f, err
	}
	if f.Kind == "none" || f.Kind == "refuse" {
		return f, nil // nothing is made of the rest, which weak models fill in all the same
	}
	if err := talk.Idle(f, "asks", f.Kind, uses); err != nil {
		return f, err
	}
	for _, st := range f.Steps {
		if err := talk.Idle(st, "a", st.Is, stepUses); err != nil {
			return f, err
		}
	}
	return f, nil
}
