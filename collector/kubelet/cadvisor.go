package kubelet

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/strictcsv"
)

const cadvisorPath = "/metrics/cadvisor"

// containers reads cAdvisor's page: what containers and pods use. Where the
// page breaks off, the metrics that came whole are good.
func (a *API) containers(ctx context.Context) (collector.Batch, error) {
	b := a.batch()
	err := a.read(ctx, cadvisorPath, func(r io.Reader) error {
		return eachFamily(r, b.family)
	})
	return collector.Batch{Points: b.points}, err
}

// family adds the series of a metric that are not dropped, as of now: the
// page's own times are those of cAdvisor's last look, which is up to half a
// minute back, and differ within a metric.
func (b *batch) family(f *dto.MetricFamily) {
	drops := dropsOf(f.GetName())
	for _, m := range f.GetMetric() {
		labels := make([]collector.Attr, len(m.GetLabel()))
		for i, l := range m.GetLabel() {
			labels[i] = collector.Attr{Key: l.GetName(), Value: l.GetValue()}
		}
		if dropped(drops, labels) {
			continue
		}
		id := catalog.ID(f.GetName())
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			b.add(id, true, m.GetCounter().GetValue(), labels...)
		case dto.MetricType_GAUGE:
			b.add(id, false, m.GetGauge().GetValue(), labels...)
		case dto.MetricType_UNTYPED:
			b.add(id, false, m.GetUntyped().GetValue(), labels...)
		}
	}
}

// eachFamily calls do with one metric of a page in the text format after the
// other: parsed whole, the page of a large node would take ten times its size.
// A metric ends where the comments of the next begin.
func eachFamily(r io.Reader, do func(*dto.MetricFamily)) error {
	br := bufio.NewReader(r)
	var text []byte
	samples := false
	for {
		next, err := br.Peek(1)
		if err != nil && err != io.EOF {
			return err
		}
		if err == io.EOF || samples && next[0] == '#' {
			if err := parse(text, do); err != nil {
				return err
			}
			text, samples = text[:0], false
		}
		if err == io.EOF {
			return nil
		}
		samples = samples || next[0] != '#'
		for more := true; more; { // to the end of the line
			part, err := br.ReadSlice('\n')
			text = append(text, part...)
			if more = err == bufio.ErrBufferFull; !more && err != nil && err != io.EOF {
				return err
			}
		}
	}
}

func parse(text []byte, do func(*dto.MetricFamily)) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return err
	}
	for _, f := range families { // one
		do(f)
	}
	return nil
}

//go:embed drops.csv
var dropsCSV []byte

// A drop says which series of cAdvisor's are not kept: those of a metric,
// where the values of labels, between semicolons, are such.
type drop struct {
	metric, values *regexp.Regexp
	labels         []string
}

// allDrops returns the rows of drops.csv.
var allDrops = sync.OnceValue(func() []drop {
	var all []drop
	err := strictcsv.Each("drops.csv", bytes.NewReader(dropsCSV), "metric,labels,values,why,source", func(f []string) error {
		if f[0] == "" || f[3] == "" || f[4] == "" {
			return errors.New("metric, why and source are required")
		}
		d := drop{labels: strictcsv.List(f[1])}
		for _, p := range []struct {
			to   **regexp.Regexp
			text string
		}{{&d.metric, f[0]}, {&d.values, f[2]}} {
			re, err := regexp.Compile("^(?:" + p.text + ")$")
			if err != nil {
				return fmt.Errorf("pattern: %w", err)
			}
			*p.to = re
		}
		all = append(all, d)
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return all
})

func dropsOf(metric string) []drop {
	var of []drop
	for _, d := range allDrops() {
		if d.metric.MatchString(metric) {
			of = append(of, d)
		}
	}
	return of
}

func dropped(drops []drop, labels []collector.Attr) bool {
	for _, d := range drops {
		values := make([]string, len(d.labels))
		for i, name := range d.labels {
			values[i] = valueOf(labels, name)
		}
		if d.values.MatchString(strings.Join(values, ";")) {
			return true
		}
	}
	return false
}

func valueOf(attrs []collector.Attr, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}
