package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"vedette.dev/rules"
)

// Loaded asks Prometheus' HTTP API below url (Mimir, Thanos and vmalert have it
// too) whether it evaluates g as it is; a group without rules must not be there.
func Loaded(ctx context.Context, client *http.Client, url string, g rules.Group) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/api/v1/rules?type=alert", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	var got struct {
		Data struct {
			Groups []struct {
				Name  string
				Rules []struct{ Name, Query string }
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return fmt.Errorf("%s: %w", req.URL, err)
	}
	for _, have := range got.Data.Groups {
		if have.Name != string(g.ID) {
			continue
		}
		if len(g.Rules) == 0 {
			return fmt.Errorf("group %s is still evaluated", g.ID)
		}
		if len(have.Rules) != len(g.Rules) {
			return fmt.Errorf("group %s is evaluated with %d rules, want %d", g.ID, len(have.Rules), len(g.Rules))
		}
		for i, r := range g.Rules {
			if have.Rules[i].Name != r.Name || plain(have.Rules[i].Query) != plain(r.Expr) {
				return fmt.Errorf("group %s is evaluated with rule %s: %s, want %s: %s", g.ID, have.Rules[i].Name, have.Rules[i].Query, r.Name, r.Expr)
			}
		}
		return nil
	}
	if len(g.Rules) == 0 {
		return nil
	}
	return fmt.Errorf("group %s is not evaluated", g.ID)
}

// plain writes an expression as Prometheus does when it tells of it.
func plain(expr string) string {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return expr
	}
	return e.String()
}
