package nlq_test

import (
	"slices"
	"testing"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// TestJointOfOneSensor holds that what is narrowed to one of several things of a
// machine is joined with others of it by the machine: no fan has a sensor's name.
func TestJointOfOneSensor(t *testing.T) {
	c := catalog.Builtin()
	fan := nlq.Measure{Metric: "ipmi_fan_speed_rpm"}
	inlet := nlq.Measure{Metric: "ipmi_temperature_celsius", Where: []nlq.Matcher{{Label: "name", Op: "=", Value: "Inlet Temp"}}}
	slow := nlq.Binary{Op: "<", Left: fan, Right: nlq.Number(1000)}
	hot := nlq.Binary{Op: ">", Left: inlet, Right: nlq.Number(30)}
	for _, tt := range []struct {
		name string
		a, b nlq.Term
		on   []string
	}{
		{"one of them", slow, hot, []string{"instance"}},
		{"the same of both", hot, hot, nil},
		{"none", slow, slow, nil},
		{"a place", nlq.Measure{Metric: "DCGM_FI_DEV_GPU_TEMP", Where: []nlq.Matcher{{Label: "namespace", Op: "=", Value: "ml"}}}, nlq.Measure{Metric: "DCGM_FI_DEV_POWER_USAGE"}, nil},
	} {
		if _, on := nlq.Joint(tt.a, tt.b, c); !slices.Equal(on, tt.on) {
			t.Errorf("%s: got %v, want %v", tt.name, on, tt.on)
		}
	}
}
