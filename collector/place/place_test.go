package place

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// machine makes a /sys whose DMI table has the files of pairs name, text.
func machine(t *testing.T, pairs ...string) string {
	t.Helper()
	sys := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		write(t, filepath.Join(sys, "class/dmi/id", pairs[i]), pairs[i+1]+"\n")
	}
	return sys
}

func find(t *testing.T, c Config) string {
	t.Helper()
	as, err := c.Find(t.Context())
	if err != nil {
		t.Error(err)
	}
	return words(as)
}

func words(as []collector.Attr) string {
	var kvs []string
	for _, a := range as {
		kvs = append(kvs, a.Key+"="+a.Value)
	}
	return strings.Join(kvs, " ")
}

func TestFind(t *testing.T) {
	ec2 := machine(t, "sys_vendor", "Amazon EC2", "product_name", "p5.48xlarge")
	labels := filepath.Join(t.TempDir(), "labels")
	write(t, labels, "app=\"agent\"\ntopology.kubernetes.io/region=\"us-east-1\"\ntopology.kubernetes.io/zone=\"us-east-1a\"\neks.amazonaws.com/nodegroup=\"gpu\"\n")
	tests := map[string]struct {
		conf Config
		want string
	}{
		"nothing":   {Config{Sys: t.TempDir()}, ""},
		"hardware":  {Config{Sys: machine(t, "sys_vendor", "Supermicro", "product_name", "SYS-821GE")}, ""},
		"ec2":       {Config{Sys: ec2}, "cloud.platform=aws_ec2 cloud.provider=aws host.type=p5.48xlarge"},
		"google":    {Config{Sys: machine(t, "product_name", "Google Compute Engine")}, "cloud.platform=gcp_compute_engine cloud.provider=gcp"},
		"azure":     {Config{Sys: machine(t, "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "product_name", "Virtual Machine")}, "cloud.platform=azure.vm cloud.provider=azure"},
		"labels":    {Config{Sys: ec2, Labels: labels}, "cloud.availability_zone=us-east-1a cloud.platform=aws_eks cloud.provider=aws cloud.region=us-east-1 host.type=p5.48xlarge"},
		"said":      {Config{Sys: ec2, Cluster: "prod", Attributes: map[string]string{"host.type": "mine", "cloud.platform": ""}}, "cloud.provider=aws host.type=mine k8s.cluster.name=prod"},
		"env":       {Config{Sys: t.TempDir(), Env: " cloud.region = eu-west-1 ,team=a%2Cb,"}, "cloud.region=eu-west-1 team=a,b"},
		"said last": {Config{Sys: ec2, Env: "cloud.region=a,k8s.cluster.name=b", Cluster: "c", Attributes: map[string]string{"cloud.region": "d"}}, "cloud.platform=aws_ec2 cloud.provider=aws cloud.region=d host.type=p5.48xlarge k8s.cluster.name=c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, find(t, tt.conf)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// metadata is Amazon's instance metadata, version 2: no answer without a token.
func metadata(t *testing.T, document string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, "secret")
	})
	mux.HandleFunc("GET /latest/dynamic/instance-identity/document", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-aws-ec2-metadata-token") != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, document)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestIMDS(t *testing.T) {
	s := metadata(t, `{"accountId":"123456789012","availabilityZone":"us-west-2b","instanceId":"i-0abc","instanceType":"p5.48xlarge","region":"us-west-2","version":"2017-09-30"}`)
	const want = "cloud.account.id=123456789012 cloud.availability_zone=us-west-2b cloud.platform=aws_ec2 cloud.provider=aws cloud.region=us-west-2 host.id=i-0abc host.type=p5.48xlarge"
	if diff := cmp.Diff(want, find(t, Config{Sys: t.TempDir(), IMDS: s.URL})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be read is told, and the rest is known all the same.
func TestFaults(t *testing.T) {
	ec2 := machine(t, "sys_vendor", "Amazon EC2", "product_name", "p5.48xlarge")
	garbled := filepath.Join(t.TempDir(), "labels")
	write(t, garbled, "topology.kubernetes.io/zone=us-east-1a\n")
	for name, tt := range map[string]struct {
		conf Config
		want string
	}{
		"no metadata":   {Config{IMDS: "http://127.0.0.1:1"}, "instance metadata: "},
		"a bad address": {Config{IMDS: "http://[bad"}, "instance metadata: "},
		"no document":   {Config{IMDS: metadata(t, "<html>").URL}, "the identity document: "},
		"no labels":     {Config{Labels: filepath.Join(t.TempDir(), "none")}, "node labels: "},
		"bad labels":    {Config{Labels: garbled}, `"topology.kubernetes.io/zone=us-east-1a" is not key="value"`},
		"bad env":       {Config{Env: "a=b,c"}, `OTEL_RESOURCE_ATTRIBUTES: "c" is not key=value`},
	} {
		t.Run(name, func(t *testing.T) {
			tt.conf.Sys = ec2
			as, err := tt.conf.Find(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if got := words(as); !strings.Contains(got, "cloud.provider=aws host.type=p5.48xlarge") {
				t.Errorf("then only %q is known", got)
			}
		})
	}
}
