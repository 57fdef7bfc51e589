package talk

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestHide reads what must not leave from testdata: each pattern hides
// something there.
func TestHide(t *testing.T) {
	lines, err := os.ReadFile("testdata/redact.txt")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for line := range strings.Lines(string(lines)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		text := strings.NewReplacer("[", "", "]", "").Replace(line)
		v := &Veil{Also: []string{Mail, Address}}
		got := v.Hide(text)
		want, rest := "", line
		var hidden []string
		for {
			before, after, ok := strings.Cut(rest, "[")
			want += before
			if !ok {
				break
			}
			thing, after, _ := strings.Cut(after, "]")
			hidden, want, rest = append(hidden, thing), want+"#", after
		}
		for i, thing := range v.hidden {
			got = strings.ReplaceAll(got, placeholder(i), "#")
			if !strings.Contains(strings.Join(hidden, "\n"), thing) {
				t.Errorf("%s: %q is hidden", line, thing)
			}
		}
		if got != want {
			t.Errorf("%s leaves as\n%s, want\n%s", text, got, want)
		}
		for _, p := range patterns() {
			used[p.String()] = used[p.String()] || p.MatchString(text)
		}
		if back := v.Back(v.Hide(text), nil); back != text {
			t.Errorf("%s comes back as %s", text, back)
		}
	}
	for _, p := range patterns() {
		if !used[p.String()] {
			t.Errorf("no line of testdata is hidden by %s", p)
		}
	}
	plain := &Veil{}
	if text := "mail ada@example.org of 10.2.3.4"; plain.Hide(text) != text {
		t.Errorf("what nobody asked to be hidden leaves as %s", plain.Hide(text))
	}
}

func TestPatterns(t *testing.T) {
	for _, bad := range []string{"what,pattern\n", "what,pattern,source\nsecret,((,x\n", "what,pattern,source\nnames,a,x\n"} {
		if _, err := readPatterns("redact.csv", bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
