package investigate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vedette.dev/analyzer"
	"vedette.dev/analyzer/diagnose"
	"vedette.dev/analyzer/snapshot"
	"vedette.dev/nlq/talk"
	"vedette.dev/nlq/talk/talktest"
	"vedette.dev/rules/strictcsv"
)

// now is any time after the capture: nothing depends on which.
var now = time.Date(2026, 3, 1, 10, 1, 0, 0, time.UTC)

// cluster reads testdata/cluster.txtar and diagnoses it.
func cluster(t testing.TB) Case {
	t.Helper()
	return recorded(t, "testdata/cluster.txtar")
}

// recorded diagnoses the snapshot of an archive.
func recorded(t testing.TB, archive string) Case {
	t.Helper()
	ar, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := txtar.Write(ar, dir); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return Case{Report: diagnose.Diagnose(s, analyzer.Subject{}), Snapshot: s, Now: now}
}

// parrot is a desk with a model that says replies.
func parrot(replies ...string) (*Desk, *talktest.Parrot) {
	p := &talktest.Parrot{Replies: replies, Tokens: 100}
	return &Desk{Line: &talk.Line{Model: p, Name: "parrot"}}, p
}

// a look, a supposition and the end of a search, as forms.
func looking(at, of, holding, metric string, hours int) string {
	return fmt.Sprintf(`{"act":"look","at":%q,"of":%q,"holding":%q,"metric":%q,"hours":%d,"cause":"","cites":[]}`, at, of, holding, metric, hours)
}

// restless never looks at the same twice.
func restless(at, of string) []string {
	var all []string
	for hours := range 100 {
		all = append(all, looking(at, of, "", "", hours))
	}
	return all
}

func supposing(cause, of, cites string) string {
	return fmt.Sprintf(`{"act":"suppose","at":"","of":%q,"holding":"","metric":"","hours":0,"cause":%q,"cites":[%s]}`, of, cause, cites)
}

const (
	done  = `{"act":"done","at":"","of":"","holding":"","metric":"","hours":0,"cause":"","cites":[]}`
	tells = `{"sentences":[{"cites":["C1","E1"],"says":"GPU 0 of node gpu-01 fell off the PCIe bus (Xid 79)."}]}`
	mute  = `{"sentences":[]}`
)

// said is what a model was last told in the n'th call.
func said(p *talktest.Parrot, n int) string {
	turns := p.Talks[n]
	return turns[len(turns)-1].Text
}

