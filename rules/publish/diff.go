package publish

import (
	"slices"
	"strings"

	"vedette.dev/rules"
)

// Same reports whether two groups do the same, whoever owns them and whichever
// revision they are of.
func Same(a, b rules.Group) bool { return len(Diff(a, b)) == 0 }

// Diff says line by line what is in one group and not in the other, each in
// the form of a rule file: "- " is gone, "+ " is new. It has the unchanged
// lines of a rule that differs too, under "  ".
func Diff(before, after rules.Group) []string {
	if before.Every != after.Every && len(before.Rules) > 0 && len(after.Rules) > 0 {
		return lines(rendered(before), rendered(after))
	}
	olds, news := byRule(before), byRule(after)
	if slices.Equal(olds, news) {
		return nil
	}
	return lines(strings.Join(olds, ""), strings.Join(news, ""))
}

func rendered(g rules.Group) string {
	data, err := marshal(prometheusGroup(g))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// byRule writes each rule of g by itself.
func byRule(g rules.Group) []string {
	var out []string
	for _, r := range prometheusGroup(g).Rules {
		if len(r.Labels) == 0 {
			r.Labels = nil
		}
		if len(r.Annotations) == 0 {
			r.Annotations = nil
		}
		data, err := marshal(r)
		if err != nil {
			data = []byte(err.Error())
		}
		out = append(out, string(data))
	}
	return out
}

// lines is the difference of two texts by their longest common subsequence:
// rule groups are short, so nothing cleverer is called for.
func lines(before, after string) []string {
	a, b := split(before), split(after)
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
