package llm

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// Whatever a model says, what is taken of it is of the catalog's names.
func FuzzForm(f *testing.F) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range cases {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			if file.Name == "reply" {
				f.Add(string(file.Data))
			}
		}
	}
	c := catalog.Builtin()
	f.Fuzz(func(t *testing.T, text string) {
		form, err := decode(text)
		if err != nil {
			return
		}
		i, err := form.intent(c)
		if err != nil || i == nil {
			return
		}
		if i, err = vet(i, text, c); err != nil {
			return
		}
		if _, err := meaningOf(i, c); err != nil {
			t.Errorf("%s passed, and comes to nothing: %v", text, err)
		}
		_ = nlq.Read(i, c)
	})
}
