package prose

import (
	"slices"
	"strings"

	"vedette.dev/nlq/prose/index"
	"vedette.dev/rules/catalog"
)

// What is here turns the score that words give a metric up and down, by what
// else the text says. The factors are small where many right readings go
// against them, and the order of a half where few do; see make bench-nlq.

// suits is how well the kind of metric goes with what the text says about it.
func (r *reading) suits(m catalog.Metric) float64 {
	return r.kindSuits(m) * r.unitSuits(m) * r.brandSuits(m) * r.valueSuits(m) * r.moodSuits(m)
}

// valueSuits favours what tells the states that the text speaks of apart.
func (r *reading) valueSuits(m catalog.Metric) float64 {
	if where, _ := r.valueOf(m); len(where) > 0 {
		return 1.3
	}
	return 1
}

// unitSuits is how well what m counts goes with what the limit is in.
func (r *reading) unitSuits(m catalog.Metric) float64 {
	if len(r.conds) == 0 {
		return 1
	}
	limit := r.conds[0].limit
	switch d := limit.Dimension(); d {
	case "bytes", "temperature", "power", "frequency", "energy", "bytes/s":
		if _, ok := limit.In(m.Unit); ok || d == "bytes/s" && m.Unit == "By" {
			return 1.2
		}
		return 0.7
	case "ratio":
		if m.Unit == "%" || ofOne(m) {
			return 1.1
		}
	}
	return 1
}

// moodSuits favours, where a text complains, what counts or tells what is
// wrong over what counts all that happens, and the other way round.
func (r *reading) moodSuits(m catalog.Metric) float64 {
	wrong := slices.ContainsFunc(index.Name(string(m.ID)), func(w string) bool { return r.lexicon.states[w] == "bad" })
	switch {
	case m.Type != catalog.Counter || r.percent():
		return 1
	case r.cues["bad"] && !wrong, !r.cues["bad"] && wrong:
		return 0.8
	}
	return 1
}

// kindSuits is how well what a metric does over time goes with the text.
func (r *reading) kindSuits(m catalog.Metric) float64 {
	id := string(m.ID)
	bucket := strings.HasSuffix(id, "_bucket")
	switch {
	case r.cues["quantile"] && bucket:
		return 1.5
	case r.cues["quantile"] && m.Has("quantile"):
		return 1.2
	case r.cues["quantile"]:
		return 0.5
	case bucket && r.cues["latency"]:
		return 1.1
	case bucket && r.has("average", "mean", "avg"):
		return 0.9
	case bucket, strings.HasSuffix(id, "_sum"):
		return 0.5
	case r.cues["expires"] && m.Type == catalog.Counter:
		return 0.5
	case (strings.HasSuffix(id, "_info") || strings.HasSuffix(id, "_labels") || strings.HasSuffix(id, "_version")) && !r.said["info"], strings.HasSuffix(id, "_count") && m.Type == catalog.Counter:
		return 0.5
	case r.cues["expires"] && isTimestamp(m):
		return 1.3
	case r.cues["age"] && isTimestamp(m):
		return 1.2
	case r.lexicon.isBound(id) && !r.cues["limit"]:
		return 0.8
	case r.cues["rate"] && m.Type != catalog.Counter:
		return 0.9
	}
	return 1
}
