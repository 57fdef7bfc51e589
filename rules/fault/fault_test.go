package fault

import (
	"strings"
	"testing"
)

// TestTables holds the two embedded files to each other and to their own form.
func TestTables(t *testing.T) {
	if got := len(Xids()); got < 60 {
		t.Errorf("xids.csv has %d codes, want at least 60", got)
	}
	for code, x := range Xids() {
		if _, known := Causes()[x.Cause]; x.Cause != "" && !known {
			t.Errorf("Xid %d points to cause %q, which causes.csv does not have", code, x.Cause)
		}
		if !strings.HasPrefix(x.Source, "https://") {
			t.Errorf("Xid %d: source is %q, want a URL", code, x.Source)
		}
		if !strings.HasSuffix(x.Meaning, ".") {
			t.Errorf("Xid %d: meaning %q is not a sentence", code, x.Meaning)
		}
	}
	scopes := map[string]bool{"cluster": true, "namespace": true, "workload": true, "pod": true, "pvc": true, "image": true, "node": true, "service": true, "gpu": true}
	for id, c := range Causes() {
		if !scopes[c.Scope] {
			t.Errorf("cause %s: scope is %q", id, c.Scope)
		}
		for _, s := range append([]string{c.Meaning}, c.Remedy...) {
			if !strings.HasSuffix(s, ".") || strings.TrimSpace(s) != s {
				t.Errorf("cause %s: %q is not a sentence", id, s)
			}
		}
		if c.Action == "cordon-node" && c.Scope != "gpu" && c.Scope != "node" {
			t.Errorf("cause %s: cordons a node and is true of a %s", id, c.Scope)
		}
	}
}

// TestAnchors checks rows that other packages rest on.
func TestAnchors(t *testing.T) {
	tests := []struct {
		code   Xid
		cause  CauseID
		action string
	}{
		{79, "gpu-fell-off-bus", "cordon-node"},
		{48, "gpu-ecc-uncorrectable", "cordon-node"},
		{94, "gpu-ecc-contained", ""},
		{31, "gpu-mmu-fault-app", ""},
		{45, "", ""},
	}
	for _, tt := range tests {
		x, ok := Xids()[tt.code]
		if !ok || x.Cause != tt.cause || Causes()[x.Cause].Action != tt.action {
			t.Errorf("Xid %d: got cause %q with action %q, want %q with %q", tt.code, x.Cause, Causes()[x.Cause].Action, tt.cause, tt.action)
		}
	}
}

func TestParseRejects(t *testing.T) {
	const head = "code,name,meaning,remedy,fatal,cause,source\n"
	tests := []struct{ name, in, want string }{
		{"columns", "number,name,meaning,remedy,fatal,cause,source\n", "x.csv:1: columns"},
		{"code", head + "zero,N,M.,R,true,,https://x\n", "x.csv:2: code"},
		{"fatal", head + "1,N,M.,R,perhaps,,https://x\n", "x.csv:2: fatal"},
		{"twice", head + "1,N,M.,R,true,,https://x\n1,N,M.,R,true,,https://x\n", "x.csv:3: Xid 1 is listed twice"},
		{"source", head + "1,N,M.,R,true,,\n", "x.csv:2: Xid 1: meaning and source"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseXids("x.csv", strings.NewReader(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseXids: got error %v, want one with %q", err, tt.want)
			}
		})
	}
}
