package prose

import "testing"

func TestStyle(t *testing.T) {
	for text, want := range map[string]style{
		"gpu temp above 85 for 5m":                               asked,
		"Alert me when a node is down. It must not take long.":   asked,
		"GPU util > 90% on dgx-01":                               asked,
		"Nodes with less than 10% memory":                        either,
		"Disk Almost Full":                                       written,
		"Oven too hot: The oven of any kitchen is too hot.":      written,
		"the oven reports errors, for at least 5 minutes.":       written,
		"show max power per node; then say something":            asked,
		"GPU at 0.5 of its power":                                asked,
		"":                                                       asked,
		"Tensor pipes of the training pods do nothing for 30m":   either,
		"The pantry is empty for 10m. Somebody should go out.":   written,
		"memory temp over 95. page me":                           asked,
		"etcd cluster: 99th percentile of fsync is over 500 ms.": written,
	} {
		if got := styleOf(text); got != want {
			t.Errorf("%q is of style %d, want %d", text, got, want)
		}
	}
}