// TestSentences holds every sentence of testdata to what it cites.
func TestSentences(t *testing.T) {
	c := cluster(t)
	d, _ := parrot(mute)
	x := &session{Desk: d, Case: c, veil: &talk.Veil{Forget: true}, account: Account{}}
	x.file = newFile(x.veil)
	x.file.open(c.Report)
	for _, w := range []want{{of: analyzer.Pod("data", "etl-0")}, {of: analyzer.Pod("logging", "syslog-0")}} {
		items, err := x.logs(c.Snapshot, w)
		if err != nil {
			t.Fatal(err)
		}
		x.answer(items, nil)
	}
	court := x.court()
	f, err := os.Open("testdata/sentences.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	if err := strictcsv.Each("testdata/sentences.csv", f, "cites,says,why", func(row []string) error {
		n++
		_, why := court.hear(sentence{Cites: strings.Fields(row[0]), Says: row[1]})
		if (row[2] == "") != (why == "") || !strings.Contains(why, row[2]) {
			t.Errorf("%s of %s: dropped since %q, want %q", row[1], row[0], why, row[2])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Errorf("only %d sentences", n)
	}
	for name, says := range map[string]string{"an order to the terminal": "GPU 0 of node gpu-01 \x1b[2Jfell off the PCIe bus.", "endless": "The GPU fell off the bus " + strings.Repeat("and off the bus ", 40)} {
		if _, why := court.hear(sentence{Cites: []string{"C1"}, Says: says}); why == "" {
			t.Errorf("%s is told", name)
		}
	}
}

// The same case over each provider's own protocol: a look, a supposition that
// the engine bears out, a lie that is dropped.
func TestWires(t *testing.T) {
	for _, w := range talktest.Wires {
		t.Run(w.Kind, func(t *testing.T) {
			replies := []string{looking("logs", "", "gpu-02", "", 0), supposing("node-disk-fault", "node/gpu-02", `"F1","F2"`), done,
				`{"sentences":[{"cites":["C3"],"says":"A disk of node gpu-02 fails."},{"cites":["C3"],"says":"A disk of node gpu-09 fails."}]}`, `{"sentences":[]}`}
			m := w.Open(t, talktest.Token, func(rw http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(rw, w.Say(replies[0], "", 700))
				replies = replies[1:]
			})
			d := &Desk{Line: &talk.Line{Model: m, Name: w.Kind}}
			c := cluster(t)
			r, a := d.Investigate(t.Context(), c)
			if got := diskFault(r); got.Subject != analyzer.Node("gpu-02") {
				t.Errorf("no disk of gpu-02 fails: %+v", r.Diagnoses)
			}
			if len(a.Added) != 1 || len(a.Told) != 1 || len(a.Dropped) != 1 || !strings.Contains(a.Dropped[0].Why, "gpu-09") || a.Calls != 5 || a.Tokens != 5*700 {
				t.Errorf("the account is %+v", a)
			}
		})
	}
}

// diskFault returns the diagnosis that names a disk, beside which that of a GPU stands.
func diskFault(r analyzer.Report) analyzer.Diagnosis {
	for _, d := range r.Diagnoses {
		if d.Cause == "node-disk-fault" {
			return d
		}
	}
	return analyzer.Diagnosis{}
}

// What is added says whose word it rests on, and what was not captured still is not.
func TestAdded(t *testing.T) {
	d, p := parrot(looking("logs", "", "gpu-02", "", 0), supposing("node-disk-fault", "node/gpu-02", `"F1","F2"`), done, mute)
	c := cluster(t)
	r, a := d.Investigate(t.Context(), c)
	first := diskFault(r)
	if !strings.Contains(strings.Join(first.Caveats, "\n"), "the model parrot pointed at what it rests on: logs/logging/syslog-0/main.log:1, logs/logging/syslog-0/main.log:2") {
		t.Errorf("it is %+v", first)
	}
	if !slices.Contains(r.Unseen, "kernel log of node/gpu-02: not captured") {
		t.Errorf("what was not seen is %q", r.Unseen)
	}
	if !strings.Contains(said(p, 2), `"id":"C3"`) || !strings.Contains(said(p, 3), `node-disk-fault of node/gpu-02`) {
		t.Errorf("the model is not told of the new report: %s", said(p, 2))
	}
	if c.Snapshot.Kernel["gpu-02"] != nil {
		t.Error("the snapshot was changed")
	}
	if len(a.Guesses) > 0 {
		t.Errorf("guesses are %+v", a.Guesses)
	}
}

// What the engine does not bear out changes nothing, whatever is cited for it.
func TestGuesses(t *testing.T) {
	for name, tt := range map[string]struct{ suppose, want string }{
		"nothing new":                {supposing("node-disk-fault", "node/gpu-02", `"E1"`), "nothing is cited for it that the report does not rest on already"},
		"nothing":                    {supposing("node-disk-fault", "node/gpu-02", ``), "nothing is cited for it that the report does not rest on already"},
		"another cause of it":        {supposing("node-conntrack-full", "node/gpu-02", `"F1","F2","F3"`), "none of its rules leads"},
		"another node":               {supposing("node-disk-fault", "node/gpu-01", `"F1","F2"`), "none of its rules leads"},
		"a node that there is not":   {supposing("node-disk-fault", "node/gpu-77", `"F1","F2"`), "nothing is called node/gpu-77"},
		"a GPU that there is not":    {supposing("gpu-fell-off-bus", "gpu/gpu-02/GPU-9", `"F1"`), "nothing is called gpu/gpu-02/GPU-9"},
		"a line that says something": {supposing("node-disk-fault", "node/gpu-02", `"F3"`), "none of its rules leads"},
	} {
		t.Run(name, func(t *testing.T) {
			d, p := parrot(looking("logs", "", "gpu-02", "", 0), tt.suppose, done, mute)
			c := cluster(t)
			r, a := d.Investigate(t.Context(), c)
			if diff := cmp.Diff(c.Report, r); diff != "" {
				t.Errorf("the report (-alone +with a model):\n%s", diff)
			}
			if len(a.Guesses) != 1 || !strings.Contains(a.Guesses[0].Why, tt.want) || len(a.Added) > 0 {
				t.Errorf("guesses are %+v, want %q", a.Guesses, tt.want)
			}
			if !strings.Contains(said(p, 2), "The program does not find that") {
				t.Errorf("the model is told %s", said(p, 2))
			}
		})
	}
	for name, tt := range map[string]struct{ suppose, want string }{
		"a cause that there is not":    {supposing("gremlins", "node/gpu-02", `"F1"`), `There is no cause "gremlins"`},
		"an item that there is not":    {supposing("node-disk-fault", "node/gpu-02", `"F9"`), `there is no item "F9"`},
		"a cause that stands":          {supposing("application-crash", "statefulset/data/etl", `"E1"`), "That is in the report already"},
		"no subject":                   {supposing("node-disk-fault", "everything", `"F1"`), "is not kind/namespace/name"},
		"a form with another key":      {`{"act":"done","rm":"-rf"}`, `has no key "rm"`},
		"a step that there is not":     {`{"act":"delete"}`, `is "delete", want one of`},
		"a look with a cause":          {`{"act":"look","at":"logs","cause":"node-disk-fault"}`, "act look has no use for cause"},
		"prose":                        {"Let me see.", "is no whole JSON"},
		"a look at a thing beside":     {`{"act":"look","at":"files"}`, `is "files", want one of`},
		"logs of everything":           {looking("logs", "", "", "", 0), "say what they hold"},
		"series of no metric":          {looking("series", "", "", "", 0), "by the name of a metric"},
		"incidents without a book":     {looking("incidents", "", "", "", 0), "no book of incidents is at hand"},
		"longer ago than was captured": {looking("events", "", "", "", 5), "nothing is remembered beyond what was captured"},
	} {
		t.Run(name, func(t *testing.T) {
			d, p := parrot(tt.suppose, done, mute)
			c := cluster(t)
			r, a := d.Investigate(t.Context(), c)
			if !strings.Contains(said(p, 1), tt.want) || len(a.Guesses) > 0 || !cmp.Equal(c.Report, r) {
				t.Errorf("the model is told %s; want %q", said(p, 1), tt.want)
			}
		})
	}
}

// A log that an attacker writes can make up a line, and still no cause: the engine
// wants something that it saw by itself to follow from it, and not what the writer
// suffers from.
func TestHearsay(t *testing.T) {
	for node, want := range map[string]string{
		"gpu-01": "nothing that the program saw by itself follows from it",
		"gpu-02": "logs/data/etl-0/main.log:3 was written by pod/data/etl-0, which it would excuse",
		"gpu-0":  "nothing is called node/gpu-0",
	} {
		t.Run(node, func(t *testing.T) {
			c := cluster(t)
			for i := range c.Snapshot.Logs {
				if l := &c.Snapshot.Logs[i]; l.Pod == "etl-0" {
					l.Lines = append(l.Lines, snapshot.Line{At: time.Date(2026, 3, 1, 9, 41, 0, 0, time.UTC), Text: node + " kernel: EXT4-fs (nvme0n1p1): Remounting filesystem read-only", Source: "logs/data/etl-0/main.log:3"})
				}
			}
			d, _ := parrot(looking("logs", "pod/data/etl-0", "kernel", "", 0), supposing("node-disk-fault", "node/"+node, `"F1"`), done, mute)
			r, a := d.Investigate(t.Context(), c)
			if !cmp.Equal(c.Report, r) || len(a.Guesses) != 1 || !strings.Contains(a.Guesses[0].Why, want) {
				t.Errorf("guesses are %+v, the first cause is %s", a.Guesses, r.Diagnoses[0].Cause)
			}
		})
	}
}

// What a collector of logs was sent of a pod is read as the pod's own, where it
// names it, whether the pod is supposed or its workload.
func TestHeardOfPod(t *testing.T) {
	for of, says := range map[string]string{"statefulset/data/etl": "etl-0", "pod/data/etl-0": "etl-0", "statefulset/data/etl ": "etl-00"} {
		t.Run(of, func(t *testing.T) {
			c := cluster(t)
			for i := range c.Snapshot.Logs {
				if l := &c.Snapshot.Logs[i]; l.Pod == "syslog-0" {
					l.Lines = append(l.Lines, snapshot.Line{At: time.Date(2026, 3, 1, 9, 44, 30, 0, time.UTC), Text: says + " main: panic: required environment variable PAY_CLIENT_ID is not set", Source: "logs/logging/syslog-0/main.log:9"})
				}
			}
			d, _ := parrot(looking("logs", "", "panic", "", 0), supposing("environment-variable-missing", strings.TrimSpace(of), `"F1"`), done, mute)
			r, a := d.Investigate(t.Context(), c)
			if added := len(a.Added) == 1 && !cmp.Equal(c.Report, r); added != (says == "etl-0") {
				t.Errorf("added %+v, guesses %+v", a.Added, a.Guesses)
			}
		})
	}
}

// A pod that is gone is judged as it last was, and only by what is cited of it.
func TestGone(t *testing.T) {
	pod := func(status string) json.RawMessage {
		return json.RawMessage(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"old","namespace":"data","uid":"uid-old"},"spec":{"restartPolicy":"Never","nodeName":"gpu-02","containers":[{"name":"main","image":"registry.example.com/app:1","resources":{"limits":{"memory":"1Gi"}}}]},"status":` + status + `}`)
	}
	killed := pod(`{"phase":"Failed","containerStatuses":[{"name":"main","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":"2026-03-01T09:10:00Z","finishedAt":"2026-03-01T09:30:00Z"}}}]}`)
	for name, tt := range map[string]struct{ look, cites, want string }{
		"of itself":         {looking("objects", "pod/data/old", "", "", 0), `"F1","F2"`, ""},
		"of something else": {looking("logs", "pod/logging/syslog-0", "login", "", 0), `"F1"`, "its rules do not take what is cited for a sign of it"},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			c.Snapshot.History = []snapshot.Revision{{At: time.Date(2026, 3, 1, 9, 30, 1, 0, time.UTC), Type: "MODIFIED", Raw: killed, Source: "history.jsonl:1"},
				{At: time.Date(2026, 3, 1, 9, 31, 0, 0, time.UTC), Type: "DELETED", Raw: killed, Source: "history.jsonl:2"}}
			c.Snapshot.Kernel["gpu-02"] = []snapshot.Line{{At: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC), Text: "Memory cgroup out of memory: Killed process 4711 (app) total-vm:1kB", Source: "nodes/gpu-02/kmsg.log:1"}}
			c.Report = diagnose.Diagnose(c.Snapshot, analyzer.Subject{})
			d, _ := parrot(tt.look, supposing("container-oom-killed", "pod/data/old", tt.cites), done, mute)
			r, a := d.Investigate(t.Context(), c)
			if tt.want == "" && (len(a.Added) != 1 || cmp.Equal(c.Report, r)) || tt.want != "" && (len(a.Guesses) != 1 || !strings.Contains(a.Guesses[0].Why, tt.want)) {
				t.Errorf("added %+v, guesses %+v, want %q", a.Added, a.Guesses, tt.want)
			}
		})
	}
}

// A cause of which the engine is not sure is a guess.
func TestUnsure(t *testing.T) {
	c := cluster(t)
	for i := range c.Snapshot.Logs {
		if l := &c.Snapshot.Logs[i]; l.Pod == "syslog-0" {
			l.Lines = append(l.Lines, snapshot.Line{At: time.Date(2026, 3, 1, 9, 35, 0, 0, time.UTC), Text: "gpu-02 kernel: NVRM: Xid (PCI:0000:4e:00): 79, pid=1, name=python, GPU has fallen off the bus.", Source: "logs/logging/syslog-0/main.log:9"})
		}
	}
	d, _ := parrot(looking("logs", "", "fallen", "", 0), supposing("gpu-fell-off-bus", "gpu/gpu-02/GPU-02", `"F1","F2"`), done, mute)
	r, a := d.Investigate(t.Context(), c)
	if !cmp.Equal(c.Report, r) || len(a.Guesses) != 1 || !strings.Contains(a.Guesses[0].Why, "not sure enough") {
		t.Errorf("guesses are %+v", a.Guesses)
	}
}

// A remembering system remembers more than the snapshot shows: what is found there
// is judged where it stands.
type remembers struct {
	*snapshot.Snapshot
	windows []time.Duration
	metrics []string
	err     error
}

func (r *remembers) Since(_ context.Context, _ time.Time, window time.Duration, metrics ...string) (*snapshot.Snapshot, error) {
	r.windows, r.metrics = append(r.windows, window), metrics
	return r.Snapshot, r.err
}

type book []analyzer.Incident

func (b book) List(context.Context, int) ([]analyzer.Incident, error) { return b, nil }

func TestPast(t *testing.T) {
	c := cluster(t)
	at := time.Date(2026, 3, 1, 9, 40, 31, 0, time.UTC)
	past := &remembers{Snapshot: c.Snapshot.With(&snapshot.Snapshot{
		Kernel: map[string][]snapshot.Line{"gpu-02": {{At: at, Text: "EXT4-fs (nvme0n1p1): Remounting filesystem read-only", Source: "history#17"}}},
		Metrics: []snapshot.Series{{Labels: map[string]string{"__name__": "node_filesystem_readonly", "instance": "gpu-02"}, Source: "query#node_filesystem_readonly",
			Samples: []snapshot.Sample{{At: at, Value: 1}}}},
	}), err: errors.New("events: the disk is slow")}
	c.Past = past
	c.Book = book{{ID: "2026-02-11-1", Title: "a disk of gpu-02", Subject: analyzer.Node("gpu-02"), Cause: "node-disk-fault", Opened: at.AddDate(0, 0, -18), Closed: at.AddDate(0, 0, -18).Add(time.Hour)},
		{ID: "2026-02-12-1", Title: "something else", Subject: analyzer.Node("gpu-01"), Opened: at}}
	d, p := parrot(looking("incidents", "node/gpu-02", "", "", 0), looking("logs", "node/gpu-02", "", "", 99), looking("series", "node/gpu-02", "", "node_filesystem_readonly", 3),
		supposing("node-disk-fault", "node/gpu-02", `"F2"`), done, mute)
	r, a := d.Investigate(t.Context(), c)
	if !strings.Contains(said(p, 1), "2026-02-11-1") || strings.Contains(said(p, 1), "something else") {
		t.Errorf("incidents are %s", said(p, 1))
	}
	if s := said(p, 2); !strings.Contains(s, "Remounting") || !strings.Contains(s, "Not all of it could be read: events: the disk is slow.") {
		t.Errorf("logs are %s", s)
	}
	if s := said(p, 3); !strings.Contains(s, "node_filesystem_readonly") || !slices.Equal(past.metrics, []string{"node_filesystem_readonly"}) || !slices.Equal(past.windows, []time.Duration{24 * time.Hour, 3 * time.Hour}) {
		t.Errorf("series over %s of %q are %s", past.windows, past.metrics, s)
	}
	if first := diskFault(r); !slices.ContainsFunc(first.Evidence, func(e analyzer.Evidence) bool { return e.Source == "history#17" }) {
		t.Errorf("the first cause is %s: %+v; %+v", first.Cause, first.Evidence, a.Guesses)
	}
	if !slices.Contains(a.Looked, "logs of node/gpu-02 over 99 h: 1") {
		t.Errorf("it looked at %q", a.Looked)
	}
}

// What one look shows is bounded, and says that there is more.
func TestLooks(t *testing.T) {
	c := cluster(t)
	var many []snapshot.Line
	for i := range 500 {
		many = append(many, snapshot.Line{At: now, Text: fmt.Sprintf("request %d of token=abcdefghijklmnop%04d %s", i, i, strings.Repeat("x", 2000)), Source: fmt.Sprintf("logs/ml/train-0/main.log:%d", i+1)})
	}
	c.Snapshot.Logs = append(c.Snapshot.Logs, snapshot.Log{Namespace: "ml", Pod: "train-0", Container: "main", Lines: many})
	for name, tt := range map[string]struct {
		look string
		want []string
	}{
		"objects":          {looking("objects", "", "", "", 0), []string{"3 pods", "2 nodes"}},
		"names of a kind":  {looking("objects", "pod", "etl", "", 0), []string{"1 pods: data/etl-0"}},
		"an object":        {looking("objects", "pod/data/etl-0", "", "", 0), []string{"CrashLoopBackOff", "DB_PASSWORD"}},
		"events":           {looking("events", "pod/data/etl-0", "BACK-OFF", "", 0), []string{"Back-off restarting failed container", "12 times"}},
		"a kernel log":     {looking("logs", "node/gpu-01", "", "", 0), []string{"Xid (PCI:0000:4e:00): 79"}},
		"too many lines":   {looking("logs", "pod/ml/train-0", "", "", 0), []string{"more, older or earlier in order, are not shown", "request 499"}},
		"series of a GPU":  {looking("series", "gpu/gpu-01/GPU-01", "", "DCGM_FI_DEV_GPU_TEMP", 0), []string{"62 at 2026-03-01 09:00:00 UTC"}},
		"series of a pod":  {looking("series", "pod/ml/train-0", "", "DCGM_FI_DEV_GPU_TEMP", 0), []string{`pod=\"train-0\"`}},
		"series of a node": {looking("series", "node/gpu-02", "", "DCGM_FI_DEV_GPU_TEMP", 0), []string{`Hostname=\"gpu-02\"`}},
		"nothing":          {looking("logs", "", "no such line", "", 0), []string{"There is nothing of that."}},
	} {
		t.Run(name, func(t *testing.T) {
			d, p := parrot(tt.look, done, mute)
			d.Investigate(t.Context(), c)
			got := said(p, 1)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in %s", want, got)
				}
			}
			if len(got) > defaultAnswer+200 {
				t.Errorf("%d bytes are shown", len(got))
			}
			if strings.Contains(got, "XYZZY") || strings.Contains(got, "abcdefghijklmnop") {
				t.Errorf("a secret is shown: %s", got)
			}
		})
	}
}

