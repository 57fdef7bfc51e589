package detect

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the wanted files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestCSVEchoesEveryRow(t *testing.T) {
	files, err := filepath.Glob("testdata/csv/*.in.csv")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d cases: %v", len(files), err)
	}
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := CSV(bytes.NewReader(in), &out, 0); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		golden(t, strings.Replace(file, ".in.csv", ".want.csv", 1), out.String())
	}
}

// spiky is two days at a step of a minute with one spike.
func spiky() string {
	rnd := rand.New(rand.NewPCG(7, 7))
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range 2880 {
		v := 20 + rnd.NormFloat64()
		if i >= 2500 && i < 2505 {
			v = 90
		}
		fmt.Fprintf(&b, "%d,%.3f\n", 1_700_000_000+60*i, v)
	}
	return b.String()
}

func TestCSVAlertsOnceForOneIncident(t *testing.T) {
	var out bytes.Buffer
	if err := CSV(strings.NewReader(spiky()), &out, 0); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(rows) != 2881 {
		t.Fatalf("%d rows, want 2881", len(rows))
	}
	for i, row := range rows[1:] {
		if got, want := strings.HasSuffix(row, ",1"), i == 2500; got != want {
			t.Errorf("row %d: alert %v, want %v: %s", i, got, want, row)
		}
	}
}

func TestCSVReadsGzip(t *testing.T) {
	var packed, want, got bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, spiky())
	z.Close()
	if err := CSV(&packed, &got, 0); err != nil {
		t.Fatal(err)
	}
	if err := CSV(strings.NewReader(spiky()), &want, 0); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Error("a packed file scores otherwise than a plain one")
	}
}

// A row must be out before the next one is in: whoever pipes a stream waits for it.
func TestCSVWritesAsItReads(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- CSV(inR, outW, 0)
		outW.Close()
	}()
	buf := make([]byte, 1<<10)
	for _, row := range []string{"timestamp,value\n1700000000,1\n", "1700000060,2\n"} {
		if _, err := io.WriteString(inW, row); err != nil {
			t.Fatal(err)
		}
		n, err := outR.Read(buf)
		if err != nil || !strings.HasSuffix(string(buf[:n]), ",0,0,0,0\n") {
			t.Fatalf("after %q: read %q, %v", row, buf[:n], err)
		}
	}
	inW.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCSVSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		rate     float64
	}{
		{"", "no header line", 1},
		{"when,value\n", "want timestamp", 1},
		{"a,b\n1,2\n", "want timestamp (or time) and value", 1},
		{"time,value\n", "want more than 0", -1},
	} {
		err := CSV(strings.NewReader(tt.in), io.Discard, tt.rate)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.in, err, tt.want)
		}
	}
}
