package diagnose

import (
	"testing"
	"time"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose/facts"
	"vedette.dev/analyzer/diagnose/knowledge"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/rules/fault"
)

// TestWhatConfirms holds the rule of confidence: what says why confirms, what
// only says that something is wrong, or is long over, does not.
func TestWhatConfirms(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	fact := func(name string, kind facts.Kind, at time.Duration, stands bool) *facts.Fact {
		return &facts.Fact{Fact: analyzer.Fact{Subject: analyzer.Pod("ml", "a"), Name: name, At: start.Add(at), Standing: stands}, Kind: kind, Weight: 1}
	}
	tests := []struct {
		name    string
		effect  *facts.Fact
		subject string
		hears   []string
		want    float64
	}{
		{"nothing more", nil, "node/n", nil, 0.7},
		{"another kind that says why", fact("collective-timeout", facts.EventKind, time.Minute, true), "node/n", nil, 0.82},
		{"the same kind", fact("collective-timeout", facts.LogKind, time.Minute, true), "node/n", nil, 0.7},
		{"an echo", fact("workload-short", facts.ObjectKind, time.Minute, true), "node/n", nil, 0.7},
		{"an echo that is listened to", fact("workload-short", facts.ObjectKind, time.Minute, true), "node/n", []string{"workload-short"}, 0.82},
		{"what was over before it began", fact("collective-timeout", facts.EventKind, -time.Hour, false), "node/n", nil, 0.7},
		{"a GPU known by its address alone", nil, "gpu/n/PCI:0000:4e:00", nil, 0.56},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			subject, err := analyzer.ParseSubject(tt.subject)
			if err != nil {
				t.Fatal(err)
			}
			root := fact("root", facts.LogKind, 0, true)
			c := &candidate{Cause: &knowledge.Cause{Base: 0.7, Hears: tt.hears}, subject: subject, roots: []*facts.Fact{root}}
			effects := map[*facts.Fact][]*facts.Fact{}
			if tt.effect != nil {
				effects[root] = []*facts.Fact{tt.effect}
			}
			c.walk(effects)
			if got := c.weigh(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestCompany holds that two causes at one place are each surer alone, that
// two in different places are not, and that neither are two of one cause.
func TestCompany(t *testing.T) {
	tests := []struct {
		name      string
		id, where string
		want      float64
	}{
		{"another cause of the same node", "node-disk-fault", "n1", 0.6},
		{"another cause elsewhere", "node-disk-fault", "n2", 0.8},
		{"the same cause of the same node", "node-not-ready", "n1", 0.8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := &judge{World: facts.Read(&snapshot.Snapshot{})}
			first := &candidate{Cause: &knowledge.Cause{ID: "node-not-ready"}, subject: analyzer.Node("n1"), confidence: 0.8}
			second := &candidate{Cause: &knowledge.Cause{ID: fault.CauseID(tt.id)}, subject: analyzer.Node(tt.where), confidence: 0.8}
			j.doubtCompany([]*candidate{first, second})
			if first.confidence != tt.want || second.confidence != tt.want {
				t.Errorf("got %v and %v, want %v for both", first.confidence, second.confidence, tt.want)
			}
		})
	}
}
