package kmsg

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
)

var boot = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// source returns a source whose log is what records holds when it is read.
func source(records *[]string) *Source {
	return &Source{Node: "gpu-node-1", Boot: boot, Now: func() time.Time { return boot.Add(time.Hour) },
		Records: func(context.Context) ([]string, error) { return *records, nil }}
}

func TestLines(t *testing.T) {
	f, err := os.Open("testdata/lines.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows[1:] {
		line, class, xid, pci, sxid, link := row[0], row[1], row[2], row[3], row[4], strings.Split(row[5]+"||||", "|")
		t.Run(cut(line), func(t *testing.T) {
			log := []string{fmt.Sprintf("6,%d,1500000,-;%s", i, line)}
			b, err := source(&log).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if class == "" {
				if len(b.Events) != 0 {
					t.Errorf("an event: %+v, want none", b.Events)
				}
				return
			}
			want := []collector.Event{{Kind: collector.KernelLine, At: boot.Add(1500 * time.Millisecond), Text: unescape(line)}}
			for _, a := range []collector.Attr{{Key: collector.AttrNode, Value: "gpu-node-1"}, {Key: AttrClass, Value: class},
				{Key: collector.AttrXid, Value: xid}, {Key: collector.AttrPCI, Value: pci}, {Key: collector.AttrSXid, Value: sxid},
				{Key: AttrUnit, Value: link[0]}, {Key: AttrSubcode, Value: link[1]}, {Key: AttrSeverity, Value: link[2]}, {Key: AttrRemedy, Value: link[3]}, {Key: AttrLink, Value: link[4]}} {
				if a.Value != "" {
					want[0].Attrs = append(want[0].Attrs, a)
				}
			}
			if diff := cmp.Diff(want, b.Events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCollect(t *testing.T) {
	const xid79 = "NVRM: Xid (PCI:0000:4e:00): 79, GPU has fallen off the bus."
	log := []string{
		"6,100,1000000,-;usb 1-1: new high-speed USB device",
		"4,101,2000000,-;thermal: something to warn of",
		"28,102,3000000,-;a warning of another facility\n SUBSYSTEM=pci\n DEVICE=+pci:0000:4e:00.0",
		"2,103,4000000,c;" + xid79,
		"garbage",
		"6,103,4000000,-;the same number again",
		"6,x,1,-;no number",
	}
	s := source(&log)
	b, err := s.Collect(t.Context())
	if err == nil || !strings.Contains(err.Error(), `kernel record "garbage" has no head`) || !strings.Contains(err.Error(), `"6,x,1,-;no number"`) {
		t.Errorf("error %v, want both bad records named", err)
	}
	var texts []string
	for _, e := range b.Events {
		texts = append(texts, e.Text)
	}
	want := []string{"thermal: something to warn of", "a warning of another facility", xid79}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}

	log = append(log[:4], "2,104,5000000,-;"+xid79) // what was read is read again, and one more
	b, err = s.Collect(t.Context())
	if err != nil || len(b.Events) != 1 || b.Events[0].At != boot.Add(5*time.Second) {
		t.Errorf("then %v, error %v, want only record 104", b.Events, err)
	}
	var points []string
	for _, p := range b.Points {
		points = append(points, fmt.Sprintf("%s%v %v %v", p.Metric, p.Attrs, p.Counter, p.Value))
		if p.At != boot.Add(time.Hour) {
			t.Errorf("%s is of %v", p.Metric, p.At)
		}
	}
	wantPoints := []string{
		"vedette_xid_errors_total[{Hostname gpu-node-1} {pci_bus_id 00000000:4E:00.0} {xid 79}] true 2",
		"vedette_kernel_lines_total[{instance gpu-node-1} {class aer}] true 0",
		"vedette_kernel_lines_total[{instance gpu-node-1} {class mismatch}] true 0",
		"vedette_kernel_lines_total[{instance gpu-node-1} {class oom}] true 0",
		"vedette_kernel_lines_total[{instance gpu-node-1} {class other}] true 3",
		"vedette_kernel_lines_total[{instance gpu-node-1} {class sxid}] true 0",
		"vedette_kernel_lines_total[{instance gpu-node-1} {class xid}] true 2",
	}
	if diff := cmp.Diff(wantPoints, points); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

// Records that were read before the log failed are good.
func TestCollectPartly(t *testing.T) {
	s := source(nil)
	s.Records = func(context.Context) ([]string, error) {
		return []string{"2,1,1,-;NVRM: Xid (PCI:0000:4e:00): 48, DBE"}, ErrOverrun
	}
	b, err := s.Collect(t.Context())
	if !errors.Is(err, ErrOverrun) || len(b.Events) != 1 {
		t.Errorf("events %v, error %v, want one event and %v", b.Events, err, ErrOverrun)
	}
}

func TestDeviceFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg")
	d := &Device{Path: path}
	if _, err := d.Records(t.Context()); err == nil || !strings.Contains(err.Error(), "open kernel log "+path) {
		t.Fatalf("of no file: error %v", err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	defer d.Close()
	steps := []struct {
		write string
		want  []string
	}{
		{"6,1,1,-;from before\n", nil}, // the first read only finds the end
		{"6,2,2,-;one\n6,3,3,-;two\n SUBSYSTEM=pci\n6,4,4,-;thr", []string{"6,2,2,-;one", "6,3,3,-;two"}},
		{"", nil},
		{"ee\n", []string{"6,4,4,-;three"}},
	}
	for _, s := range steps {
		if _, err := f.WriteString(s.write); err != nil {
			t.Fatal(err)
		}
		got, err := d.Records(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("after %q (-want +got):\n%s", s.write, diff)
		}
	}
}

// The machine's own log, where it may be read: not to wait for a record is what matters.
func TestDeviceKmsg(t *testing.T) {
	d := &Device{Path: "/dev/kmsg"}
	defer d.Close()
	if _, err := d.Records(t.Context()); err != nil {
		t.Skip(err)
	}
	s := &Source{Node: "n", Records: d.Records, Boot: boot}
	if _, err := s.Collect(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestUnescape(t *testing.T) {
	tests := []struct{ in, want string }{
		{`plain`, `plain`},
		{`tab\x09and\x5cslash`, "tab\tand\\slash"},
		{`not \xzz one \x4`, `not \xzz one \x4`},
	}
	for _, tt := range tests {
		if got := unescape(tt.in); got != tt.want {
			t.Errorf("unescape(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestParsePatternsErrors(t *testing.T) {
	const head = "class,xid,pattern,source\n"
	tests := []struct{ name, in, want string }{
		{"columns", "class,re\n", "p.csv:1: "},
		{"class", head + "disk,,x,s\n", `p.csv:2: class "disk"`},
		{"regexp", head + "oom,,(,s\n", "p.csv:2: error parsing regexp"},
		{"group", head + "oom,,(?P<pid>x),s\n", `p.csv:2: group "pid"`},
		{"no xid", head + "xid,,x,s\n", "p.csv:2: a pattern has an Xid"},
		{"source", head + "oom,,x,\n", "p.csv:2: source is required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parsePatterns("p.csv", strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("6,1,2,-;text")
	f.Add(`2,103,4000000,c;NVRM: Xid (PCI:0000:4e:00): 79\x0a`)
	f.Fuzz(func(t *testing.T, in string) {
		r, err := parseRecord(in)
		if err == nil && (r.level < 0 || r.level > 7) {
			t.Errorf("parseRecord(%q).level = %d", in, r.level)
		}
		classify(r.text)
	})
}

// Two lines of one GPU that falls off the bus are one Xid, whichever comes
// first; two lines of the same words are two.
func TestEcho(t *testing.T) {
	const named, nameless = "NVRM: Xid (PCI:0000:4e:00): 79, GPU has fallen off the bus.", "NVRM: GPU 0000:4e:00.0: GPU has fallen off the bus."
	tests := map[string]struct {
		lines []string // with their seconds
		want  float64
	}{
		"named first":    {[]string{"1;" + named, "1;" + nameless}, 1},
		"nameless first": {[]string{"1;" + nameless, "2;" + named}, 1},
		"nameless alone": {[]string{"1;" + nameless}, 1},
		"repeats":        {[]string{"1;" + named, "1;" + named, "1;" + nameless}, 2},
		"again later":    {[]string{"1;" + named, "1;" + nameless, "9;" + named, "9;" + nameless}, 2},
		"much later":     {[]string{"1;" + named, "60;" + nameless}, 2},
		"another GPU":    {[]string{"1;" + named, "1;" + strings.Replace(nameless, "4e", "4f", 1)}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var log []string
			for i, l := range tt.lines {
				second, text, _ := strings.Cut(l, ";")
				log = append(log, fmt.Sprintf("2,%d,%s000000,-;%s", i, second, text))
			}
			b, err := source(&log).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n, xids := 0.0, 0.0
			for _, p := range b.Points {
				if p.Metric == Xids {
					n += p.Value
				}
			}
			for _, e := range b.Events {
				if e.Attr(collector.AttrXid) == "79" {
					xids++
				}
			}
			if n != tt.want || xids != tt.want || len(b.Events) != len(tt.lines) {
				t.Errorf("counted %v, %v events of %d are Xids, want %v of %d", n, xids, len(b.Events), tt.want, len(tt.lines))
			}
		})
	}
}

func TestNVLinkErrors(t *testing.T) {
	const line = "NVRM: Xid (PCI:0000:04:00): 145, RLW_REMAP %s XC0 i0 Link 07 (0x00000004 0x%08x 0x00000000 0x00000000)"
	log := []string{"3,1,1000000,-;" + fmt.Sprintf(line, "Fatal", 0x40), "3,2,2000000,-;" + fmt.Sprintf(line, "Nonfatal", 1), "3,3,3000000,-;" + fmt.Sprintf(line, "Nonfatal", 2)}
	b, err := source(&log).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range b.Points {
		if p.Metric == NVLinks {
			got = append(got, fmt.Sprint(p.Attrs[2:], p.Value))
		}
	}
	want := []string{"[{xid 145} {unit RLW_REMAP} {subcode 0} {severity fatal}] 1", "[{xid 145} {unit RLW_REMAP} {subcode 0} {severity non-fatal}] 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
