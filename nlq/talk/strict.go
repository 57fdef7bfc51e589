package talk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Decode reads a form and takes nothing that is not one: a key that the form
// does not have, or has with other capitals, or that comes twice; a value that
// is none of its choices; a second document; a field of another kind.
func Decode[T any](text string) (T, error) {
	var f T
	text = within(text)
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := exact(d, reflect.TypeFor[T](), "the form", nil); err != nil {
		return f, err
	}
	if _, err := d.Token(); err != io.EOF {
		return f, errors.New("there is more after the form")
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, fmt.Errorf("read the form: %w", err)
	}
	return f, nil
}

// Idle reports a field of v that is filled in, and that what v is, the value
// of its field key, has no use for.
func Idle(v any, key, is string, uses map[string][]string) error {
	used, ok := uses[is]
	if !ok {
		return fmt.Errorf("%q is missing", key)
	}
	of := reflect.ValueOf(v)
	for f, value := range of.Fields() {
		name := f.Tag.Get("json")
		if name != key && !slices.Contains(used, name) && !blank(value) {
			return fmt.Errorf("%s %s has no use for %s", key, is, name)
		}
	}
	return nil
}

// within returns the form in text, without what models put around it that are
// not held to JSON: what they thought first, words, a fence. Two forms stay two.
func within(text string) string {
	if i := strings.LastIndex(text, "</think>"); i >= 0 {
		text = text[i:]
	}
	first, last := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if first < 0 || last < first {
		return text
	}
	return text[first : last+1]
}

// exact reads one value of d, which has to be as t says; at is where it is.
// A null is what was left out.
func exact(d *json.Decoder, t reflect.Type, at string, choices []string) error {
	token, err := d.Token()
	if err != nil {
		return fmt.Errorf("%s is no whole JSON: %w", at, err)
	}
	if token == nil {
		return nil
	}
	switch got := token.(type) {
	case json.Delim:
		switch {
		case got == '{' && t.Kind() == reflect.Struct:
			return exactKeys(d, t, at)
		case got == '[' && t.Kind() == reflect.Slice:
			return exactItems(d, t, at)
		}
	case string:
		if len(choices) > 0 && !slices.Contains(choices, got) {
			return fmt.Errorf("%s is %q, want one of %q", at, Short(got), choices)
		}
		if t.Kind() == reflect.String {
			return nil
		}
	case json.Number:
		if t.Kind() == reflect.Int || t.Kind() == reflect.Float64 {
			return nil
		}
	case bool:
		if t.Kind() == reflect.Bool {
			return nil
		}
	}
	return fmt.Errorf("%s is not of type %s", at, schemaOf(t).Type)
}

func exactKeys(d *json.Decoder, t reflect.Type, at string) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("%s is no whole JSON: %w", at, err)
		}
		key, _ := token.(string)
		i := slices.IndexFunc(slices.Collect(t.Fields()), func(f reflect.StructField) bool { return f.Tag.Get("json") == key })
		switch {
		case i < 0:
			return fmt.Errorf("%s has no key %q", at, Short(key))
		case seen[key]:
			return fmt.Errorf("%s has the key %q twice", at, key)
		}
		seen[key] = true
		f := t.Field(i)
		if err := exact(d, f.Type, key, choices(f)); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return wholly(err, at)
}

func exactItems(d *json.Decoder, t reflect.Type, at string) error {
	for d.More() {
		if err := exact(d, t.Elem(), "an item of "+at, nil); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return wholly(err, at)
}

func wholly(err error, at string) error {
	if err != nil {
		return fmt.Errorf("%s is no whole JSON: %w", at, err)
	}
	return nil
}

// blank reports whether nothing was filled in.
func blank(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Struct:
		for _, value := range v.Fields() {
			if !blank(value) {
				return false
			}
		}
		return true
	}
	return v.IsZero()
}

// Short bounds what is quoted of a model's words.
func Short(s string) string {
	const most = 200 // a line and a half
	s = strings.ToValidUTF8(s, "")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
