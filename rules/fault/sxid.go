package fault

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"vedette.dev/rules/strictcsv"
)

// An SXid is NVIDIA's number for an error that an NVSwitch reports.
type SXid int

// An SXidClass says how far an SXid reaches.
type SXidClass string

// The classes of SXids.
const (
	NonFatal    SXidClass = "non-fatal"
	Fatal       SXidClass = "fatal"        // ends what crosses the port; the GPU has an Xid 74
	AlwaysFatal SXidClass = "always-fatal" // ends the whole fabric
	Notable     SXidClass = "notable"
)

// An SXidFact is what one SXid means.
type SXidFact struct {
	Code   SXid
	Name   string
	Class  SXidClass
	Source string
}

//go:embed sxids.csv
var sxids []byte

// SXids returns the SXid table, by code.
var SXids = sync.OnceValue(func() map[SXid]SXidFact {
	t, err := ParseSXids("sxids.csv", bytes.NewReader(sxids))
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return t
})

// ParseSXids reads a table in the form of sxids.csv. An error names file and line.
func ParseSXids(file string, r io.Reader) (map[SXid]SXidFact, error) {
	t := map[SXid]SXidFact{}
	err := strictcsv.Each(file, r, "code,name,class,source", func(f []string) error {
		code, err := strconv.Atoi(f[0])
		if err != nil || code <= 0 {
			return fmt.Errorf("code %q is not a positive number", f[0])
		}
		if _, twice := t[SXid(code)]; twice {
			return fmt.Errorf("SXid %d is listed twice", code)
		}
		x := SXidFact{Code: SXid(code), Name: f[1], Class: SXidClass(f[2]), Source: f[3]}
		if !slices.Contains([]SXidClass{NonFatal, Fatal, AlwaysFatal, Notable}, x.Class) {
			return fmt.Errorf("SXid %d: class %q is none of non-fatal, fatal, always-fatal, notable", code, x.Class)
		}
		if x.Name == "" || x.Source == "" {
			return fmt.Errorf("SXid %d: name and source are required", code)
		}
		t[x.Code] = x
		return nil
	})
	return t, err
}
