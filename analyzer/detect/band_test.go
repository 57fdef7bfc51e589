package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Nineteen of twenty samples are in the band that was there before them, of a
// load that follows the day too, and wherever zero and one are.
func TestBandHoldsWhatIsUsual(t *testing.T) {
	for name, draw := range map[string]func(r *rand.Rand) float64{"light": (*rand.Rand).NormFloat64, "heavy": func(r *rand.Rand) float64 {
		return r.NormFloat64() / math.Sqrt((r.ExpFloat64()+r.ExpFloat64())/2)
	}} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var s LevelState
			in, all := 0, 0
			for k := range int64(10 * day / 60) {
				ms := k * 60_000
				v := 1e6 + 300*(10*math.Sin(float64(k)/1440*2*math.Pi)+draw(r))
				if low, high, ok := s.band(ms); ok && k > 3*day/60 {
					if all++; low <= v && v <= high {
						in++
					}
				}
				Level{}.Observe(&s, ms, v)
			}
			if share := float64(in) / float64(all); share < 0.92 || share > 0.98 {
				t.Errorf("%.3f of the samples are in the band, want 0.95", share)
			}
		})
	}
}

// Only what is unusual has a band, and what was chosen.
func TestBandsAreOfFewSeries(t *testing.T) {
	c := newCluster()
	by := 0.0
	c.change = hotter(&by)
	c.run(8 * time.Hour)
	now := func() time.Time { return time.UnixMilli(c.now) }
	if bs := c.bank.Bands(now(), nil); len(bs) > 0 {
		t.Errorf("where nothing is unusual there are %d bands", len(bs))
	}
	if bs := c.bank.Bands(now(), []string{"DCGM_FI_DEV_GPU_TEMP"}); len(bs) != 8 {
		t.Errorf("of a chosen metric of eight GPUs there are %d bands", len(bs))
	}
	by = 20
	c.run(3 * time.Minute)
	bs := c.bank.Bands(now(), nil)
	if len(bs) != 1 || bs[0].Labels["UUID"] != "GPU-12" || bs[0].Low > 64 || bs[0].Low < 58 || bs[0].High < 66 || bs[0].High > 75 {
		t.Errorf("bands are %+v, want that of the hot GPU, around 65", bs)
	}
	c.now += time.Hour.Milliseconds()
	if bs := c.bank.Bands(now(), []string{"DCGM_FI_DEV_GPU_TEMP"}); len(bs) > 0 {
		t.Errorf("of series that are silent there are %d bands", len(bs))
	}
}
