package facts

import (
	"fmt"
	"slices"
	"strings"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/snapshot"
)

// pools are the metrics by which clients tell of their pools of connections:
// what is taken, the most that may be, and who waits.
var pools = []struct{ active, most, waiting string }{
	{"hikaricp_connections_active", "hikaricp_connections_max", "hikaricp_connections_pending"},
	{"tomcat_jdbc_connections_active", "tomcat_jdbc_connections_max", ""},
	{"jdbc_connections_active", "jdbc_connections_max", ""},
	{"go_sql_stats_connections_in_use", "go_sql_stats_connections_max_open", ""},
	{"db_client_connections_usage", "db_client_connections_max", "db_client_connections_pending_requests"},
}

// readPools records clients whose own pool of connections is used up.
func (w *World) readPools() {
	for _, x := range pools {
		for _, m := range w.s.Series(x.active) {
			if state := m.Labels["state"]; state != "" && state != "used" {
				continue
			}
			most, ok := w.sameLabels(x.most, m)
			if !ok || most.Last().Value <= 0 || m.Last().Value < most.Last().Value || !w.fresh(m) {
				continue
			}
			text := fmt.Sprintf("all %.0f connections of its pool are taken", most.Last().Value)
			if wait, ok := w.sameLabels(x.waiting, m); ok {
				if wait.Last().Value <= 0 {
					continue // full and sufficient
				}
				text += fmt.Sprintf(" and %.0f callers wait", wait.Last().Value)
			} else if x.waiting != "" {
				continue
			}
			at, n := runStart(m, func(v float64) bool { return v >= most.Last().Value })
			if pod := podOf(m); n >= 2 && w.pods[pod] != nil {
				w.addOnce(Fact{Fact: analyzer.Fact{Subject: w.Workload(pod), Name: "pool-exhausted", At: at, Standing: true, Source: m.Source, Text: text}, Kind: metricKind(m.Name()), Weight: 1, Seen: []analyzer.Subject{pod}})
			}
		}
	}
}

// sameLabels returns the series of a metric with the pod and the pool of m.
func (w *World) sameLabels(name string, m snapshot.Series) (snapshot.Series, bool) {
	all := w.s.Series(name)
	i := slices.IndexFunc(all, func(o snapshot.Series) bool {
		same := func(k string) bool { return o.Labels[k] == m.Labels[k] }
		return same("namespace") && same("pod") && same("pool") && same("pool_name") && same("name")
	})
	if name == "" || i < 0 {
		return snapshot.Series{}, false
	}
	return all[i], true
}

func poolMetrics() []string {
	var all []string
	for _, x := range pools {
		all = append(all, strings.Fields(x.active+" "+x.most+" "+x.waiting)...)
	}
	return all
}