// A report that says the same many times is shown short.
func TestListing(t *testing.T) {
	f := newFile(&talk.Veil{})
	d := analyzer.Diagnosis{Cause: "cluster-dns-down", Subject: analyzer.Cluster("c"), Confidence: 0.8}
	for i := range 20 {
		d.Evidence = append(d.Evidence, analyzer.Evidence{Source: fmt.Sprintf("l:%d", i), Text: "no such host"}, analyzer.Evidence{Source: fmt.Sprintf("m:%d", i), Text: strings.Repeat(fmt.Sprint(i), 900)})
	}
	r := analyzer.Report{Verdict: analyzer.Diagnosed, Diagnoses: []analyzer.Diagnosis{d}}
	f.open(r)
	got := f.listing(r, mostReport)
	if n := strings.Count(got, "no such host"); n != 1 || len(got) > mostReport+100 || !strings.Contains(got, "more items, most of them alike, are not shown") {
		t.Errorf("%d times, %d bytes", n, len(got))
	}
}

// Whatever a model does, the case comes to its end and the report stands.
func TestBudget(t *testing.T) {
	t.Run("steps", func(t *testing.T) {
		d, p := parrot(restless("events", "")...)
		d.Steps = 3
		_, a := d.Investigate(t.Context(), cluster(t))
		if len(p.Talks) != 3+tries || !slices.Contains(a.Caveats, "the search ended after 3 steps") {
			t.Errorf("%d calls; %q", len(p.Talks), a.Caveats)
		}
	})
	t.Run("tokens", func(t *testing.T) {
		d, p := parrot(restless("events", "")...)
		p.Tokens, d.Tokens = 6000, 40_000
		_, a := d.Investigate(t.Context(), cluster(t))
		if a.Tokens > 40_000 || !strings.Contains(strings.Join(a.Caveats, "\n"), "budget is spent") {
			t.Errorf("%d tokens; %q", a.Tokens, a.Caveats)
		}
		if last := p.Talks[len(p.Talks)-1]; !strings.Contains(last[0].Text, "You tell the person on call") {
			t.Error("nothing is left for telling")
		}
	})
	t.Run("room", func(t *testing.T) {
		d, p := parrot(restless("objects", "pod/data/etl-0")...)
		d.Steps, d.Tokens = 1000, 1<<40
		p.Tokens = 1
		_, a := d.Investigate(t.Context(), cluster(t))
		for _, turns := range p.Talks {
			if n := talk.Length(turns); n > d.Line.Room() {
				t.Fatalf("a talk has %d bytes, more than every model remembers", n)
			}
		}
		if !slices.Contains(a.Caveats, "the search ended where the talk was as long as a model remembers") {
			t.Errorf("caveats are %q", a.Caveats)
		}
	})
	t.Run("repetition", func(t *testing.T) {
		d, p := parrot(looking("events", "", "", "", 0))
		_, a := d.Investigate(t.Context(), cluster(t))
		if len(p.Talks) != 2+tries || !slices.Contains(a.Caveats, "the search ended where the model did the same again") {
			t.Errorf("%d calls; %q", len(p.Talks), a.Caveats)
		}
	})
	t.Run("done, and more", func(t *testing.T) {
		d, p := parrot(`{"at":"","cause":"C1","cites":["C1"],"act":"done","holding":"dont","hours":1,"metric":"matt","of":"freddy"}`, tells)
		_, a := d.Investigate(t.Context(), cluster(t))
		if len(p.Talks) != 2 || len(a.Told) != 1 {
			t.Errorf("%d calls, %+v", len(p.Talks), a)
		}
	})
	t.Run("a short memory", func(t *testing.T) {
		d, p := parrot(restless("events", "")...)
		d.Line.Size = 6000
		_, a := d.Investigate(t.Context(), cluster(t))
		for _, turns := range p.Talks {
			if n := talk.Length(turns); n > d.Line.Room() {
				t.Fatalf("a talk has %d bytes, and there is room for %d", n, d.Line.Room())
			}
		}
		if a.Calls < 2 {
			t.Errorf("%d calls; %q", a.Calls, a.Caveats)
		}
	})
	t.Run("dead", func(t *testing.T) {
		d, p := parrot()
		p.Err = errors.New("connection refused")
		c := cluster(t)
		r, a := d.Investigate(t.Context(), c)
		if !cmp.Equal(c.Report, r) || !strings.Contains(strings.Join(a.Caveats, "\n"), "the model parrot was not heard: connection refused") {
			t.Errorf("%q", a.Caveats)
		}
	})
	t.Run("healthy", func(t *testing.T) {
		d, p := parrot(mute)
		if a := d.Explain(t.Context(), Case{Report: analyzer.Report{Verdict: analyzer.Healthy}}); len(p.Talks) > 0 || len(a.Caveats) != 1 {
			t.Errorf("%d calls, %q", len(p.Talks), a.Caveats)
		}
	})
	t.Run("only a report", func(t *testing.T) {
		d, _ := parrot(tells)
		c := cluster(t)
		_, a := d.Investigate(t.Context(), Case{Report: c.Report, Now: now})
		if len(a.Told) != 1 || len(a.Caveats) != 1 {
			t.Errorf("%+v", a)
		}
	})
}

// A model that does not answer is waited for as long as is configured.
func TestSlow(t *testing.T) {
	d := &Desk{Line: &talk.Line{Model: silent{}, Name: "silent"}, Timeout: 50 * time.Millisecond}
	_, a := d.Investigate(t.Context(), cluster(t))
	if !strings.Contains(strings.Join(a.Caveats, "\n"), "did not answer within 50ms") {
		t.Errorf("%q", a.Caveats)
	}
}

type silent struct{}

func (silent) Reply(ctx context.Context, _ talk.Form, _ []talk.Turn, _ int) (talk.Reply, error) {
	<-ctx.Done()
	return talk.Reply{}, ctx.Err()
}

// A second try counts where it tells more, and what was dropped stays on record.
func TestTries(t *testing.T) {
	d, p := parrot(`{"sentences":[{"cites":["E1"],"says":"GPU 7 fell off the bus."}]}`, tells)
	a := d.Explain(t.Context(), cluster(t))
	if len(a.Told) != 1 || len(a.Dropped) != 1 || !strings.Contains(said(p, 1), "it names GPU 7") {
		t.Errorf("%+v; the model is told %s", a, said(p, 1))
	}
	want := analyzer.Sentence{Text: "GPU 0 of node gpu-01 fell off the PCIe bus (Xid 79).", Cites: []string{"report#gpu-fell-off-bus", "nodes/gpu-01/kmsg.log:1"}}
	if diff := cmp.Diff(want, a.Told[0]); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	d, _ = parrot(tells, mute)
	if a := d.Explain(t.Context(), cluster(t)); len(a.Told) != 1 || a.Calls != 1 {
		t.Errorf("a story without a fault is asked for again: %+v", a)
	}
}

// Everything that leaves is without secrets, and without what was to be hidden;
// it is written down as it left, and names that were hidden come back.
func TestRedacted(t *testing.T) {
	c := cluster(t)
	c.Snapshot.Logs[0].Lines = append(c.Snapshot.Logs[0].Lines, snapshot.Line{Text: "-----BEGIN PRIVATE KEY-----"}, snapshot.Line{Text: "MIIEvAIBADANBgkqhkiGlogin"}, snapshot.Line{Text: "-----END PRIVATE KEY-----"})
	c.Report.Diagnoses[0].Caveats = append(c.Report.Diagnoses[0].Caveats, "seen from 10.2.3.4 with password=hunter2hunter2")
	d, p := parrot(looking("logs", "", "login", "", 0), looking("logs", "pod/data/etl-0", "", "", 0), looking("objects", "pod/data/etl-0", "", "", 0), looking("logs", "vdt-hidden-1-x", "", "", 0), supposing("node-disk-fault", "vdt-hidden-0-x", `"F1"`), done, `{"sentences":[{"cites":["F1"],"says":"Login of vdt-hidden-1-x from vdt-hidden-0-x on gpu-02."}]}`, mute)
	d.Redact = []string{talk.Mail, talk.Address}
	var log strings.Builder
	d.Line.Log = &log
	_, a := d.Investigate(t.Context(), c)
	sent := log.String()
	for _, secret := range []string{"hunter2", "XYZZY", "ada@example.org", "10.2.3.4", "MIIEvAI"} {
		if strings.Contains(sent, secret) {
			t.Errorf("%s left", secret)
		}
	}
	for _, turns := range p.Talks {
		for _, turn := range turns {
			if !strings.Contains(sent, strings.TrimRight(turn.Text, "\n")) {
				t.Errorf("%.200s is not written down", turn.Text)
			}
		}
	}
	if len(a.Told) != 1 || a.Told[0].Text != aside+"Login of ada@example.org from 10.2.3.4 on gpu-02." {
		t.Errorf("it tells %+v, dropped %+v", a.Told, a.Dropped)
	}
}

