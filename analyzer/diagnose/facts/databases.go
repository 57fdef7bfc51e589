package facts

import (
	"slices"
	"strings"

	"vedette.dev/analyzer"
)

// engines are what the images of databases are called.
var engines = []string{"mysql", "mariadb", "percona", "postgres"}

// database returns the database that the workload of client most likely uses:
// that of its namespace, of several the one that is not called after another
// workload. Where that leaves none or more than one, it is the client itself
// that we can name.
func (w *World) database(client analyzer.Subject) analyzer.Subject {
	top := w.Workload(client)
	if db, ok := w.databases[top]; ok {
		return db
	}
	var dbs, others []analyzer.Subject
	for _, p := range w.namespaces[top.Namespace] {
		own := w.Workload(p.subject)
		switch {
		case p.gone, slices.Contains(dbs, own), slices.Contains(others, own):
		case isDatabase(p):
			dbs = append(dbs, own)
		default:
			others = append(others, own)
		}
	}
	if len(dbs) > 1 {
		dbs = slices.DeleteFunc(dbs, func(db analyzer.Subject) bool {
			return slices.ContainsFunc(others, func(o analyzer.Subject) bool { return o != top && strings.HasPrefix(db.Name, o.Name) })
		})
	}
	if len(dbs) != 1 {
		dbs = []analyzer.Subject{top}
	}
	w.databases[top] = dbs[0]
	return dbs[0]
}

func isDatabase(p *pod) bool {
	for _, c := range p.Spec.Containers {
		image := c.Image[strings.LastIndex(c.Image, "/")+1:]
		if slices.ContainsFunc(engines, func(e string) bool { return strings.HasPrefix(image, e) || strings.HasPrefix(c.Name, e) }) {
			return true
		}
	}
	return false
}
