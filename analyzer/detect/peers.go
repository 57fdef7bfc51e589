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
	// Floor is the distance from the median, in the unit of the values, that is
	// nothing among peers.
	Floor float64

	sorted []float64
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

	// The memory of a member's distance, and of what distance it usually keeps:
	// a GPU in the warm corner of its chassis is always a little apart.
	peerWeight  = 0.25
	usualWeight = 0.002
)

// PeerState is what [Peers] remembers of one member.
type PeerState struct {
	distance float32 // from the others of late, in spreads, signed
	usual    float32 // the same of long
	seen     uint32
	away     int32 // steps in a row that it has been away; the sign is the side
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
	if n < fewest {
		return
	}
	middle, spread := p.centre()
	for i, v := range row {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			scores[i].Regime = states[i].observe((v-middle)/spread, n)
		}
	}
}

// centre returns the median of p.sorted and the spread around it.
func (p *Peers) centre() (middle, spread float64) {
	slices.Sort(p.sorted)
	middle = median(p.sorted)
	for i, v := range p.sorted {
		p.sorted[i] = math.Abs(v - middle)
	}
	slices.Sort(p.sorted)
	const mad = 1.4826 // of a Gaussian, to its standard deviation
	least := max(alike*math.Abs(middle), p.Floor/away, math.SmallestNonzeroFloat32)
	return middle, max(mad*median(p.sorted), least)
}

func (s *PeerState) observe(z float64, n int) float64 {
	s.seen++
	weight := max(peerWeight, 1/float64(s.seen))
	z = min(max(z, -1000), 1000)
	s.distance += float32(weight * (z - float64(s.distance)))

	// What is usual is learnt slowly and never past what counts as away: a
	// straggler since birth is a straggler.
	s.usual += float32(usualWeight * (min(max(z, -away), away) - float64(s.usual)))
	off := float64(s.distance - s.usual)

	switch side := int32(math.Copysign(1, off)); {
	case math.Abs(off) < away:
		s.away = 0
	case s.away*side > 0:
		s.away += side
	default:
		s.away = side
	}
	if max(s.away, -s.away) < persistence {
		return 0
	}
	return min(1, max(0, -math.Log10(studentTail(math.Abs(off), float64(n-1)))/12))
}

// studentTail returns how likely a Student t with df degrees of freedom is
// beyond ±t. Few members are a poor measure of their own spread, and this is
// by how much.
func studentTail(t, df float64) float64 {
	return mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
