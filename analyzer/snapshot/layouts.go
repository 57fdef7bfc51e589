package snapshot

import (
	"bytes"
	_ "embed"
	"errors"
	"path"
	"strings"
	"sync"

	"vedette.dev/rules/strictcsv"
)

//go:embed layouts.csv
var layoutsCSV []byte

// A place is a row of layouts.csv.
type place struct{ form, path, resource string }

var places = sync.OnceValue(func() []place {
	var ps []place
	err := strictcsv.Each("layouts.csv", bytes.NewReader(layoutsCSV), "form,path,resource,source", func(f []string) error {
		ps = append(ps, place{f[0], f[1], f[2]})
		if f[3] == "" {
			return errors.New("there is no source")
		}
		_, err := path.Match(f[1], "")
		return err
	})
	if err != nil {
		panic(err) // embedded data: every test of a bundle reads it too
	}
	return ps
})

// resourceAt returns which resource a file of a form holds, by its name below
// the form's root.
func resourceAt(form, name string) (resource string, ok bool) {
	bare, json := strings.CutSuffix(name, ".json")
	if !json {
		var yaml bool
		if bare, yaml = strings.CutSuffix(name, ".yaml"); !yaml {
			return "", false
		}
	}
	for _, p := range places() {
		if p.form != form {
			continue
		}
		if match, _ := path.Match(p.path, bare); match {
			return p.resource, true
		}
	}
	return "", false
}
