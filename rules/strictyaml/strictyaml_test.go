package strictyaml

import "testing"

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"good", "name: a\n", ""},
		{"unknown key", "name: a\nnmae: b\n", `f.yaml:2: unknown key "nmae"`},
		{"two mistakes", "x: 1\ny: 2\n", "f.yaml:1: unknown key \"x\"\nf.yaml:2: unknown key \"y\""},
		{"wrong value", "count: many\n", "f.yaml:1: cannot unmarshal !!str `many` into int"},
		{"not YAML", "a: [\n", "f.yaml:1: did not find expected node content"},
		{"empty", "", "f.yaml: is empty"},
		{"two documents", "name: a\n---\nname: b\n", "f.yaml: holds more than one document"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v struct {
				Name  string
				Count int
			}
			got := ""
			if err := Decode("f.yaml", []byte(tt.in), &v); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
