package cost

import (
	"strconv"
	"strings"
)

// Dollars writes dollars to the cent, with commas between thousands.
func Dollars(usd float64) string {
	s := strconv.FormatFloat(usd, 'f', 2, 64)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, part, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + "." + part
}
