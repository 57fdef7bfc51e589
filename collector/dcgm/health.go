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

// Health is what DCGM's own health check of a part of a GPU came to: 0 well, 1
// a warning, 2 a failure, with the labels Hostname, gpu, UUID and system.
const Health catalog.ID = "vedette_gpu_health"

// healthEvery is how often health is checked: what DCGM looks at here does not
// change within seconds, and its answer is a megabyte.
const healthEvery = time.Minute

// systems are the parts of a GPU that have a health, by DCGM's bit.
var systems = []struct {
	bit  godcgm.HealthSystem
	name string
}{
	{godcgm.DCGM_HEALTH_WATCH_PCIE, "pcie"}, {godcgm.DCGM_HEALTH_WATCH_NVLINK, "nvlink"}, {godcgm.DCGM_HEALTH_WATCH_PMU, "pmu"},
	{godcgm.DCGM_HEALTH_WATCH_MCU, "mcu"}, {godcgm.DCGM_HEALTH_WATCH_MEM, "memory"}, {godcgm.DCGM_HEALTH_WATCH_SM, "sm"},
	{godcgm.DCGM_HEALTH_WATCH_INFOROM, "inforom"}, {godcgm.DCGM_HEALTH_WATCH_THERMAL, "thermal"}, {godcgm.DCGM_HEALTH_WATCH_POWER, "power"},
	{godcgm.DCGM_HEALTH_WATCH_DRIVER, "driver"},
}

// An ailment is a part of a GPU.
type ailment struct {
	gpu    uint
	system string
}

// watchHealth has the engine look at the health of the group's GPUs.
func (s *Source) watchHealth() {
	var all godcgm.HealthSystem
	for _, x := range systems {
		all |= x.bit
	}
	s.step("watch the health of the GPUs")
	s.engine.healthy, s.engine.checked = false, time.Time{}
	if err := godcgm.HealthSet(s.engine.gpus, all); err != nil {
		s.warn(fmt.Errorf("dcgm: no health checks: %w", err))
		return
	}
	s.engine.healthy = true
}

// readHealth returns the health of the GPUs that answer, as it was checked
// last, and checks it anew once a minute.
func (s *Source) readHealth(gpus []uint, now time.Time) ([]collector.Point, error) {
	e := s.engine
	if !e.healthy {
		return nil, nil
	}
	if now.Sub(e.checked) >= healthEvery {
		s.step("check the health of the GPUs")
		got, err := godcgm.HealthCheck(e.gpus)
		if err != nil {
			return nil, fmt.Errorf("dcgm: check the health of the GPUs: %w", err)
		}
		e.checked, e.ailments = now, map[ailment]float64{}
		for _, in := range got.Incidents {
			s.ails(in)
		}
	}
	ps := make([]collector.Point, 0, len(gpus)*len(systems))
	for _, id := range gpus {
		if s.known[id] == nil {
			continue
		}
		for _, x := range systems {
			ps = append(ps, collector.Point{Metric: Health, Value: e.ailments[ailment{id, x.name}], At: now, Attrs: []collector.Attr{
				{Key: s.conf.HostName, Value: s.conf.Node}, {Key: "gpu", Value: strconv.FormatUint(uint64(id), 10)},
				{Key: "UUID", Value: s.known[id].uuid}, {Key: "system", Value: x.name}}})
		}
	}
	return ps, nil
}

// ails notes an incident, and tells of it once.
func (s *Source) ails(in godcgm.Incident) {
	level := 0.0
	switch in.Health {
	case godcgm.DCGM_HEALTH_RESULT_WARN:
		level = 1
	case godcgm.DCGM_HEALTH_RESULT_FAIL:
		level = 2
	}
	if level == 0 || in.EntityInfo.EntityGroupId != godcgm.FE_GPU {
		return
	}
	for _, x := range systems {
		if in.System&x.bit == 0 {
			continue
		}
		a := ailment{in.EntityInfo.EntityId, x.name}
		s.engine.ailments[a] = max(s.engine.ailments[a], level)
		s.warn(fmt.Errorf("dcgm: health of GPU %d: %s: %s (code %d)", a.gpu, x.name, strings.TrimSpace(in.Error.Message), in.Error.Code))
	}
}
