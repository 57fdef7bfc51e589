package cost

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"sync"

	"vedette.dev/rules/strictcsv"
)

//go:embed mig.csv
var migCSV []byte

// A slicing is a row of mig.csv.
type slicing struct {
	model    *regexp.Regexp
	slices   float64
	profiles []profile
}

// A profile is a kind of MIG instance.
type profile struct {
	name   string
	slices float64
	mib    float64
}

var slicings = sync.OnceValue(func() (all []slicing) {
	must(0, strictcsv.Each("mig.csv", bytes.NewReader(migCSV), "model,slices,profiles,source", func(f []string) (err error) {
		s := slicing{}
		if s.model, err = regexp.Compile(f[0]); err != nil {
			return err
		}
		if err := numbers(f[1:2], &s.slices); err != nil || f[3] == "" {
			return fmt.Errorf("slices %q, source %q", f[1], f[3])
		}
		for _, name := range strictcsv.List(f[2]) {
			p, err := parseProfile(name)
			if err != nil {
				return err
			}
			s.profiles = append(s.profiles, p)
		}
		all = append(all, s)
		return nil
	}))
	return all
})

var profileName = regexp.MustCompile(`^(?:\d+c\.)?(\d)g\.(\d+)gb`)

// parseProfile reads 3g.40gb. The name rounds the memory up, by a twentieth at
// most: 1g.5gb has 4.75 GiB.
func parseProfile(name string) (profile, error) {
	m := profileName.FindStringSubmatch(name)
	if m == nil {
		return profile{}, fmt.Errorf("%q is no MIG profile", name)
	}
	g, _ := strconv.Atoi(m[1])
	gb, _ := strconv.Atoi(m[2])
	return profile{name, float64(g), float64(gb) * 1024 * 0.95}, nil
}

// shareOf returns the share of a GPU that a MIG profile takes, 0 where it names
// none or the GPU is none that is known to be cut up.
func shareOf(name, model string) float64 {
	p, err := parseProfile(name)
	if err != nil {
		return 0
	}
	for _, s := range slicings() {
		if s.model.MatchString(model) {
			return p.slices / s.slices
		}
	}
	return p.slices / 7 // every GPU but the A30 has seven
}

// smallest returns the smallest profile of a GPU called model that holds so
// much memory, with a fifth to spare, and so much activity at four fifths of it.
func smallest(model string, mib, activity float64) (profile, float64, bool) {
	for _, s := range slicings() {
		if !s.model.MatchString(model) {
			continue
		}
		for _, p := range s.profiles {
			if p.mib >= 1.2*mib && p.slices >= math.Ceil(s.slices*activity/0.8) {
				return p, p.slices / s.slices, true
			}
		}
	}
	return profile{}, 0, false
}
