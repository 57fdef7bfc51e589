package catalog

import "testing"

// TestFloor holds that the gauge that something is the most of is found, and none
// for what is the most of nothing.
func TestFloor(t *testing.T) {
	c := Builtin()
	for most, want := range map[ID]ID{
		"DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH": "DCGM_FI_DEV_PCIE_LINK_WIDTH",
		"DCGM_FI_DEV_PCIE_MAX_LINK_GEN":   "DCGM_FI_DEV_PCIE_LINK_GEN",
		"DCGM_FI_DEV_PCIE_LINK_GEN":       "",
		"DCGM_FI_DEV_GPU_TEMP":            "",
	} {
		m, ok := c.Floor(most)
		if m.ID != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", most, m.ID, ok)
		}
		if up, is := c.Ceiling(m.ID); ok && (!is || up.ID != most) {
			t.Errorf("%s is the most of %s, whose most is %q", most, m.ID, up.ID)
		}
	}
}
