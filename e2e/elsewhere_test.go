//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestElsewhere: where a Prometheus is already, its series are asked, alerted
// on and judged as if they were here; while it is away, that is said, and the
// rest goes on.
func TestElsewhere(t *testing.T) {
	_, port := metricsPage(t, `DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu-01"} 91
DCGM_FI_DEV_GPU_TEMP{gpu="1",UUID="GPU-2",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu-01"} 55`)
	dir, addr := t.TempDir(), freePort(t)
	config := write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf("scrape_configs:\n- job_name: dcgm\n  scrape_interval: 1s\n  static_configs: [{targets: ['127.0.0.1:%s']}]\n", port))
	prom := func() *process {
		p := start(t, "/usr/bin/prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
		p.within(t, "ready Prometheus", patience, func() bool { var v any; return get("http://"+addr+"/api/v1/status/buildinfo", "", &v) })
		return p
	}
	p := prom()
	c := startServerAt(t, t.TempDir(), "", "127.0.0.1:0", "127.0.0.1:0", fmt.Sprintf("prometheus: {url: 'http://%s', every: 1s}\n", addr))
	c.within(t, "the GPUs of the Prometheus", patience, func() bool { return len(c.query(`DCGM_FI_DEV_GPU_TEMP`)) == 2 })
	if said := c.vedette(t, "ask", "which GPUs are hotter than 80 degrees"); !strings.Contains(said, "91 °C  Hostname=gpu-01 gpu=0") || strings.Contains(said, "gpu=1") {
		t.Errorf("asked which are hot, it says:\n%s", said)
	}
	c.vedette(t, "ask", "alert when GPU temperature is above 85", "--publish", "--by", "ada")
	c.within(t, "an alert that fires", patience, func() bool { return len(c.query(`ALERTS{alertstate="firing", UUID="GPU-1"}`)) == 1 })
	c.within(t, "a detector that has seen it", patience, func() bool { return len(c.query(`vedette_anomaly_score{UUID="GPU-1"}`)) > 0 })

	p.stop(t)
	c.find(t, `(reading http://\S+ fails)`)
	if n := len(c.query(`vector(1)`)); n != 1 {
		t.Errorf("without it, nothing is answered")
	}
	prom()
	c.find(t, `(reading http://\S+ is well again)`)
}
