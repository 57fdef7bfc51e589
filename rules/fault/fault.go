// Package fault is what can go wrong: the Xids of GPUs and the SXids of their
// switches, and the causes that a diagnosis may name, each with its meaning,
// remedy and source. They are data files.
//
// What a reader would get wrong: an Xid's remedy is NVIDIA's word. Where others
// who run many GPUs do something else, the fact says so too ([XidFact.Disputed]).
package fault

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// An Xid is NVIDIA's number for an error that its driver reports.
type Xid int

// An XidFact is what one Xid means.
type XidFact struct {
	Code    Xid
	Name    string  // NVIDIA's mnemonic
	Meaning string  // one sentence
	Remedy  string  // NVIDIA's immediate resolution: RESET_GPU, RESTART_APP, IGNORE …
	Fatal   bool    // the GPU or the application does not go on
	Cause   CauseID // the cause it points to when it stands alone, or ""
	Source  string

	Disputed []Claim // what others want done instead
}

// A Claim is someone's word on what an Xid asks for, where it is not NVIDIA's.
type Claim struct{ Who, Remedy, Source string }

// A CauseID names a cause in diagnosis reports, such as gpu-fell-off-bus.
type CauseID string

// A Cause is a fault that can explain what is seen.
type Cause struct {
	ID      CauseID
	Scope   string   // the kind of subject it is true of: gpu, node, workload, …
	Meaning string   // one sentence
	Remedy  []string // what a person should do, in order
	Action  string   // the kind of action that may be proposed: cordon-node, or ""
	Source  string
}

//go:embed xids.csv
var xids []byte

//go:embed xid_disagreements.csv
var disagreements []byte

//go:embed causes.csv
var causes []byte

// Xids returns the Xid table, by code.
var Xids = sync.OnceValue(func() map[Xid]XidFact {
	t, err := ParseXids("xids.csv", bytes.NewReader(xids))
	if err == nil {
		err = dispute(t, "xid_disagreements.csv", bytes.NewReader(disagreements))
	}
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return t
})

// Causes returns the cause table, by ID.
var Causes = sync.OnceValue(func() map[CauseID]Cause {
	t, err := ParseCauses("causes.csv", bytes.NewReader(causes))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return t
})

// ParseXids reads a table in the form of xids.csv. An error names file and line.
func ParseXids(file string, r io.Reader) (map[Xid]XidFact, error) {
	t := map[Xid]XidFact{}
	err := strictcsv.Each(file, r, "code,name,meaning,remedy,fatal,cause,source", func(f []string) error {
		code, err := strconv.Atoi(f[0])
		if err != nil || code <= 0 {
			return fmt.Errorf("code %q is not a positive number", f[0])
		}
		if _, twice := t[Xid(code)]; twice {
			return fmt.Errorf("Xid %d is listed twice", code)
		}
		fatal, err := strconv.ParseBool(f[4])
		if err != nil {
			return fmt.Errorf("fatal is %q, want true or false", f[4])
		}
		if f[2] == "" || f[6] == "" {
			return fmt.Errorf("Xid %d: meaning and source are required", code)
		}
		t[Xid(code)] = XidFact{Code: Xid(code), Name: f[1], Meaning: f[2], Remedy: f[3], Fatal: fatal, Cause: CauseID(f[5]), Source: f[6]}
		return nil
	})
	return t, err
}

// dispute adds to a table what others say, from a file in the form of
// xid_disagreements.csv.
func dispute(t map[Xid]XidFact, file string, r io.Reader) error {
	return strictcsv.Each(file, r, "xid,who,remedy,source", func(f []string) error {
		code, err := strconv.Atoi(f[0])
		x, known := t[Xid(code)]
		switch {
		case err != nil || !known:
			return fmt.Errorf("Xid %q is not in the table", f[0])
		case f[1] == "" || f[2] == "" || f[3] == "":
			return fmt.Errorf("Xid %d: who, remedy and source are required", code)
		case f[2] == x.Remedy:
			return fmt.Errorf("Xid %d: %s says %s, as NVIDIA does", code, f[1], f[2])
		}
		x.Disputed = append(x.Disputed, Claim{f[1], f[2], f[3]})
		t[x.Code] = x
		return nil
	})
}

// ParseCauses reads a table in the form of causes.csv. An error names file and line.
func ParseCauses(file string, r io.Reader) (map[CauseID]Cause, error) {
	t := map[CauseID]Cause{}
	err := strictcsv.Each(file, r, "id,scope,meaning,remedy,action,source", func(f []string) error {
		id := CauseID(f[0])
		if _, twice := t[id]; twice || id == "" {
			return fmt.Errorf("cause %q is listed twice or has no id", f[0])
		}
		if f[2] == "" || f[3] == "" || f[5] == "" {
			return fmt.Errorf("cause %s: meaning, remedy and source are required", id)
		}
		t[id] = Cause{ID: id, Scope: f[1], Meaning: f[2], Remedy: strictcsv.List(f[3]), Action: f[4], Source: f[5]}
		return nil
	})
	return t, err
}
