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

func TestSXids(t *testing.T) {
	if n := len(SXids()); n < 90 {
		t.Errorf("sxids.csv has %d codes, want at least 90", n)
	}
	for code, want := range map[SXid]SXidClass{20012: NonFatal, 20034: Fatal, 12020: AlwaysFatal, 10004: Notable} {
		if got := SXids()[code].Class; got != want {
			t.Errorf("SXid %d is %q, want %q", code, got, want)
		}
	}
	const head = "code,name,class,source\n"
	for in, want := range map[string]string{
		head + "x,n,fatal,s\n":                "x.csv:2: code",
		head + "1,n,bad,s\n":                  `x.csv:2: SXid 1: class "bad"`,
		head + "1,n,fatal,\n":                 "x.csv:2: SXid 1: name and source",
		head + "1,n,fatal,s\n1,n,notable,s\n": "x.csv:3: SXid 1 is listed twice",
	} {
		if _, err := ParseSXids("x.csv", strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSXids: got error %v, want one with %q", err, want)
		}
	}
}

func TestNVLink5(t *testing.T) {
	tests := []struct {
		of       NVLink5Error
		severity string // "" where nothing is known
		remedy   string
	}{
		{NVLink5Error{145, "RLW_REMAP", 0, 0x40}, "fatal", "RESET_GPU"},
		{NVLink5Error{145, "RLW_REMAP", 0, 0x100}, "non-fatal", "IGNORE"},
		{NVLink5Error{149, "NETIR_LINK_EVT", Subcode(0x00a02846), 0}, "link fatal", "RESET_GPU"},
		{NVLink5Error{149, "NETIR_LINK_EVT/NETIR_LINK_DOWN", 10, 0}, "link fatal", "RESET_GPU"},
		{NVLink5Error{149, "NETIR_LINK_EVT", 0x3f, 0}, "", ""},
		{NVLink5Error{146, "RLW_REMAP", 0, 0x40}, "", ""},
	}
	for _, tt := range tests {
		got, ok := NVLink5(tt.of)
		if got.Severity != tt.severity || got.Remedy != tt.remedy || ok != (tt.severity != "") {
			t.Errorf("NVLink5(%+v) = %+v, %v, want %s and %s", tt.of, got, ok, tt.severity, tt.remedy)
		}
	}
	const head = "xid,unit,subcode,status,severity,remedy,source\n"
	for in, want := range map[string]string{
		head + "79,U,0,0,fatal,R,s\n":                       `x.csv:2: xid "79"`,
		head + "144,U,64,0,fatal,R,s\n":                     `x.csv:2: subcode "64"`,
		head + "144,U,0,y,fatal,R,s\n":                      `x.csv:2: status "y"`,
		head + "144,U,0,0,,R,s\n":                           "x.csv:2: Xid 144: unit, severity",
		head + "144,U,0,0,fatal,R,s\n144,U,0,0,fatal,R,s\n": "x.csv:3: ",
	} {
		if _, err := ParseNVLink5("x.csv", strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseNVLink5: got error %v, want one with %q", err, want)
		}
	}
}

// What others say of an Xid stands beside NVIDIA's word, with its source.
func TestDisputes(t *testing.T) {
	for code, remedy := range map[Xid]string{63: "IGNORE", 64: "RESET_GPU", 94: "RESTART_APP"} {
		x := Xids()[code]
		if x.Remedy != remedy || len(x.Disputed) == 0 {
			t.Errorf("Xid %d: %s, disputed by %v, want %s and somebody", code, x.Remedy, x.Disputed, remedy)
		}
		for _, c := range x.Disputed {
			if !strings.HasPrefix(c.Source, "https://") {
				t.Errorf("Xid %d: source is %q, want a URL", code, c.Source)
			}
		}
	}
	const head = "xid,who,remedy,source\n"
	for in, want := range map[string]string{
		head + "9999,me,R,s\n":    `x.csv:2: Xid "9999" is not in the table`,
		head + "63,me,R,\n":       "x.csv:2: Xid 63: who, remedy and source",
		head + "63,me,IGNORE,s\n": "x.csv:2: Xid 63: me says IGNORE, as NVIDIA does",
	} {
		if err := dispute(map[Xid]XidFact{63: {Code: 63, Remedy: "IGNORE"}}, "x.csv", strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("dispute: got error %v, want one with %q", err, want)
		}
	}
}
