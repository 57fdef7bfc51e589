package talk

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/tmc/langchaingo/llms/openai"
)

// A Form is what a model has to fill in: a type whose fields have a key each
// (`json:"key"`) and may have choices (`one:"this that"`). What is asked for and
// what [Decode] takes are made of the same tags.
type Form struct {
	name string
	of   reflect.Type
}

// FormOf returns the form that T is. The name is for the provider.
func FormOf[T any](name string) Form { return Form{name, reflect.TypeFor[T]()} }

// Schema returns the JSON Schema of the form, to be shown to the model.
func (f Form) Schema() string {
	s, err := JSON(schemaOf(f.of))
	if err != nil {
		panic(err) // texts and maps of them
	}
	// The library says of texts and numbers too that they have no other keys: a
	// quarter of the schema, which says nothing to the model that Decode does not hold it to.
	return strings.ReplaceAll(s, `,"additionalProperties":false`, "")
}

// JSON quotes what somebody else wrote, so that it ends where it ends.
func JSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // < and > are what questions are made of
	err := e.Encode(v)
	return strings.TrimSpace(b.String()), err
}

// A schema is the JSON Schema of a form, in the dialect of strict structured
// output: every key is required, and no other is allowed.
type schema = openai.ResponseFormatJSONSchemaProperty

// schemaOf reads the tags of t.
func schemaOf(t reflect.Type) *schema {
	switch t.Kind() {
	case reflect.Struct:
		s := &schema{Type: "object", Properties: map[string]*schema{}}
		for f := range t.Fields() {
			key := f.Tag.Get("json")
			p := schemaOf(f.Type)
			for _, v := range choices(f) {
				p.Enum = append(p.Enum, v)
			}
			s.Properties[key] = p
			s.Required = append(s.Required, key)
		}
		return s
	case reflect.Slice:
		return &schema{Type: "array", Items: schemaOf(t.Elem())}
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int:
		return &schema{Type: "integer"}
	case reflect.Float64:
		return &schema{Type: "number"}
	}
	panic("unreachable: forms are made of these")
}

// choices are the values that a field can have; none is any. A first choice of
// "-" stands for the empty one, which no tag can hold.
func choices(f reflect.StructField) []string {
	vs := strings.Fields(f.Tag.Get("one"))
	if len(vs) > 0 && vs[0] == "-" {
		return slices.Concat([]string{""}, vs[1:])
	}
	return vs
}
