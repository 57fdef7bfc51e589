package detect

import (
	"math"
)

// A joint judges the metrics of one subject together: each by what the others
// speak for. A GPU in full use at the power of an idle one hangs, though it is
// fully used every day and idle every night.
//
// Each metric is regressed on all others, by one covariance of means of a minute
// that forgets over a day by the clock, so that a fault of hours stays a fault.
// What a metric is off from that is judged by its own tail, and only where it stays
// off; a plain change that all metrics follow leaves nothing. Metrics are by
// their number in the model; one that is not heard of is left out of the sums. It is part of a
// state: no pointers.
type joint struct {
	aspects [mostJoint]aspect
	mean    [mostJoint]float64
	square  [mostJoint][mostJoint]float64 // around the means; [i][j] where j <= i
	places  [mostPlaces]place
	minute  int64 // of the present row, since 1970
	newest  int64 // Unix milliseconds of the newest sample,
	first   int64 // of the first,
	resumed int64 // of the first after a silence,
	told    int64 // and of the last row that is closed
	rows    uint32
	step    float32 // seconds from row to row
}

// An aspect is what is known of one metric of a joint.
type aspect struct {
	value     float64 // the newest: where several series of one scrape have the metric, the largest
	heard     int64   // when
	sum       float64 // of the present row
	n         uint32
	rows      uint32                   // in which it was seen
	step      float32                  // seconds between samples
	off       [persistence - 1]float32 // how far it was off on the side that hurts, in rows before
	now, late float64                  // of the last row, and of some five minutes
	rare      chance
}

// A place is where the metrics of a joint have been at one time, in smallest effects: a checkpoint,
// a validation, a night. What is there is off no line that bends there.
type place struct {
	at   [mostJoint]float32
	time float32 // spent there, in seconds, forgotten over days; 0: there is none
}

// A verdict is what one row says of one metric.
type verdict struct {
	judged bool
	spoken float64 // what the others speak for: of all that it may be, what is nearest
	left   float64 // how far the value is from that, by sign
	rare   float64 // powers of ten
}

const (
	// How many metrics are judged together at most. What a row costs grows with the cube.
	mostJoint = 8

	// A row is a minute: exporters that are read at other moments have a value in it.
	jointRow = 60_000

	// A metric that is this old, or as many times its step, is not in a row.
	jointStale, jointMissed = 150, 2.5

	// What is off by less than this share of the smallest effect is noise: it is
	// added to the spread, or metrics that hardly move would be infinitely surprising.
	jointFloor = 0.1

	// Places are so far from each other, in smallest effects, as one is wide. Half
	// an hour in one makes it known, which a fault that is found does not get.
	// A checkpoint each half hour is known after a third of a day, and forgotten after three.
	mostPlaces, placeKnown, placeMemory = 16, 1800, 3 * day

	// How far a metric is off is told by its tail in halves of the smallest effect, and not in logarithms
	// of those like the distances of a single series: what is physical has ends, and a power law of what a day shows
	// has a GPU be off by a thousand effects once in a while. With quarters, what wanders rings five times
	// as often; with logarithms one hung kernel in ten is found.
	jointUnits = 2

	// Farther off than this many units is as far as it goes: e to this power is what a float32 holds.
	jointFar = 80

	// Of what a metric does the others explain at least this share, or they have no say: a level that
	// moves without them is not theirs to tell. What counts only while another is above something is
	// explained by that. Without this, two metrics of a recorded GPU that have little to do with
	// each other ring seventy times as often as is asked.
	jointShare = 0.5

	// What is farther from its mean than so many spreads is beyond what is known, and a row that is so
	// all in all teaches no more than one at that edge.
	jointReach = 3
)

// take takes a sample of metric i, closing the row before where there is one. It reports whether it did.
func (s *joint) take(i int, ms int64, v float64) (closed bool) {
	a := &s.aspects[i]
	if math.IsNaN(v) || math.IsInf(v, 0) || ms < a.heard || ms/jointRow < s.minute {
		return false
	}
	if s.first == 0 {
		s.first = ms
	}
	if minute := ms / jointRow; minute > s.minute {
		closed = s.minute > 0
		if closed {
			s.close()
		}
		s.minute = minute
	}
	s.newest = max(s.newest, ms)
	if ms == a.heard { // another series of the metric
		if v > a.value {
			a.sum += v - a.value
			a.value = v
		}
		return closed
	}
	if a.heard > 0 {
		if gap := float32(ms-a.heard) / 1000; a.step == 0 || gap < 3*a.step {
			a.step += max(0.05, 1/float32(a.rows+1)) * (gap - a.step)
		}
	}
	a.value, a.heard = v, ms
	a.sum += v
	a.n++
	return closed
}

