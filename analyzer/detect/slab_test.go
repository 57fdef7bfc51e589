package detect

import (
	"bytes"
	"strings"
	"testing"
)

func TestSlabRefusesWhatIsNotItsOwn(t *testing.T) {
	slab := NewSlab[PeerState]("peers")
	for id := range uint32(3000) {
		slab.At(id).seen = id + 1
	}
	var whole bytes.Buffer
	if err := slab.Save(&whole); err != nil {
		t.Fatal(err)
	}
	file := whole.Bytes()
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	var other bytes.Buffer
	if err := NewSlab[LevelState]("peers").Save(&other); err != nil {
		t.Fatal(err)
	}
	var named bytes.Buffer
	if err := NewSlab[PeerState]("level").Save(&named); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "ends too early", nil},
		{"cut in the header", "ends too early", file[:20]},
		{"cut in the states", "ends too early", file[:len(file)/2]},
		{"without its checksum", "ends too early", file[:len(file)-4]},
		{"one bit flipped", "checksum", flipped},
		{"foreign", "not a saved slab", bytes.Repeat([]byte("x"), 100)},
		{"of another size", "bytes, want", other.Bytes()},
		{"of another detector", `states of "level"`, named.Bytes()},
	} {
		got := NewSlab[PeerState]("peers")
		got.At(7).seen = 9
		err := got.Restore(bytes.NewReader(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if got.Len() != 0 || got.At(7).seen != 0 {
			t.Errorf("%s: the slab is not empty", tt.name)
		}
	}

	got := NewSlab[PeerState]("peers")
	if err := got.Restore(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if got.Len() != 3000 || got.At(2999).seen != 3000 || got.At(0).seen != 1 {
		t.Errorf("restored %d states, the last %v", got.Len(), *got.At(2999))
	}
}

func TestSlabTakesNoPointers(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a slab of strings was made")
		}
	}()
	NewSlab[struct{ s string }]("strings")
}
