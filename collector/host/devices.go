package host

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"
	"github.com/prometheus/procfs/sysfs"

	"vedette.dev/rules/catalog"
)

// partitions are the block devices that node_exporter leaves out by default:
// parts of disks, and what is no disk (collector/diskstats_common.go).
var partitions = regexp.MustCompile(`^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`)

// podEnds are the node's ends of the pods' network links, one a pod: the
// kubelet reports the pods' traffic, by pod. eni… are those of the AWS VPC CNI.
var podEnds = regexp.MustCompile(`^(veth|cali|lxc).+$|^eni[0-9a-f]{11}$`)

const sectorSize = 512 // of /proc/diskstats, whatever the disk's own

func (s *Source) readDisks(b *batch, _ procfs.FS) error {
	fs, err := blockdevice.NewFS(s.proc(), s.sys())
	if err != nil {
		return err
	}
	disks, err := fs.ProcDiskstats()
	if err != nil {
		return err
	}
	for _, d := range disks {
		if partitions.MatchString(d.DeviceName) {
			continue
		}
		for _, f := range []struct {
			metric catalog.ID
			value  float64
		}{
			{"node_disk_reads_completed_total", float64(d.ReadIOs)},
			{"node_disk_read_bytes_total", float64(d.ReadSectors) * sectorSize},
			{"node_disk_read_time_seconds_total", float64(d.ReadTicks) / 1e3},
			{"node_disk_writes_completed_total", float64(d.WriteIOs)},
			{"node_disk_written_bytes_total", float64(d.WriteSectors) * sectorSize},
			{"node_disk_write_time_seconds_total", float64(d.WriteTicks) / 1e3},
			{"node_disk_io_time_seconds_total", float64(d.IOsTotalTicks) / 1e3},
		} {
			b.counter(f.metric, f.value, "device", d.DeviceName)
		}
	}
	return nil
}

// readNetwork reads the interfaces of the node: those of process 1, since
// /proc/net shows the reader's own, which in a container may be another's.
func (s *Source) readNetwork(b *batch, fs procfs.FS) error {
	devices, err := netDev(fs)
	if err != nil {
		return err
	}
	for name, d := range devices {
		if podEnds.MatchString(name) {
			continue
		}
		for _, f := range []struct {
			metric catalog.ID
			value  uint64
		}{
			{"node_network_receive_bytes_total", d.RxBytes},
			{"node_network_receive_packets_total", d.RxPackets},
			{"node_network_receive_errs_total", d.RxErrors},
			{"node_network_receive_drop_total", d.RxDropped},
			{"node_network_transmit_bytes_total", d.TxBytes},
			{"node_network_transmit_packets_total", d.TxPackets},
			{"node_network_transmit_errs_total", d.TxErrors},
			{"node_network_transmit_drop_total", d.TxDropped},
		} {
			b.counter(f.metric, float64(f.value), "device", name)
		}
		if state, err := os.ReadFile(s.sys("class", "net", name, "operstate")); err == nil {
			up := 0.0
			if strings.TrimSpace(string(state)) == "up" {
				up = 1
			}
			b.gauge("node_network_up", up, "device", name)
		}
	}
	return nil
}

func netDev(fs procfs.FS) (procfs.NetDev, error) {
	if p, err := fs.Proc(1); err == nil {
		if d, err := p.NetDev(); err == nil {
			return d, nil
		}
	}
	return fs.NetDev()
}

// readInfiniBand reads the ports of the fabric, where there is one.
func (s *Source) readInfiniBand(b *batch, _ procfs.FS) error {
	if _, err := os.Stat(s.sys("class", "infiniband")); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	fs, err := sysfs.NewFS(s.sys())
	if err != nil {
		return err
	}
	names, err := fs.InfiniBandClassDevices()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		d, err := fs.InfiniBandDevice(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		for _, p := range d.Ports {
			readPort(b, name, p)
		}
	}
	return errors.Join(errs...)
}

func readPort(b *batch, device string, p sysfs.InfiniBandPort) {
	labels := []string{"device", device, "port", strconv.FormatUint(uint64(p.Port), 10)}
	b.gauge("node_infiniband_state_id", float64(p.StateID), labels...)
	b.gauge("node_infiniband_physical_state_id", float64(p.PhysStateID), labels...)
	b.gauge("node_infiniband_rate_bytes_per_second", float64(p.Rate), labels...)
	for _, f := range []struct {
		metric catalog.ID
		value  *uint64
	}{
		{"node_infiniband_port_data_received_bytes_total", p.Counters.PortRcvData},
		{"node_infiniband_port_data_transmitted_bytes_total", p.Counters.PortXmitData},
		{"node_infiniband_link_downed_total", p.Counters.LinkDowned},
		{"node_infiniband_link_error_recovery_total", p.Counters.LinkErrorRecovery},
		{"node_infiniband_port_errors_received_total", p.Counters.PortRcvErrors},
		{"node_infiniband_port_discards_transmitted_total", p.Counters.PortXmitDiscards},
		{"node_infiniband_port_transmit_wait_total", p.Counters.PortXmitWait},
		{"node_infiniband_symbol_error_total", p.Counters.SymbolError},
	} {
		if f.value != nil {
			b.counter(f.metric, float64(*f.value), labels...)
		}
	}
}

// machine is the processor as uname names it.
func machine() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}
