package detect

import "math"

// A curve is a function of what is positive, looked up: 0 below the unit, which
// is one of its points, and from there on the chords between 32 points of each
// doubling, which are near enough for a score to be the same to four digits.
//
// A series that is noise exceeds one unit or another in every other sample, at
// random, and a branch that was not foreseen costs more than all there is to
// compute; this has none.
type curve [1 << (8 + pointBits)]chord

// A chord is a line.
type chord struct{ at, by float32 }

const (
	pointBits = 5
	shift     = 23 - pointBits // the bits of a float32 that are less than from point to point
)

func curveOf(unit float32, f func(float32) float32) (c curve) {
	for i := math.Float32bits(unit) >> shift; ; i++ {
		x, y := math.Float32frombits(i<<shift), math.Float32frombits((i+1)<<shift)
		if y > math.MaxFloat32 {
			return c
		}
		by := (f(y) - f(x)) / (y - x)
		c[i] = chord{at: f(x) - by*x, by: by}
	}
}

// of returns the curve at z, which is not negative.
func (c *curve) of(z float32) float32 {
	line := &c[math.Float32bits(z)>>shift%uint32(len(c))]
	return line.at + line.by*z
}
