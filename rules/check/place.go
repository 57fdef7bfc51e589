package check

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// A place is where in a rule file an expression stands.
type place struct {
	line, column int  // of its first character, from 1
	literal      bool // each line of it is one of the file
}

// places returns where the expressions of a rule file stand, in their order.
func places(data []byte) []place {
	var doc struct {
		Groups []struct {
			Rules []struct {
				Expr yaml.Node `yaml:"expr"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil // whoever reads the file has said why
	}
	var out []place
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			p := place{line: r.Expr.Line, column: r.Expr.Column}
			switch r.Expr.Style {
			case yaml.LiteralStyle:
				p.literal = true
				p.line, p.column = p.line+1, indent(data, p.line)
			case yaml.FoldedStyle:
				p.line, p.column = p.line+1, 1
			case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
				p.column++
			}
			out = append(out, p)
		}
	}
	return out
}

// indent returns the column at which the line after the n-th begins.
func indent(data []byte, n int) int {
	lines := strings.SplitN(string(data), "\n", n+2)
	if n >= len(lines) {
		return 1
	}
	return 1 + len(lines[n]) - len(strings.TrimLeft(lines[n], " "))
}

// At returns the line and column in the file at which the byte offset of the
// rule's expression stands, as well as YAML lets it be told.
func (r RuleReport) At(offset int) (line, column int) {
	p := r.place
	if p.line == 0 {
		return 1, 1
	}
	before := r.Expr[:min(offset, len(r.Expr))]
	n := strings.Count(before, "\n")
	switch {
	case n == 0:
		return p.line, p.column + len([]rune(before))
	case p.literal:
		return p.line + n, p.column + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
	}
	return p.line, p.column
}
