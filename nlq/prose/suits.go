package prose

import (
	"strings"
	"time"

	"vedette.dev/rules/catalog"
)

// unsuited is how well a limit in milliseconds goes with what counts things: that
// is not what is meant.
const unsuited = 0.2

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
	case "time":
		if t, _ := limit.Duration(); t >= time.Second {
			return 1 // it may be for how long
		}
		if _, ok := limit.In(m.Unit); ok || timeUnit(m) != "By" && strings.HasSuffix(string(m.ID), "_bucket") {
			return 1.2
		}
		return unsuited
	case "ratio":
		if r.traits[m.ID].share {
			return 1.1
		}
	}
	return 1
}
