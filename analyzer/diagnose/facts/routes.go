package facts

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"vedette.dev/analyzer"
)

// A route is one of Spring Cloud Gateway's: https://docs.spring.io/spring-cloud-gateway/reference/
type route struct {
	ID  string `yaml:"id"`
	URI string `yaml:"uri"`
}

// placeholder is a variable with its default: ${HOST:name}.
var placeholder = regexp.MustCompile(`\$\{[^:}]*:([^}]*)\}`)

// readRoutes looks for routes of a gateway's configuration that go to another
// Service than the one they are called after. It believes in names only where
// the same file's other routes mostly go where their names say.
func (w *World) readRoutes() {
	for _, c := range w.s.ConfigMaps() {
		for _, file := range slices.Sorted(maps.Keys(c.Object.Data)) {
			text := c.Object.Data[file]
			if !strings.Contains(text, "routes:") || !strings.Contains(text, "uri:") {
				continue
			}
			var root yaml.Node
			if yaml.Unmarshal([]byte(text), &root) != nil {
				continue
			}
			astray, right := w.astray(c.Object.Namespace, routesOf(&root))
			if len(astray) > right {
				continue // names mean nothing here
			}
			for _, a := range astray {
				w.add(Fact{Fact: analyzer.Fact{Subject: analyzer.Subject{Kind: "service", Namespace: c.Object.Namespace, Name: a.meant}, Name: "route-astray", Standing: true, Source: c.Source,
					Text: fmt.Sprintf("the route %s in %s goes to %s", a.ID, file, a.goes)}, Kind: ObjectKind, Weight: 2, Detail: map[string]string{"route": a.ID, "goes": a.goes}})
			}
		}
	}
}

// routesOf finds the list under the key routes, wherever it is.
func routesOf(n *yaml.Node) []route {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == "routes" {
			var rs []route
			if n.Content[i+1].Decode(&rs) == nil {
				return rs
			}
		}
		if rs := routesOf(c); rs != nil {
			return rs
		}
	}
	return nil
}

// A stray is a route that goes elsewhere than its name says.
type stray struct {
	route
	meant, goes string
}

// astray sorts routes into those that go elsewhere and the number of the others.
func (w *World) astray(namespace string, rs []route) (all []stray, right int) {
	for _, r := range rs {
		goes := r.URI[strings.LastIndex(r.URI, "//")+len("//"):]
		if m := placeholder.FindStringSubmatch(r.URI); m != nil {
			goes = m[1]
		}
		goes, _, _ = strings.Cut(goes, ":")
		switch meant := w.serviceOf(namespace, r.ID); meant {
		case "":
		case goes:
			right++
		default:
			all = append(all, stray{r, meant, goes})
		}
	}
	return all, right
}

// serviceOf returns the Service with the shortest name that holds id as whole words.
func (w *World) serviceOf(namespace, id string) string {
	best := ""
	for _, s := range w.services[namespace] {
		n := s.Object.Name
		if id != "" && strings.Contains("-"+n+"-", "-"+id+"-") && (best == "" || cmp.Or(cmp.Compare(len(n), len(best)), cmp.Compare(n, best)) < 0) {
			best = n
		}
	}
	return best
}
