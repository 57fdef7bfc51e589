package llm

import (
	"regexp"
	"slices"

	"vedette.dev/nlq"
	"vedette.dev/nlq/talk"
)

// restore puts back what was taken out, where an asker's words can be: in the
// values of labels, and in the name of what is asked about.
func restore(v *talk.Veil, i nlq.Intent) nlq.Intent {
	switch i := i.(type) {
	case nlq.Lookup:
		i.Measure = measureBack(v, i.Measure)
		return i
	case nlq.Alert:
		i.Measure = measureBack(v, i.Measure)
		return i
	case nlq.When:
		i.Measure = measureBack(v, i.Measure)
		return i
	case nlq.Why:
		i.Name = v.Back(i.Name, nil)
		return i
	case nlq.Formula:
		i.Term = nlq.Map(i.Term, func(m nlq.Measure) nlq.Measure { return measureBack(v, m) })
		return i
	}
	return i
}

func measureBack(v *talk.Veil, m nlq.Measure) nlq.Measure {
	m.Where = slices.Clone(m.Where)
	for i, w := range m.Where {
		quote := regexp.QuoteMeta
		if w.Op == "=" || w.Op == "!=" {
			quote = nil
		}
		m.Where[i].Value = v.Back(w.Value, quote)
	}
	return m
}
