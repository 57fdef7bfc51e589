package talk

import (
	"io/fs"
	"strings"
	"sync"
	"text/template"
)

// Prompts returns what fills in the templates of fs, by the base of their names:
// the texts of a program's own, which are read at their first use. In them json
// quotes a value as [JSON] does. It panics on a template that cannot be read, or
// that does not suit the value: a test must render each.
func Prompts(fs fs.FS, pattern string) func(name string, v any) string {
	read := sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(template.FuncMap{"json": JSON}).ParseFS(fs, pattern))
	})
	return func(name string, v any) string {
		var b strings.Builder
		if err := read().ExecuteTemplate(&b, name, v); err != nil {
			panic(err)
		}
		return b.String()
	}
}
