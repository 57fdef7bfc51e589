package dcgm

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	godcgm "github.com/NVIDIA/go-dcgm/pkg/dcgm"

	"vedette.dev/collector"
	"vedette.dev/rules/catalog"
)

// Peer says how two GPUs of a node are connected: the number of NVLinks between
// them, 0 where there is only PCIe, with the labels Hostname, gpu and UUID of the
// one, peer_gpu and peer_UUID of the other, and path, in nvidia-smi's words:
// NV18, or the farthest thing that PCIe crosses: PSB PIX PXB PHB NODE SYS.
const Peer catalog.ID = "vedette_gpu_peer_nvlinks"

// peersEvery is how often the connections are asked for: cables are not moved
// while a node runs, but links go down.
const peersEvery = 10 * time.Minute

// A peer is one GPU as another sees it.
type peer struct {
	gpu, other uint
	path       string
}

// readPeers returns how the GPUs that answer are connected, as was last asked.
func (s *Source) readPeers(alive []uint, now time.Time) []collector.Point {
	e := s.engine
	if len(alive) > 1 && (e.asked.IsZero() || now.Sub(e.asked) >= peersEvery) {
		e.asked, e.peers = now, nil
		for _, id := range alive {
			s.step("ask how GPU %d is connected", id)
			links, err := godcgm.GetDeviceTopology(id)
			if err != nil {
				s.warn(fmt.Errorf("dcgm: how GPUs are connected is not known: %w", err))
				break
			}
			for _, l := range links {
				e.peers = append(e.peers, peer{id, l.GPU, l.Link.PCIPaths()})
			}
		}
	}
	var ps []collector.Point
	for _, p := range e.peers {
		if s.known[p.gpu] == nil || s.known[p.other] == nil {
			continue
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(p.path, "NV")) // 0 of NODE, too
		ps = append(ps, collector.Point{Metric: Peer, Value: float64(n), At: now, Attrs: []collector.Attr{
			{Key: s.conf.HostName, Value: s.conf.Node},
			{Key: "gpu", Value: strconv.FormatUint(uint64(p.gpu), 10)}, {Key: "UUID", Value: s.known[p.gpu].uuid},
			{Key: "peer_gpu", Value: strconv.FormatUint(uint64(p.other), 10)}, {Key: "peer_UUID", Value: s.known[p.other].uuid},
			{Key: "path", Value: p.path}}})
	}
	return ps
}
