// Package strictyaml reads YAML that people write: configurations, scenarios.
// An unknown key or a wrong value is an error that names the file and the line.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Decode reads the one document in data into v. An empty document is an error.
func Decode(file string, data []byte, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	switch err := dec.Decode(v); {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: is empty", file)
	case err != nil:
		return locate(file, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: holds more than one document", file)
	}
	return nil
}

// DecodeFile reads the document in the file called path into v.
func DecodeFile(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return Decode(path, data, v)
}

var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (\S+) not found in type .*$`)
	atLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
)

// locate turns the library's "line 3: field x not found in type y" into
// "file:3: unknown key x", for every mistake that it found.
func locate(file string, err error) error {
	lines := []string{err.Error()}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		lines = te.Errors
	}
	var errs []error
	for _, line := range lines {
		if m := unknownKey.FindStringSubmatch(line); m != nil {
			errs = append(errs, fmt.Errorf("%s:%s: unknown key %q", file, m[1], m[2]))
		} else if m := atLine.FindStringSubmatch(line); m != nil {
			errs = append(errs, fmt.Errorf("%s:%s: %s", file, m[1], m[2]))
		} else {
			errs = append(errs, fmt.Errorf("%s: %s", file, strings.TrimPrefix(line, "yaml: ")))
		}
	}
	return errors.Join(errs...)
}

// A Duration is written in Prometheus' notation: 1m30s, 2h, 7d.
type Duration time.Duration

// UnmarshalYAML reads d and names the line where it cannot.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := model.ParseDuration(n.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes what [Duration.UnmarshalYAML] reads.
func (d Duration) MarshalYAML() (any, error) { return model.Duration(d).String(), nil }

func (d Duration) String() string { return model.Duration(d).String() }