// close makes the present row the last one.
func (s *joint) close() {
	at := s.minute * jointRow
	if s.told > 0 {
		if gap := float32(at-s.told) / 1000; s.step == 0 || gap < 3*s.step {
			s.step += 0.05 * (gap - s.step)
		}
	} else {
		s.step = jointRow / 1000
	}
	if s.told == 0 || at-s.told > explainLags*1000 {
		s.resumed = at
	}
	s.told = at
	for i := range s.aspects {
		a := &s.aspects[i]
		if a.n == 0 {
			continue
		}
		mean := a.sum / float64(a.n)
		if a.rows == 0 {
			a.late = mean
		}
		a.late += (1 - math.Exp(-float64(max(a.step*float32(a.n), 1))/explainLags)) * (mean - a.late)
		a.now, a.sum, a.n = mean, 0, 0
		a.rows += min(1, math.MaxUint32-a.rows)
	}
}

// fresh reports whether metric i has a value in the last row.
func (a *aspect) fresh(at int64) bool {
	return a.rows > 0 && float32(at+jointRow-a.heard)/1000 <= max(jointStale, jointMissed*a.step)
}

// counts reports whether metric i has a value in the last row that counts.
func (s *joint) counts(m *model, i int) bool {
	if !s.aspects[i].fresh(s.told) {
		return false
	}
	if m.while[i] < 0 {
		return true
	}
	other := &s.aspects[m.while[i]]
	return other.fresh(s.told) && other.now > m.metrics[i].Above
}

// knows reports whether enough has been seen for the others to speak.
func (s *joint) knows() bool { return s.rows > warmup && float32(s.rows)*s.step >= explainAfter }

// judge says how far each metric of the last row is off what the others speak for, and takes
// the row as usual; visits says that where it is is no trouble. out has a verdict for each metric of m.
func (s *joint) judge(m *model, out []verdict, visits bool) {
	var is [mostJoint]int
	n := 0
	for i := range m.metrics {
		out[i] = verdict{}
		if a := &s.aspects[i]; s.counts(m, i) {
			is[n], n = i, n+1
		} else {
			a.off = [persistence - 1]float32{}
		}
	}
	if n < 2 {
		return
	}
	trust := 1.0
	if s.knows() && s.told-s.resumed >= explainLags*1000 { // what was before a silence is not over at once: heat
		old := is // a copy, of which speak keeps those that are known
		trust = s.speak(m, old[:n], out)
	}
	s.learn(is[:n], trust)
	if visits {
		s.visit(m, is[:n])
	}
}

// speak judges the metrics numbered is by one another, and returns how much of the row
// is to be learnt: a row that is far from all that was teaches no more than one at the edge
// of it, or minutes of a trouble would be what is usual.
func (s *joint) speak(m *model, is []int, out []verdict) (trust float64) {
	var known []int
	for _, i := range is {
		if float32(s.aspects[i].rows)*s.step >= explainAfter {
			known = append(is[:len(known)], i)
		}
	}
	n := len(known)
	if n < 2 {
		return 1
	}
	var p matrix
	for a, i := range known {
		for b, j := range known[:a+1] {
			p[a][b] = s.square[i][j]
		}
		least := jointFloor * m.metrics[i].MinEffect
		p[a][a] += max(least*least, math.SmallestNonzeroFloat32)
	}
	if !p.invert(n) {
		return 1
	}

	// While the others move, all that they lately were may speak; and where they are beyond what
	// is known, as far as they are, and as far as that is known.
	var rows [4][mostJoint]float64
	for a, i := range known {
		x, reach := &s.aspects[i], jointReach*math.Sqrt(s.square[i][i])
		now, late := x.now-s.mean[i], x.late-s.mean[i]
		rows[0][a], rows[1][a] = now, late
		rows[2][a], rows[3][a] = min(max(now, -reach), reach), min(max(late, -reach), reach)
	}
	away := s.away(m, known)
	var all float64 // the square of the distance from the mean, in spreads, of all together
	for a := range n {
		all += rows[0][a] * p.dot(a, n, &rows[0])
	}
	for a, i := range known {
		x, w := &s.aspects[i], &m.metrics[i]
		low, high := math.Inf(1), math.Inf(-1)
		for r := range rows {
			spoken := rows[r][a] - p.dot(a, n, &rows[r])/p[a][a]
			low, high = min(low, spoken), max(high, spoken)
		}
		nearest := min(max(rows[0][a], low), high)
		v := verdict{judged: true, spoken: s.mean[i] + nearest, left: rows[0][a] - nearest}
		far := jointUnits * min(w.Direction.off(v.left, 0)/w.MinEffect, away)
		v.rare = x.stays(float32(min(far, jointFar)), n)
		if w.Direction.off(v.left, 0) < w.MinEffect || w.While == "" && 1 > (1-jointShare)*p[a][a]*s.square[i][i] {
			v.rare = 0
		}
		out[i] = v
	}
	return min(1, jointReach*jointReach*float64(n)/max(all, 1))
}

