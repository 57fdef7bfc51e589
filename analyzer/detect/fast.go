package detect

import "math"

// What a sample costs is mostly logarithms, roots and divisions. These are as
// exact as a score is read, at a third of the cost.

// log2 is the binary logarithm of z, which is positive, to 2e-5. It is exact at
// powers of two, and so without steps.
func log2(z float32) float32 {
	bits := math.Float32bits(z)
	power := float32(int32(bits>>23) - 127)
	u := math.Float32frombits(bits&(1<<23-1)|127<<23) - 1 // z is 2^power * (1+u)
	// Least squares of what is left of log2(1+u) when u and u(1-u) are divided out.
	return power + u*(1+(1-u)*(0.4418359+u*(-0.2665363+u*(0.1470188-u*0.0442437))))
}

// cbrt is the cube root of v, which is positive, to the last bits of a float32.
func cbrt(v float32) float32 {
	// A third of the exponent is a root to 4 %, and each of Halley's steps
	// takes the cube of that.
	y := math.Float32frombits(math.Float32bits(v)/3 + 0x2a51_37a0)
	for range 2 {
		c := y * y * y
		y *= (c + 2*v) / (2*c + v)
	}
	return y
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }
