package kmsg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vedette.dev/collector"
)

// TestMerge tells a story in lines: "k 79@10" is the kernel's Xid 79 at second
// 10 and "d 79@10" DCGM's, read in the look they stand in; "deaf" is a look in
// which the log cannot be read. A look ends with "look SECOND", and what it
// told, and the counts then, follow after "=". s20034 is an SXid, and ?79 an
// Xid of which DCGM does not know where it was.
func TestMerge(t *testing.T) {
	tests := map[string]string{
		"both, in one look":         "k 79@10 d 79@11 look 15 = k79 | 79:1",
		"DCGM first":                "d 79@10 look 11 = | ; k 79@10 look 20 = k79 | 79:1",
		"DCGM late":                 "k 79@10 look 15 = k79 | 79:1 ; d 79@10 look 60 = | 79:1",
		"only the kernel":           "k 62@10 look 15 = k62 | 62:1 ; look 30 = | 62:1",
		"only DCGM":                 "d 31@10 look 11 = | ; look 15 = d31 | 31:1 ; look 30 = | 31:1",
		"repeats are told":          "k 13@10 k 13@11 d 13@10 d 13@11 look 15 = k13 k13 | 13:2",
		"one more at DCGM":          "k 13@10 d 13@10 d 13@11 look 15 = k13 d13 | 13:2",
		"too far apart":             "k 79@10 d 79@14 look 20 = k79 d79 | 79:2",
		"different codes":           "k 79@10 d 45@10 look 20 = k79 d45 | 45:1 79:1",
		"the log cannot be read":    "deaf d 79@10 look 10 = d79 | 79:1",
		"and then it can":           "deaf d 79@10 look 10 = d79 | 79:1 ; k 48@20 d 48@20 look 21 = k48 | 48:1 79:1",
		"what is not an Xid passes": "x look 5 = x | ",
		"SXids":                     "k s28006@10 d s28006@11 d s20034@11 look 15 = ks28006 ds20034 | s20034:1 s28006:1",
		"an SXid is not an Xid":     "k 79@10 d s79@10 look 15 = k79 ds79 | 79:1 s79:1",
		"DCGM knows no place":       "k 79@10 d ?79@11 look 15 = k79 | 79:1",
	}
	for name, story := range tests {
		t.Run(name, func(t *testing.T) {
			var kernel, dcgm collector.Batch
			var deaf bool
			counts := map[string]float64{}
			at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }
			var now time.Time
			m := &Merge{Node: "n", Now: func() time.Time { return now }, Kernel: collector.SourceFunc(func(context.Context) (collector.Batch, error) {
				if deaf {
					return collector.Batch{}, errors.New("not permitted")
				}
				b := kernel
				kernel = collector.Batch{}
				for code, n := range counts {
					f := fact{Xids, "bus", code}
					if sxid, is := strings.CutPrefix(code, "s"); is {
						f = fact{SXids, "bus", sxid}
					}
					b.Points = append(b.Points, f.point("n", n, now))
				}
				return b, nil
			})}
			other := m.Other(collector.SourceFunc(func(context.Context) (collector.Batch, error) {
				b := dcgm
				dcgm = collector.Batch{}
				return b, nil
			}))
			for look := range strings.SplitSeq(story, ";") {
				said, want, _ := strings.Cut(look, "=")
				deaf = false
				words := strings.Fields(said)
				for i, w := range words {
					if w == "deaf" {
						deaf = true
					}
					if w == "x" {
						kernel.Events = append(kernel.Events, collector.Event{Kind: collector.KernelLine, Text: "x"})
					}
					if w != "k" && w != "d" && w != "look" {
						continue
					}
					var code string
					var second float64
					if w == "look" {
						fmt.Sscanf(words[i+1], "%g", &second)
						now = at(second)
						continue
					}
					code, rest, _ := strings.Cut(words[i+1], "@")
					fmt.Sscanf(rest, "%g", &second)
					e := collector.Event{Kind: collector.KernelLine, At: at(second), Text: w + code,
						Attrs: []collector.Attr{{Key: collector.AttrXid, Value: code}, {Key: collector.AttrPCI, Value: "bus"}}}
					if sxid, is := strings.CutPrefix(code, "s"); is {
						e.Attrs[0] = collector.Attr{Key: collector.AttrSXid, Value: sxid}
					}
					if xid, is := strings.CutPrefix(code, "?"); is {
						e.Attrs = []collector.Attr{{Key: collector.AttrXid, Value: xid}}
					}
					if w == "k" {
						kernel.Events = append(kernel.Events, e)
						counts[code]++
					} else {
						dcgm.Events = append(dcgm.Events, e)
					}
				}
				if b, _ := other.Collect(t.Context()); len(b.Events) > 0 {
					t.Errorf("DCGM's source tells of %v itself", b.Events)
				}
				b, err := m.Collect(t.Context())
				if (err != nil) != deaf {
					t.Errorf("error %v", err)
				}
				var told, counted []string
				for _, e := range b.Events {
					told = append(told, e.Text)
				}
				for _, p := range b.Points {
					counted = append(counted, fmt.Sprintf("%s%s:%g", strings.TrimSuffix(p.Attrs[2].Key, "xid"), p.Attrs[2].Value, p.Value))
				}
				slices.Sort(counted)
				got := strings.Join(told, " ") + " | " + strings.Join(counted, " ")
				if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); diff != "" {
					t.Errorf("look at %v (-want +got):\n%s", now.Unix(), diff)
				}
			}
		})
	}
}
