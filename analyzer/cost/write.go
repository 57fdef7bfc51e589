package cost

import (
	"bytes"
	"embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed *.tmpl
var templates embed.FS

// formatted are what the templates may call.
var formatted = map[string]any{
	"rest": func(r Row) string { return Dollars(r.CPU + r.Memory) },
	"usd":  Dollars, "long": hoursLong,
	"signed": func(before, now float64) string {
		if now > before {
			return "+" + Dollars(now-before)
		}
		return Dollars(now - before)
	}, "num": func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
	"percent": func(part, whole float64) string {
		if whole == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f %%", 100*part/whole)
	},
	"day":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	"class":   func(r Row, c Class) Measure { return r.Classes[c] },
	"classes": func() []Class { return Classes[:] },
	"cell":    func(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s) },
	"tables": func(r Report) []table {
		return []table{{"Namespaces", r.Namespace}, {"Teams", r.Team}, {"Workloads", r.Workload}, {"Pools", r.Pool}}
	},
}

// A table is rows under what they are rows of.
type table struct {
	Of   string
	Rows []Row
}

var (
	markdown = template.Must(template.New("report.md.tmpl").Funcs(formatted).ParseFS(templates, "report.md.tmpl"))
	page     = htmltemplate.Must(htmltemplate.New("report.html.tmpl").Funcs(formatted).ParseFS(templates, "report.html.tmpl"))
)

// JSON writes a report with all that it holds.
func JSON(r Report) ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// Markdown writes a report for people, with the queries at its end.
func Markdown(r Report) ([]byte, error) {
	var b bytes.Buffer
	err := markdown.Execute(&b, r)
	return b.Bytes(), err
}

// HTML writes a report as a page that needs nothing besides itself.
func HTML(r Report) ([]byte, error) {
	var b bytes.Buffer
	err := page.Execute(&b, r)
	return b.Bytes(), err
}

// CSV writes the rows of a report, each with its query.
func CSV(r Report) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	header := []string{"from", "to", "of", "name", "gpu_hours", "usd", "unpriced_gpu_hours"}
	for _, c := range Classes {
		header = append(header, strings.ReplaceAll(string(c), "-", "_")+"_gpu_hours")
	}
	w.Write(append(header, "cpu_usd", "memory_usd", "query"))
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }
	money := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	for _, t := range []table{{"total", []Row{r.Total}}, {"class", r.Classes}, {"namespace", r.Namespace}, {"team", r.Team}, {"workload", r.Workload}, {"pool", r.Pool}} {
		for _, row := range t.Rows {
			rec := []string{r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), t.Of, plain(row.Name), number(row.GPUHours), money(row.USD), number(row.Unpriced)}
			for _, c := range Classes {
				rec = append(rec, number(row.Classes[c].GPUHours))
			}
			w.Write(append(rec, money(row.CPU), money(row.Memory), row.Query))
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// plain keeps a name from being run as a formula by a program for tables
// (https://owasp.org/www-community/attacks/CSV_Injection).
func plain(name string) string {
	if name != "" && strings.ContainsRune("=+-@\t\r", rune(name[0])) {
		return "'" + name
	}
	return name
}