// away returns how far the last row is from the nearest place that is known, in smallest
// effects of the metric that is farthest; infinity where none is.
func (s *joint) away(m *model, is []int) float64 {
	nearest := math.Inf(1)
	for k := range s.places {
		if p := &s.places[k]; p.time >= placeKnown {
			nearest = min(nearest, s.from(p, m, is))
		}
	}
	return nearest
}

func (s *joint) from(p *place, m *model, is []int) (far float64) {
	for _, i := range is {
		far = max(far, math.Abs(s.aspects[i].now/m.metrics[i].MinEffect-float64(p.at[i])))
	}
	return far
}

// visit counts the last row to the place where it is, or to a new one.
func (s *joint) visit(m *model, is []int) {
	keep, nearest, least := float32(1-float64(s.step)/placeMemory), 0, 0
	far := math.Inf(1)
	for k := range s.places {
		p := &s.places[k]
		if p.time *= keep; p.time < s.places[least].time {
			least = k
		}
		if d := s.from(p, m, is); p.time > 0 && d < far {
			nearest, far = k, d
		}
	}
	p := &s.places[nearest]
	if far > 1 {
		p = &s.places[least]
		*p = place{}
	}
	p.time += s.step
	for _, i := range is {
		// A place follows what is there, by no more than a hundredth at a time.
		p.at[i] += max(0.01, s.step/p.time) * (float32(s.aspects[i].now/m.metrics[i].MinEffect) - p.at[i])
	}
}

// stays takes how far the metric is off in this row, and returns how rare it is that
// one of n stays off as far, in as many rows as a straggler among peers: the least of them counts.
func (a *aspect) stays(off float32, n int) float64 {
	least := off
	for _, before := range a.off {
		least = min(least, before)
	}
	copy(a.off[1:], a.off[:])
	a.off[0] = off
	rare := a.rare.rare(float32(math.Exp(float64(least))))
	if rare == 0 {
		return 0
	}
	return min(max(0, rare-math.Log10(float64(n))), trusted*math.Log10(float64(a.rows)))
}

// learn takes the last row of the metrics numbered is as usual.
func (s *joint) learn(is []int, trust float64) {
	s.rows += min(1, math.MaxUint32-s.rows)
	least := min(1, float64(s.step)/explainMemory)
	var moved [mostJoint]float64
	for _, i := range is {
		moved[i] = s.aspects[i].now - s.mean[i]
		s.mean[i] += trust * max(least, 1/float64(s.aspects[i].rows)) * moved[i]
	}
	for k, i := range is {
		for _, j := range is[:k+1] {
			w := trust * max(least, 1/float64(min(s.aspects[i].rows, s.aspects[j].rows)))
			s.square[i][j] += w * ((1-w)*moved[i]*moved[j] - s.square[i][j])
		}
	}
}

// goes returns what metric j usually is when metric i is as it is now.
func (s *joint) goes(i, j int) float64 {
	cross := s.square[max(i, j)][min(i, j)]
	if s.square[i][i] == 0 {
		return s.mean[j]
	}
	return s.mean[j] + cross/s.square[i][i]*(s.aspects[i].now-s.mean[i])
}

// A matrix is symmetric; its lower half counts until it is inverted.
type matrix [mostJoint][mostJoint]float64

// dot returns row a of the first n, times v.
func (p *matrix) dot(a, n int, v *[mostJoint]float64) (sum float64) {
	for b := range n {
		sum += p[a][b] * v[b]
	}
	return sum
}

// invert puts the inverse of the first n rows in their place. It reports false where there
// is none, or none that is a number.
func (p *matrix) invert(n int) bool {
	var l matrix // lower triangular; p is l times l transposed
	for i := range n {
		for j := range i + 1 {
			sum := p[i][j]
			for k := range j {
				sum -= l[i][k] * l[j][k]
			}
			switch {
			case i != j:
				l[i][j] = sum / l[j][j]
			case sum > 1e-12*p[i][i]:
				l[i][i] = math.Sqrt(sum)
			default: // rounding, or no number
				return false
			}
		}
	}
	for i := range n { // l becomes its own inverse
		for j := range i {
			var sum float64
			for k := j; k < i; k++ {
				sum -= l[i][k] * l[k][j]
			}
			l[i][j] = sum / l[i][i]
		}
		l[i][i] = 1 / l[i][i]
	}
	for i := range n {
		for j := range n {
			p[i][j] = 0
			for k := max(i, j); k < n; k++ {
				p[i][j] += l[k][i] * l[k][j]
			}
		}
	}
	return true
}
