package proof_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/rules"
	"vedette.dev/rules/proof"
)

var all = flag.Bool("all", false, "try every public rule, not only each twentieth: a minute")

// TestPublicRules says for how many of the public rules a test is found, and
// fails where that is fewer than when this was last looked at, or a test does
// not pass. They must not be redistributed: $VEDETTE_DATA, or shared beside the
// repository.
func TestPublicRules(t *testing.T) {
	dir := os.Getenv("VEDETTE_DATA")
	if dir == "" {
		dir = "../../../shared"
	}
	f, err := os.Open(filepath.Join(dir, "corpora", "nlq_dev.jsonl"))
	if err != nil {
		t.Skipf("left out: %v", err)
	}
	defer f.Close()
	found, of, row := 0, 0, 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if row++; !*all && row%20 != 0 {
			continue
		}
		var row struct{ ID, Kind, Expr, For string }
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Kind != "alert" {
			continue
		}
		of++
		hold, _ := model.ParseDuration(row.For) // "" is none
		g := rules.Group{ID: "x", Rules: []rules.Rule{{Name: "Row", Expr: row.Expr, For: time.Duration(hold)}}}
		doc, err := proof.Test(g, "case.yaml")
		if err != nil {
			continue
		}
		found++
		if err := promtool(t, t.TempDir(), g, doc); err != nil {
			t.Errorf("%s: %s: %v", row.ID, row.Expr, err)
		}
	}
	t.Logf("a test for %d of %d public rules", found, of)
	if found*100 < of*90 {
		t.Error("want at least nine of ten")
	}
}
