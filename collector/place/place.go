// Package place knows where a node is: in which cloud, region and zone, and what
// type of machine it is, as OpenTelemetry's resource attributes. Who the node is
// (its name), and what is read of it, is left to others.
//
// What a reader would get wrong: it asks nobody. What it knows it has from what
// the agent was told, from the machine's own tables and from a file of labels;
// only where the address of Amazon's instance metadata is configured is that
// asked, once.
package place

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vedette.dev/collector"
	"vedette.dev/rules/strictcsv"
)

// Keys of the attributes.
const (
	provider = "cloud.provider"
	platform = "cloud.platform"
	region   = "cloud.region"
	zone     = "cloud.availability_zone"
	account  = "cloud.account.id"
	hostType = "host.type"
	hostID   = "host.id"
	cluster  = "k8s.cluster.name"
)

// A Config says where to look. What stands further down wins: what was said
// over what was found.
type Config struct {
	Sys        string            // where the node's /sys is: its DMI table tells the cloud
	IMDS       string            // the address of Amazon's instance metadata: http://169.254.169.254; "" asks nobody
	Labels     string            // a file of labels, as the downward API writes one; "" is none
	Env        string            // in the form of OTEL_RESOURCE_ATTRIBUTES
	Cluster    string            // the cluster's name
	Attributes map[string]string // said outright
}

// Find returns what is known of the place, by key, together with why some of
// it is not.
func (c Config) Find(ctx context.Context) ([]collector.Attr, error) {
	found := map[string]string{}
	var errs []error
	for _, look := range []func(context.Context) (map[string]string, error){c.dmi, c.imds, c.labels, c.env} {
		m, err := look(ctx)
		if err != nil {
			errs = append(errs, err)
		}
		maps.Copy(found, m)
	}
	if c.Cluster != "" {
		found[cluster] = c.Cluster
	}
	maps.Copy(found, c.Attributes)
	var as []collector.Attr
	for _, k := range slices.Sorted(maps.Keys(found)) {
		if found[k] != "" {
			as = append(as, collector.Attr{Key: k, Value: found[k]})
		}
	}
	return as, errors.Join(errs...)
}

// A cloud is one row of clouds.csv.
type cloud struct {
	file, begins, provider, platform string
	product                          bool
}

//go:embed clouds.csv
var cloudsCSV []byte

var clouds = sync.OnceValue(func() []cloud {
	var cs []cloud
	err := strictcsv.Each("clouds.csv", bytes.NewReader(cloudsCSV), "file,begins,provider,platform,product,source", func(f []string) error {
		product, err := strconv.ParseBool(f[4])
		if err != nil || slices.Contains(f, "") {
			return fmt.Errorf("%s: something is missing, or product is neither true nor false", f[2])
		}
		cs = append(cs, cloud{f[0], f[1], f[2], f[3], product})
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return cs
})

// dmi reads what the firmware says. A machine that has no such table has no place to tell.
func (c Config) dmi(context.Context) (map[string]string, error) {
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(cmp.Or(c.Sys, "/sys"), "class", "dmi", "id", name))
		return strings.TrimSpace(string(text))
	}
	for _, cl := range clouds() {
		if !strings.HasPrefix(read(cl.file), cl.begins) {
			continue
		}
		m := map[string]string{provider: cl.provider, platform: cl.platform}
		if cl.product {
			m[hostType] = read("product_name")
		}
		return m, nil
	}
	return nil, nil
}

// env reads OTEL_RESOURCE_ATTRIBUTES: key=value pairs, the values percent-encoded.
// See https://opentelemetry.io/docs/specs/otel/resource/sdk/.
func (c Config) env(context.Context) (map[string]string, error) {
	m := map[string]string{}
	for pair := range strings.SplitSeq(c.Env, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		k, v, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(v))
		if !ok || err != nil || strings.TrimSpace(k) == "" {
			return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %q is not key=value", pair)
		}
		m[strings.TrimSpace(k)] = value
	}
	return m, nil
}

//go:embed labels.csv
var labelsCSV []byte

type label struct{ name, attribute, value string }

var known = sync.OnceValue(func() []label {
	var ls []label
	err := strictcsv.Each("labels.csv", bytes.NewReader(labelsCSV), "label,attribute,value,source", func(f []string) error {
		if f[0] == "" || f[1] == "" || f[3] == "" {
			return errors.New("label, attribute and source are required")
		}
		ls = append(ls, label{f[0], f[1], f[2]})
		return nil
	})
	if err != nil {
		panic(err) // embedded data: a test reads it too
	}
	return ls
})

// labels reads the file of labels: a line for each, key="value" with the value
// as Go quotes it.
func (c Config) labels(context.Context) (map[string]string, error) {
	if c.Labels == "" {
		return nil, nil
	}
	f, err := os.Open(c.Labels)
	if err != nil {
		return nil, fmt.Errorf("node labels: %w", err)
	}
	defer f.Close()
	has := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		k, quoted, _ := strings.Cut(lines.Text(), "=")
		v, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("node labels: %s: %q is not key=\"value\"", c.Labels, lines.Text())
		}
		has[k] = v
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("node labels: %w", err)
	}
	m := map[string]string{}
	for _, l := range known() {
		if v, ok := has[l.name]; ok {
			m[l.attribute] = cmp.Or(l.value, v)
		}
	}
	return m, nil
}

const (
	// imdsPatience is how long the metadata is waited for: it answers within
	// milliseconds, or, from a container a hop too far, never.
	imdsPatience = 2 * time.Second
	// tokenSeconds is how long the token is to hold: it is used once.
	tokenSeconds = "60"
	// maxIdentity bounds what is read: the document has less than a kilobyte.
	maxIdentity = 64 << 10
)

// imds asks Amazon's instance metadata, version 2, who the machine is.
func (c Config) imds(ctx context.Context) (map[string]string, error) {
	if c.IMDS == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, imdsPatience)
	defer cancel()
	token, err := c.ask(ctx, http.MethodPut, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", tokenSeconds)
	if err != nil {
		return nil, fmt.Errorf("instance metadata: %w", err)
	}
	text, err := c.ask(ctx, http.MethodGet, "/latest/dynamic/instance-identity/document", "X-aws-ec2-metadata-token", string(token))
	if err != nil {
		return nil, fmt.Errorf("instance metadata: %w", err)
	}
	var id struct{ Region, AvailabilityZone, InstanceType, InstanceID, AccountID string }
	if err := json.Unmarshal(text, &id); err != nil {
		return nil, fmt.Errorf("instance metadata: the identity document: %w", err)
	}
	return map[string]string{provider: "aws", platform: "aws_ec2", region: id.Region, zone: id.AvailabilityZone, hostType: id.InstanceType,
		hostID: id.InstanceID, account: id.AccountID}, nil
}

func (c Config) ask(ctx context.Context, method, path, header, value string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.IMDS, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(header, value)
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(req) // link-local: never through a proxy
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxIdentity))
}