// The page, the terminal and a report show whose words they are.
func TestWrite(t *testing.T) {
	a := Account{Model: "m", Told: []analyzer.Sentence{{Text: "It <b>fell</b> [off](x).", Cites: []string{"a`b", "c"}}}, Dropped: []Dropped{{"lie", "why"}},
		Guesses: []Supposed{{Cause: "node-disk-fault", Subject: analyzer.Node("n"), Why: "no", Cites: []string{"s"}}}, Caveats: []string{"late"}}
	var text, md strings.Builder
	WriteText(&text, a)
	WriteMarkdown(&md, a)
	for _, want := range []string{"In the words of the model m", "It <b>fell</b> [off](x). [1] [2]", "1 of the model's sentences dropped", `"lie": why`, "guesses, which the engine does not bear out", "node-disk-fault of node/n: no (s)", "late"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if s := md.String(); strings.Contains(s, "<b>") || strings.Contains(s, "[off]") || !strings.Contains(s, "1. `a'b`") {
		t.Errorf("it became markup:\n%s", s)
	}
}

// Whatever is said, it is told or dropped.
func FuzzHear(f *testing.F) {
	c := cluster(f)
	x := &session{Case: c, veil: &talk.Veil{}}
	x.file = newFile(x.veil)
	x.file.open(c.Report)
	court := x.court()
	f.Add("GPU 0 of node gpu-01 fell off the PCIe bus (Xid 79).")
	f.Add("— ' 1e9 +.% ’s \xff")
	f.Fuzz(func(t *testing.T, says string) {
		cites, why := court.hear(sentence{Cites: []string{"C1", "E1"}, Says: says})
		if (len(cites) > 0) == (why != "") {
			t.Errorf("%q cites %q and is dropped since %q", says, cites, why)
		}
		if why == "" && printable(says) != says {
			t.Errorf("%q is told", says)
		}
	})
}

func TestPrompts(t *testing.T) {
	names, err := filepath.Glob("prompt/*.tmpl")
	if err != nil || len(names) != 3 {
		t.Fatalf("prompts are %q, %v", names, err)
	}
	for _, s := range []string{searchPrompt(), render("tell.tmpl", storyForm.Schema()), render("again.tmpl", []string{"a \"b\""})} {
		if s == "" || strings.Contains(s, "<no value>") {
			t.Errorf("a prompt is %q", s)
		}
	}
	if n := len(searchPrompt()); n > 8000 { // a report, eight answers and a reply have to fit beside it
		t.Errorf("the search is explained in %d bytes", n)
	}
}

// A model that is held to a schema says first what it does, and first what a
// sentence rests on: what it has not decided yet it makes up.
func TestKeyOrder(t *testing.T) {
	for first, form := range map[string]talk.Form{"act": moveForm, "sentences": storyForm} {
		if s := form.Schema(); !strings.HasPrefix(s, `{"type":"object","properties":{"`+first+`"`) {
			t.Errorf("want %q first in %.80s", first, s)
		}
	}
}
