package patterns

import (
	_ "embed"
	"strings"
	"sync"
)

// ordinaryLines are lines as logs are full of when all is well, made up in the
// forms of many programs: what stands in them tells little.
//
//go:embed ordinary.txt
var ordinaryLines string

// ordinary counts the fours in ordinary lines.
var ordinary = sync.OnceValue(func() map[uint32]int {
	times := map[uint32]int{}
	for line := range strings.Lines(ordinaryLines) {
		for i := 0; i+leastWord <= len(line); i++ {
			times[four(line, i)|lower]++
		}
	}
	return times
})

// rarest returns where in w the part of this length begins whose fours stand in
// ordinary lines the fewest times, and how many that are.
func rarest(w string, length int) (from, times int) {
	for i := 0; i+length <= len(w); i++ {
		n := 0
		for at := i; at+leastWord <= i+length; at++ {
			n += ordinary()[four(w, at)|lower]
		}
		if i == 0 || n < times {
			from, times = i, n
		}
	}
	return from, times
}
