package snapshot

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"vedette.dev/rules/secret"
)

// Redact takes what looks like a secret out of everything that people and
// programs wrote: values of variables, options, annotations, data of Secrets,
// messages and logs. It must come before the typed accessors.
func (s *Snapshot) Redact() {
	for _, os := range s.Objects {
		for i := range os {
			os[i].Raw = redactRaw(os[i].Raw)
		}
	}
	for i := range s.History {
		s.History[i].Raw = redactRaw(s.History[i].Raw)
	}
	for i := range s.Alerts {
		s.Alerts[i] = redactRaw(s.Alerts[i])
	}
	for i := range s.Events {
		s.Events[i].Message = redactText(s.Events[i].Message)
		delete(s.Events[i].Annotations, lastApplied)
	}
	for _, l := range s.Logs {
		redactLines(l.Lines)
	}
	for _, lines := range s.Kernel {
		redactLines(lines)
	}
	for _, u := range s.Units {
		redactLines(u.Lines)
	}
	s.Redacted = true
}

func redactText(text string) string {
	return secret.Replace(text, func(string) string { return secret.Hidden })
}

// redactLines redacts each line by itself, and a key that goes over lines whole.
func redactLines(lines []Line) {
	inKey := false
	for i := range lines {
		text := lines[i].Text
		ends := strings.Contains(text, "-----END ")
		if inKey && !ends {
			lines[i].Text = secret.Hidden
			continue
		}
		inKey = !ends && strings.Contains(text, "-----BEGIN ") && strings.Contains(text, " KEY-----")
		lines[i].Text = redactText(text)
	}
}

// lastApplied is an annotation that has the whole object once more, as text in
// which a variable's name is far from its value.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// redactRaw redacts an object. One that holds nothing secret stays as it is.
func redactRaw(raw json.RawMessage) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // as they were written
	var o any
	if dec.Decode(&o) != nil {
		return raw // named as broken when it is read
	}
	if m, ok := o.(map[string]any); ok && m["kind"] == "Secret" {
		hideAll(m["data"])
		hideAll(m["stringData"])
	}
	clean, changed := redactTree(o)
	if m, ok := o.(map[string]any); !changed && (!ok || m["kind"] != "Secret") {
		return raw
	}
	var b bytes.Buffer
	if encoder(&b).Encode(clean) != nil {
		return raw // not reached: it was JSON before
	}
	return bytes.TrimSpace(b.Bytes())
}

// hideAll hides the values of an object of texts.
func hideAll(v any) {
	m, _ := v.(map[string]any)
	for key := range m {
		m[key] = secret.Hidden
	}
}

// redactTree redacts v in place and returns what it is then.
func redactTree(v any) (clean any, changed bool) {
	switch v := v.(type) {
	case string:
		clean := redactText(v)
		return clean, clean != v
	case []any:
		for i, x := range v {
			if word, ok := x.(string); ok && i > 0 && option(v[i-1]) && word != secret.Hidden {
				v[i], changed = secret.Hidden, true
				continue
			}
			c, did := redactTree(x)
			v[i], changed = c, changed || did
		}
	case map[string]any:
		name, _ := v["name"].(string)
		for key, x := range v {
			text, isText := x.(string)
			switch {
			case key == lastApplied:
				delete(v, key)
				changed = true
			case isText && text != "" && text != secret.Hidden && (key == "value" && secret.Named(name) || slices.Contains(holders, strings.ToLower(key))):
				v[key], changed = secret.Hidden, true
			default:
				c, did := redactTree(x)
				if key == "annotations" || key == "data" {
					did = redactValues(x) || did
				}
				v[key], changed = c, changed || did
			}
		}
	}
	return v, changed
}

// holders are fields that hold a secret where they are a text. Kubernetes' own
// fields only name Secrets, as secretName does.
var holders = []string{"password", "passwd", "token", "apikey", "accesskey", "privatekey", "secretkey"}

// redactValues hides the values that their keys say are secret, where people
// choose the keys.
func redactValues(v any) (changed bool) {
	m, _ := v.(map[string]any)
	for key, x := range m {
		if text, ok := x.(string); ok && text != "" && text != secret.Hidden && secret.Named(key) {
			m[key], changed = secret.Hidden, true
		}
	}
	return changed
}

// option reports whether the argument before another says that that is secret.
func option(v any) bool {
	word, ok := v.(string)
	return ok && strings.HasPrefix(word, "-") && !strings.Contains(word, "=") && secret.Named(word)
}
