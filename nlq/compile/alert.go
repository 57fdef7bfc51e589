package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"vedette.dev/nlq"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
)

// Alert returns the group with the one rule that a asks for. The same alert
// always has the same ID. Asked and Owner are the caller's to fill in.
func Alert(a nlq.Alert, c *catalog.Catalog) (rules.Group, error) {
	r, err := rule(a, c)
	if err != nil {
		return rules.Group{}, err
	}
	return rules.Group{ID: id(r), Revision: 1, Rules: []rules.Rule{r}}, nil
}

func rule(a nlq.Alert, c *catalog.Catalog) (rules.Rule, error) {
	if a.Compare.Op == "" {
		return rules.Rule{}, fmt.Errorf("compile an alert on %s: without a comparison it would always fire", a.Measure.Metric)
	}
	e, err := measure(a.Measure, c)
	if err != nil {
		return rules.Rule{}, err
	}
	if e, err = compare(e, a.Compare); err != nil {
		return rules.Rule{}, err
	}
	r := rules.Rule{For: a.For, KeepFiring: a.Keep, Labels: map[string]string{}, Annotations: annotations(a, c), Name: name(a, c)}
	if a.Severity != "" {
		r.Labels["severity"] = a.Severity
	}
	e, share := unscaled(e)
	if share && a.Measure.Unit(c) == "%" {
		r.Annotations["description"] = strings.Replace(r.Annotations["description"], valueIn(a.Measure.Unit(c)), "{{ $value | humanizePercentage }}", 1)
	}
	r.Expr, err = Print(e)
	return r, err
}

// name is made of the measure's name in the catalog and the end that is crossed.
func name(a nlq.Alert, c *catalog.Catalog) string {
	m, _ := c.Measure(a.Measure.Metric)
	b := camel(title(m))
	switch {
	case m.Unit == "{bool}" && a.Measure.Agg == nlq.Each:
		if a.Compare.Op == "==" && a.Compare.Limit == 0 {
			return "Not" + b
		}
		return b
	case a.Compare.Op[0] == '>':
		return b + "High"
	case a.Compare.Op[0] == '<':
		return b + "Low"
	}
	return b
}

// camel runs words together: "GPU temperature" is GPUTemperature.
func camel(words string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(words, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

func title(m catalog.Metric) string {
	if len(m.Words) == 0 {
		return string(m.ID)
	}
	return m.Words[0]
}

// id is a rule's name as a slug, with what tells rules of one name apart.
func id(r rules.Rule) rules.ID {
	var b strings.Builder
	runes := []rune(r.Name)
	for i, c := range runes {
		lowerBefore := i > 0 && (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1]))
		lowerAfter := i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(c) && (lowerBefore || lowerAfter) {
			b.WriteByte('-')
		}
		if c < unicode.MaxASCII {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	sum := sha256.Sum256([]byte(r.Expr + "\n" + r.For.String() + "\n" + r.Labels["severity"]))
	return rules.ID(b.String() + "-" + hex.EncodeToString(sum[:4]))
}

// telling are the labels that say to a person what fired, in the order in
// which they are read, with the words between them.
var telling = []struct{ label, word string }{
	{"Hostname", "on"}, {"hostname", "on"}, {"node", "on"}, {"instance", "on"}, {"gpu", "GPU"}, {"xid", "Xid"}, {"device", "device"},
	{"mountpoint", "at"}, {"namespace", "in"}, {"pod", "pod"}, {"container", "container"}, {"deployment", "deployment"},
	{"statefulset", "stateful set"}, {"daemonset", "daemon set"}, {"job_name", "job"}, {"cronjob", "cron job"},
	{"persistentvolumeclaim", "volume claim"}, {"model_name", "model"}, {"source", "source"},
}

// valueIn is the template of a value in unit u.
func valueIn(u catalog.Unit) string {
	return strings.Replace(nlq.Amount(0, u), strconv.Itoa(0), `{{ printf "%.4g" $value }}`, 1)
}

// annotations are templates, which Prometheus executes: nothing in them comes
// from the asker but numbers.
func annotations(a nlq.Alert, c *catalog.Catalog) map[string]string {
	m, _ := c.Measure(a.Measure.Metric)
	u := nlq.Amount(a.Compare.Limit, a.Measure.Unit(c))
	kept := m.Labels
	if a.Measure.Agg != nlq.Each {
		kept = a.Measure.By
	}
	if m.Entity == "gpu" { // device says the same as gpu there
		kept = slices.DeleteFunc(slices.Clone(kept), func(l string) bool { return l == "device" })
	}
	summary := title(m) + " " + nlq.OpWord(a.Compare.Op) + " " + u
	switch {
	case m.Unit != "{bool}" || a.Measure.Agg != nlq.Each:
	case a.Compare.Op == "==" && a.Compare.Limit == 0:
		summary = "not " + title(m)
	default:
		summary = title(m)
	}
	node := false
	for _, t := range telling {
		if !slices.Contains(kept, t.label) || t.word == "on" && node {
			continue
		}
		node = node || t.word == "on"
		summary += fmt.Sprintf("{{ with $labels.%s }} %s {{ . }}{{ end }}", t.label, t.word)
	}
	held := ""
	if a.For > 0 {
		held = " for " + nlq.Period(a.For)
	}
	value := valueIn(a.Measure.Unit(c))
	return map[string]string{
		"summary":     summary,
		"description": fmt.Sprintf("%s. The value is %s and has been %s %s%s.", plainText(m.Help), value, nlq.OpWord(a.Compare.Op), u, held),
	}
}
