package grammar

import (
	"regexp"
	"strings"

	"vedette.dev/nlq"
)

// explaining is how the meaning of a rule or an expression is asked for.
// Without one of these words it is PromQL where it has a bracket.
var explaining = regexp.MustCompile("(?is)^\\s*(?:explain|what does|what is the meaning of|what means|read back)\\s+(?:(the rule|rule|the alert|alert|the expression|expression|the query|query)\\s+)?[`\"']?(.+?)[`\"']?(?:\\s+(?:mean|do|say))?\\s*\\??\\s*$")

// explain reads: explain rule GPUTemperatureHigh, what does sum(up) mean. It
// reports false where something else is asked.
func explain(text string) (nlq.Explain, bool) {
	m := explaining.FindStringSubmatch(text)
	if m == nil || m[1] == "" && !strings.ContainsAny(m[2], "({") {
		return nlq.Explain{}, false
	}
	return nlq.Explain{Of: m[2]}, true
}
