package snapshot

import (
	"bytes"
	"regexp"
	"strconv"

	"sigs.k8s.io/yaml"
)

// yamlItems returns the objects of a List as kubectl and oc print one, or the
// one that data is. Each object is cut out and read by itself: one that does
// not parse costs only itself.
func (b *bundle) yamlItems(name string, data []byte, after int) ([]item, bool) {
	var items []item
	for _, c := range cutYAML(data) {
		raw, err := yaml.YAMLToJSON(c.text)
		if err == nil {
			var n named
			if n, err = decode[named](raw); err == nil {
				items = append(items, item{raw: raw, at: c.at, named: n})
				continue
			}
		}
		line, says := yamlError(err)
		b.blind("%s:%d: %s", name, after+bytes.Count(data[:c.at], []byte("\n"))+line, says)
	}
	return items, true
}

// A cut is one object of a text.
type cut struct {
	text []byte
	at   int // where it begins
}

// cutYAML cuts a List into its items, which lines that begin with "- " start:
// what is in an item is further in, whatever it says. Anything else is one piece.
func cutYAML(data []byte) []cut {
	var all []cut
	at, listed, open := 0, false, -1
	for line := range bytes.Lines(data) {
		begins := bytes.HasPrefix(line, []byte("- "))
		inside := line[0] == ' ' || line[0] == '\n' || line[0] == '\r'
		if open >= 0 && !inside {
			all = append(all, cut{data[open:at], open})
			open = -1
		}
		if listed && begins {
			open = at
		} else if !inside {
			listed = bytes.HasPrefix(line, []byte("items:"))
			if listed && bytes.Contains(line, []byte("[]")) {
				return []cut{}
			}
		}
		at += len(line)
	}
	if open >= 0 {
		all = append(all, cut{data[open:], open})
	}
	if all == nil {
		return []cut{{data, 0}}
	}
	for i, c := range all {
		text := bytes.Clone(c.text)
		text[0] = ' ' // an item becomes the object it is
		all[i].text = text
	}
	return all
}

var atLine = regexp.MustCompile(`(?s)^.*yaml: (?:line (\d+): )?(.*)$`)

// yamlError tells the line that a YAML error is about from what it says.
func yamlError(err error) (line int, says string) {
	m := atLine.FindStringSubmatch(err.Error())
	if m == nil {
		return 1, err.Error()
	}
	if line, err = strconv.Atoi(m[1]); err != nil {
		line = 1
	}
	return line, m[2]
}
