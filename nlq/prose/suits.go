package prose

import "vedette.dev/rules/catalog"

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
