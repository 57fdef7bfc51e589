package detect

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"vedette.dev/analyzer"
)

// Peers judges the members of one group against each other: the GPUs of one
// pod should do about the same. It speaks on the regime channel only, of a
// member that stays away from the others; one step away is [Level]'s business.
// It is an [analyzer.GroupDetector] and is not safe for concurrent use; the
// zero Peers is ready.
type Peers struct {
	// Floor is the distance from the median, in the unit of the values, below
	// which nobody is a straggler. A tenth of it is taken for noise.
	Floor float64

	sorted []float64 // scratch
	middle float64
}

var _ analyzer.GroupDetector[PeerState] = (*Peers)(nil)

const (
	// Of two members nobody can say which one is off.
	fewest = 3

	// Peers whose values agree to this share are alike: without it a group of
	// identical values makes a rounding error a straggler.
	alike = 0.02

	// A member must be away for this many steps on the same side before it is
	// spoken of: one slow step of a job is not a straggler.
	persistence = 5

	// A member counts as away from three spreads on, as is usual for outliers
	// by median and MAD.
	away = 3

	// The memory of how far a member wobbles around the median.
	wobbleWeight = 0.02

	// So many rows say as much of the spread as one row of other members
	// would: rows of a few seconds apart repeat each other.
	rowsPerRow = 20
	maxFreedom = 30 // beyond, a Student t is a Gaussian, which no load is

	// The memory of a member's distance, and of what distance it usually keeps:
	// a GPU in the warm corner of its chassis is always a little apart.
	peerWeight  = 0.25
	usualWeight = 0.002
)

// PeerState is what [Peers] remembers of one member.
type PeerState struct {
	distance float32 // from the others of late, in spreads, signed
	usual    float32 // the same of long
	wobble   float32 // mean distance of long, in the unit of the values, unsigned
	seen     uint32
	away     int32 // steps that it has been away; the sign is the side
}

// ObserveRow implements [analyzer.GroupDetector]. A member that is NaN keeps
// its state and scores 0, as does every member of a row with fewer than three values.
func (p *Peers) ObserveRow(states []PeerState, ms int64, row []float64, scores []analyzer.Score) {
	clear(scores)
	p.sorted = p.sorted[:0]
	for _, v := range row {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			p.sorted = append(p.sorted, v)
		}
	}
	n := len(p.sorted)
	p.middle = math.NaN()
	if n < fewest {
		return
	}
	middle, spread := p.centre(states, row)
	for i, v := range row {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			scores[i].Regime = states[i].observe(v-middle, spread, n)
		}
	}
}

// Median returns the median of the row last observed, NaN where it had too few values.
func (p *Peers) Median() float64 { return p.middle }

// centre returns the median of the values in p.sorted and the spread around
// it: the largest of what this row shows, what the members in the middle have
// shown so far, and what is nothing.
func (p *Peers) centre(states []PeerState, row []float64) (middle, spread float64) {
	const mad = 1.4826     // a median distance, as a Gaussian's standard deviation
	const average = 1.2533 // a mean distance, likewise
	middle = median(p.sorted)
	p.middle = middle
	spread = max(alike*math.Abs(middle), p.Floor/10, math.SmallestNonzeroFloat32)

	for i, v := range p.sorted {
		p.sorted[i] = math.Abs(v - middle)
	}
	spread = max(spread, mad*median(p.sorted))

	p.sorted = p.sorted[:0]
	for i, v := range row {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			p.sorted = append(p.sorted, float64(states[i].wobble))
		}
	}
	return middle, max(spread, average*median(p.sorted))
}

// observe takes the distance from the median of n members.
func (s *PeerState) observe(distance, spread float64, n int) float64 {
	s.seen++
	s.wobble += float32(max(wobbleWeight, 1/float64(s.seen)) * (math.Abs(distance) - float64(s.wobble)))
	z := min(max(distance/spread, -1000), 1000)
	s.distance += float32(max(peerWeight, 1/float64(s.seen)) * (z - float64(s.distance)))

	// What is usual is learnt slowly and never past what counts as away: a
	// straggler since birth is a straggler.
	s.usual += float32(usualWeight * (min(max(z, -away), away) - float64(s.usual)))
	off := float64(s.distance - s.usual)

	// Counted on the row itself, not on the memory, in which one bad step lasts
	// for several; a step among the others halves the count.
	switch here := z - float64(s.usual); {
	case math.Abs(here) < away:
		s.away /= 2
	case here*float64(s.away) >= 0:
		s.away += int32(math.Copysign(1, here))
	default:
		s.away = int32(math.Copysign(1, here))
	}
	if max(s.away, -s.away) < persistence || off*float64(s.away) < 0 {
		return 0
	}
	freedom := min(float64(n-1)*(1+float64(s.seen)/rowsPerRow), maxFreedom)
	return min(1, max(0, -math.Log10(studentTail(math.Abs(off), freedom))/12))
}

// studentTail returns how likely a Student t with df degrees of freedom is
// beyond ±t. Few members are a poor measure of their own spread, and this is
// by how much.
func studentTail(t, df float64) float64 {
	return mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}

// median sorts vs and returns the middle.
func median(vs []float64) float64 {
	slices.Sort(vs)
	n := len(vs)
	return (vs[(n-1)/2] + vs[n/2]) / 2
}
