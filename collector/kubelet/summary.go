package kubelet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

const summaryPath = "/stats/summary"

// The summary's own words, of which only those are here that cAdvisor's page
// lacks. What is not known is nil.
// https://pkg.go.dev/k8s.io/kubelet/pkg/apis/stats/v1alpha1#Summary
type (
	summary struct {
		Node nodeStats  `json:"node"`
		Pods []podStats `json:"pods"`
	}
	nodeStats struct {
		FS      *fsStats `json:"fs"`
		Runtime *struct {
			ImageFS     *fsStats `json:"imageFs"`
			ContainerFS *fsStats `json:"containerFs"`
		} `json:"runtime"`
		Rlimit *struct {
			Max   *uint64 `json:"maxpid"`
			Count *uint64 `json:"curproc"`
		} `json:"rlimit"`
		Swap *swapStats `json:"swap"`
	}
	podStats struct {
		Ref struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"podRef"`
		Containers []containerStats `json:"containers"`
		Volumes    []volumeStats    `json:"volume"`
		Ephemeral  *fsStats         `json:"ephemeral-storage"`
		Processes  *struct {
			Count *uint64 `json:"process_count"`
		} `json:"process_stats"`
		Swap *swapStats `json:"swap"`
	}
	containerStats struct {
		Name   string     `json:"name"`
		Rootfs *fsStats   `json:"rootfs"`
		Logs   *fsStats   `json:"logs"`
		Swap   *swapStats `json:"swap"`
	}
	volumeStats struct {
		fsStats
		Claim *claim `json:"pvcRef"`
	}
	claim struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	}
	fsStats struct {
		Available  *uint64 `json:"availableBytes"`
		Capacity   *uint64 `json:"capacityBytes"`
		Used       *uint64 `json:"usedBytes"`
		InodesFree *uint64 `json:"inodesFree"`
		Inodes     *uint64 `json:"inodes"`
		InodesUsed *uint64 `json:"inodesUsed"`
	}
	swapStats struct {
		Used *uint64 `json:"swapUsageBytes"`
	}
)

// summary reads what the kubelet itself counts: disks, by which it evicts,
// volumes, swap and processes.
func (a *API) summary(ctx context.Context) (collector.Batch, error) {
	var s summary
	err := a.read(ctx, summaryPath, func(r io.Reader) error {
		if err := json.NewDecoder(r).Decode(&s); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return nil
	})
	if err != nil {
		return collector.Batch{}, err
	}
	b := a.batch()
	b.nodeStats(s.Node)
	told := map[claim]bool{} // pods may share a volume
	for _, p := range s.Pods {
		b.podStats(p)
		for _, v := range p.Volumes {
			if v.Claim == nil || told[*v.Claim] {
				continue
			}
			told[*v.Claim] = true
			b.fs("kubelet_volume_stats_", &v.fsStats, label("namespace", v.Claim.Namespace), label("persistentvolumeclaim", v.Claim.Name))
		}
	}
	return collector.Batch{Points: b.points}, nil
}

func (b *batch) nodeStats(n nodeStats) {
	b.fs("vedette_kubelet_fs_", n.FS, label("filesystem", "nodefs")) // as the signals of evictions are called
	if n.Runtime != nil {
		b.fs("vedette_kubelet_fs_", n.Runtime.ImageFS, label("filesystem", "imagefs"))
		b.fs("vedette_kubelet_fs_", n.Runtime.ContainerFS, label("filesystem", "containerfs"))
	}
	if n.Rlimit != nil {
		b.known("vedette_node_processes", n.Rlimit.Count)
		b.known("vedette_node_processes_limit", n.Rlimit.Max)
	}
	b.swap("node_swap_usage_bytes", n.Swap)
}

func (b *batch) podStats(p podStats) {
	pod := []collector.Attr{label("namespace", p.Ref.Namespace), label("pod", p.Ref.Name)}
	if p.Ephemeral != nil {
		b.known("vedette_pod_ephemeral_storage_used_bytes", p.Ephemeral.Used, pod...)
		b.known("vedette_pod_ephemeral_storage_inodes_used", p.Ephemeral.InodesUsed, pod...)
	}
	if p.Processes != nil {
		b.known("vedette_pod_processes", p.Processes.Count, pod...)
	}
	b.swap("pod_swap_usage_bytes", p.Swap, pod...)
	for _, c := range p.Containers {
		container := append(pod[:2:2], label("container", c.Name))
		if c.Rootfs != nil {
			b.known("vedette_container_rootfs_used_bytes", c.Rootfs.Used, container...)
		}
		if c.Logs != nil {
			b.known("vedette_container_logs_used_bytes", c.Logs.Used, container...)
		}
		b.swap("container_swap_usage_bytes", c.Swap, container...)
	}
}

// fs adds how full a file system is, under names that begin alike.
func (b *batch) fs(prefix catalog.ID, s *fsStats, labels ...collector.Attr) {
	if s == nil {
		return
	}
	b.known(prefix+"available_bytes", s.Available, labels...)
	b.known(prefix+"capacity_bytes", s.Capacity, labels...)
	b.known(prefix+"used_bytes", s.Used, labels...)
	b.known(prefix+"inodes", s.Inodes, labels...)
	b.known(prefix+"inodes_free", s.InodesFree, labels...)
	b.known(prefix+"inodes_used", s.InodesUsed, labels...)
}

func (b *batch) swap(metric catalog.ID, s *swapStats, labels ...collector.Attr) {
	if s != nil {
		b.known(metric, s.Used, labels...)
	}
}

// known adds a gauge where its value is known.
func (b *batch) known(metric catalog.ID, v *uint64, labels ...collector.Attr) {
	if v != nil {
		b.add(metric, false, float64(*v), labels...)
	}
}

func label(key, value string) collector.Attr { return collector.Attr{Key: key, Value: value} }
