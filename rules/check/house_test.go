package check_test

import (
	"os"
	"strings"
	"testing"

	"vedette.dev/rules/check"
)

// What docs/rules.md shows reads.
func TestHouseOfTheManual(t *testing.T) {
	const file = "../../docs/rules.md"
	manual, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(string(manual), "```yaml\napiVersion: vedette.dev/v1\nkind: RuleDemands\n")
	if !ok {
		t.Fatalf("%s shows no house", file)
	}
	shown, _, _ = strings.Cut("apiVersion: vedette.dev/v1\nkind: RuleDemands\n"+shown, "```")
	h, err := check.ReadHouse(file, []byte(shown))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Demands) != 3 || h.External["cluster"] == "" {
		t.Errorf("read %d demands and external labels %v", len(h.Demands), h.External)
	}
}
