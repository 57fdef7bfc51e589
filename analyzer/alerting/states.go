package alerting

import "github.com/prometheus/prometheus/rules"

// RuleKey names a rule: group and rule names are unique together.
type RuleKey struct{ Group, Rule string }

// RuleState is how a rule is.
type RuleState struct {
	State     string // inactive, pending, firing or unknown
	LastError string
}

// States returns the state of every alerting rule.
func (m *Manager) States() map[RuleKey]RuleState {
	states := map[RuleKey]RuleState{}
	for _, g := range m.Rules.RuleGroups() {
		for _, r := range g.AlertingRules() {
			s := RuleState{State: r.State().String()}
			if r.Health() == rules.HealthUnknown {
				s.State = "unknown"
			}
			if err := r.LastError(); err != nil {
				s.LastError = err.Error()
			}
			states[RuleKey{g.Name(), r.Name()}] = s
		}
	}
	return states
}
