package kubelet

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/strictcsv"
)

const (
	configPath = "/configz"
	// configEvery is how often a configuration that was read is read again: a
	// kubelet has another only after it was started anew.
	configEvery = 5 * time.Minute
)

// A config is what is known of the kubelet's configuration.
type config struct {
	text string    // of the newest event
	at   time.Time // when it was last read
}

//go:embed configz.csv
var configCSV []byte

// configKeys returns the keys of a kubelet's configuration that are told, each
// as its path.
var configKeys = sync.OnceValue(func() [][]string {
	var keys [][]string
	err := strictcsv.Each("configz.csv", bytes.NewReader(configCSV), "key,why,source", func(f []string) error {
		if f[0] == "" || f[1] == "" || f[2] == "" {
			return errors.New("key, why and source are required")
		}
		keys = append(keys, strings.Split(f[0], "."))
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return keys
})

// configuration tells how the kubelet is configured, at first and whenever it
// has changed, as the object that Kubernetes has no API for: a
// KubeletConfiguration, named after its node, with the keys of configz.csv.
func (a *API) configuration(ctx context.Context) (collector.Batch, error) {
	now := a.Now()
	if !a.config.at.IsZero() && now.Sub(a.config.at) < configEvery {
		return collector.Batch{}, nil
	}
	var answer struct {
		Config map[string]any `json:"kubeletconfig"`
	}
	err := a.read(ctx, configPath, func(r io.Reader) error {
		d := json.NewDecoder(r)
		d.UseNumber() // as it was written
		if err := d.Decode(&answer); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		if answer.Config == nil {
			return errors.New("decode: there is no kubeletconfig in it")
		}
		return nil
	})
	if err != nil {
		a.config.at = time.Time{} // ask at the next look
		return collector.Batch{}, err
	}
	text, err := json.Marshal(a.object(answer.Config)) // keys come sorted
	if err != nil {
		return collector.Batch{}, err
	}
	verb := "MODIFIED"
	if a.config.text == "" {
		verb = "ADDED"
	}
	was := a.config.text
	a.config = config{string(text), now}
	if was == a.config.text {
		return collector.Batch{}, nil
	}
	return collector.Batch{Events: []collector.Event{{Kind: collector.KubeObject, At: now, Text: string(text), Attrs: []collector.Attr{
		{Key: collector.AttrVerb, Value: verb}, {Key: collector.AttrResource, Value: "kubeletconfigurations.kubelet.config.k8s.io"},
		{Key: collector.AttrObject, Value: a.Node}, {Key: collector.AttrNode, Value: a.Node}}}}}, nil
}

// object is a configuration with what is told of it.
func (a *API) object(from map[string]any) map[string]any {
	o := map[string]any{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "metadata": map[string]any{"name": a.Node}}
	for _, path := range configKeys() {
		if v, ok := at(from, path); ok {
			put(o, path, v)
		}
	}
	return o
}

func at(m map[string]any, path []string) (any, bool) {
	v, ok := m[path[0]]
	if !ok || len(path) == 1 {
		return v, ok
	}
	under, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	return at(under, path[1:])
}

func put(m map[string]any, path []string, v any) {
	if len(path) == 1 {
		m[path[0]] = v
		return
	}
	under, ok := m[path[0]].(map[string]any)
	if !ok {
		under = map[string]any{}
		m[path[0]] = under
	}
	put(under, path[1:], v)
}
