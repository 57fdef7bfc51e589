package cost

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

func offer(way Way, years int, zone string, usd float64) Offer {
	return Offer{Region: "us-east-1", Instance: "p5.48xlarge", Way: way, Years: years, Zone: zone, Rate: Rate{USD: usd, AsOf: epoch}}
}

// A machine costs what the way in which it is bought costs, as far as it is known.
func TestWaysToBuy(t *testing.T) {
	offers := Listed().Offered([]Offer{offer(Spot, 0, "us-east-1a", 16), offer(Spot, 0, "us-east-1b", 24), offer(ComputePlan, 1, "", 40), offer(InstancePlan, 3, "", 32)})
	owning := func(b *Book, o Own) *Book {
		b, err := b.Owning(o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	node := func(spot bool, zone string) Node {
		return Node{Instance: "p5.48xlarge", Region: "us-east-1", Zone: zone, Spot: spot}
	}
	for _, tt := range []struct {
		name string
		book *Book
		node Node
		want float64 // USD for the machine; 0 where no price is known
		why  string
	}{
		{"on demand", offers, node(false, ""), 55.04, "p5.48xlarge on demand"},
		{"spot in a zone", offers, node(true, "us-east-1b"), 24, "p5.48xlarge as spot, in us-east-1b"},
		{"spot in a zone without a price", offers, node(true, "us-east-1f"), 20, "p5.48xlarge as spot, the mean of us-east-1"},
		{"spot that nobody asked for", Listed(), node(true, ""), 0, "p5.48xlarge is bought at a spot price, which is not in the book"},
		{"spot of one's own", owning(offers, Own{Spot: map[string]float64{"p5.48xlarge": 18}}), node(true, "us-east-1b"), 18, "p5.48xlarge at a spot price of one's own"},
		{"under a plan", owning(offers, Own{Commitment: Commitment{InstancePlan, 3}}), node(false, ""), 32, "p5.48xlarge under: EC2 Instance Savings Plan of 3 years"},
		{"under a plan that is not known", owning(offers, Own{Commitment: Commitment{ComputePlan, 3}}), node(false, ""), 55.04,
			"p5.48xlarge on demand (no rate of it is known under: Compute Savings Plan of 3 years)"},
		{"offers that are gone", offers.Offered([]Offer{offer(Spot, 0, "us-east-1a", 17)}), node(true, "us-east-1b"), 17, "p5.48xlarge as spot, the mean of us-east-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.book.GPUHour(tt.node, "NVIDIA H100 80GB HBM3")
			if got := 8 * (p.USD + p.Rest()); math.Abs(got-tt.want) > 1e-9 || p.Known != (tt.want > 0) || p.Why != tt.why {
				t.Errorf("%v, known %t, since %q; want %v since %q", got, p.Known, p.Why, tt.want, tt.why)
			}
		})
	}
	if _, err := Listed().Owning(Own{Commitment: Commitment{Spot, 1}}); err == nil {
		t.Error("spot was taken for a commitment")
	}
}

// A report says what its hours would come to, bought another way.
func TestAlternatives(t *testing.T) {
	a, err := txtar.ParseFile("testdata/classes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	book := Listed().Offered([]Offer{offer(ComputePlan, 1, "", 41.28), offer(Spot, 0, "us-east-1a", 20), offer(Spot, 0, "us-east-1b", 24)})
	d := &Desk{Querier: loaded(t, string(a.Files[0].Data)), Book: func() *Book { return book }}
	r, err := d.Report(t.Context(), 2*time.Hour, epoch.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	md, err := Markdown(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| p5.48xlarge | us-east-1 | spot | 22.00 | 60.0 % | 2.0 | 44.00 | 1970-01-01 |", "| p5.48xlarge | us-east-1 | Compute Savings Plan of 1 year | 41.28 | 25.0 % | 2.0 | 82.56 | 1970-01-01 |"} {
		if !strings.Contains(string(md), want) {
			t.Errorf("the report lacks %q:\n%s", want, md)
		}
	}
	if html, err := HTML(r); err != nil || !strings.Contains(string(html), "Compute Savings Plan of 1 year") {
		t.Errorf("the page lacks it: %v", err)
	}
}
