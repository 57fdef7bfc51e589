package talk

import (
	"bytes"
	"testing"
)

func TestTroubles(t *testing.T) {
	if ts := troubles(); len(ts[tooLong]) == 0 || len(ts[noFormat]) == 0 {
		t.Errorf("they are %v", ts)
	}
	for _, other := range []string{"API returned unexpected status code: 429: rate limit reached", "connection refused", "the answer is longer than 256 KiB"} {
		if isTrouble(tooLong, other) || isTrouble(noFormat, other) {
			t.Errorf("%q is taken for what it is not", other)
		}
	}
	for _, bad := range []string{"what,pattern\n", "what,pattern,example,source\nlong,((,a,x\n", "what,pattern,example,source\nwide,a,a,x\n", "what,pattern,example,source\nlong,a,b,x\n"} {
		if _, err := readTroubles("trouble.csv", bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
