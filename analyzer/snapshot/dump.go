package snapshot

import (
	"bytes"
	"path"
	"regexp"
	"strings"
)

// What kubectl cluster-info dump writes: with --output-directory
//
//	nodes.json
//	<namespace>/{events,replication-controllers,services,daemonsets,deployments,replicasets,pods}.json
//	<namespace>/<pod>/logs.txt                    of all its containers, one after the other
//
// and otherwise the same one after the other, as one text. The names end in
// .yaml with -o yaml. Its logs are those of now, and their lines have no times.

func marksDump(t *tree, name string) bool {
	dir, file := path.Split(name)
	if file != "pods.json" && file != "pods.yaml" {
		return false
	}
	up := path.Dir(path.Clean(dir)) // above the namespace
	_, there := t.files[path.Join(up, "nodes"+path.Ext(name))]
	return there && dir != ""
}

func (b *bundle) dumpFile(name string, data []byte) {
	parts := strings.Split(name, "/")
	n := len(parts)
	if n >= 3 && parts[n-1] == "logs.txt" {
		b.dumpedLogs(name, data, 0)
		return
	}
	resource, ok := resourceAt("dump", parts[n-1])
	if !ok && n >= 2 {
		resource, ok = resourceAt("dump", strings.Join(parts[n-2:], "/"))
	}
	if !ok {
		return
	}
	b.objects(name, resource, data)
	if resource == "pods" {
		b.pages[parts[n-2]] = true
	}
}

var (
	logStarts = regexp.MustCompile(`^==== START logs for container (\S+) of pod ([^/\s]+)/(\S+) ====$`)
	logFails  = regexp.MustCompile(`^(?:Create log request|Request log) error: (.*)$`)
)

// dumpedLogs takes the logs of a text that begins after so many lines of its file.
func (b *bundle) dumpedLogs(name string, data []byte, after int) {
	var log *Log // the one that is open
	var end string
	var refused bool
	for _, l := range parseLines(name, data, after) {
		if log == nil {
			if m := logStarts.FindStringSubmatch(l.Text); m != nil {
				log, refused = &Log{Namespace: m[2], Pod: m[3], Container: m[1], Lines: []Line{}}, false
				end = strings.Replace(l.Text, "START", "END", 1)
			}
			continue
		}
		rest, ends := strings.CutSuffix(l.Text, end) // on the last line of a log that does not end its lines
		switch l.Text = rest; {
		case len(log.Lines) == 0 && logFails.MatchString(rest):
			refused = true
			b.blind("logs of pod/%s/%s, container %s: %s (%s)", log.Namespace, log.Pod, log.Container, logFails.FindStringSubmatch(rest)[1], l.Source)
		case rest != "" || !ends:
			log.Lines = append(log.Lines, l)
		}
		if ends && !refused {
			b.Logs = append(b.Logs, *log)
		}
		if ends {
			log = nil
		}
	}
}

// streamKinds are the lists of a dump that is one text, by their kind.
var streamKinds = map[string]string{"NodeList": "nodes", "EventList": "events", "ReplicationControllerList": "replicationcontrollers", "ServiceList": "services",
	"DaemonSetList": "daemonsets.apps", "DeploymentList": "deployments.apps", "ReplicaSetList": "replicasets.apps", "PodList": "pods"}

var nodeList = regexp.MustCompile(`(?m)^ *"?kind"?: "?NodeList"?,?$`)

func marksStream(t *tree, name string) bool {
	return len(t.files) == 1 && nodeList.Match(t.files[name])
}

// streamFile takes a dump that is one text apart: lists begin and end at the
// left edge, what is between START and END are logs.
func (b *bundle) streamFile(name string, data []byte) {
	read := b.jsonItems
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		read = b.yamlItems
	}
	end := ""
	from, line, at := 0, 0, 0 // of the piece, in lines; where we are
	piece := func() {
		b.dumpedPiece(name, data[from:at], line, read)
		line, from = line+bytes.Count(data[from:at], []byte("\n")), at
	}
	for l := range bytes.Lines(data) {
		text := strings.TrimRight(string(l), "\r\n")
		switch {
		case end != "":
			if strings.HasSuffix(text, end) {
				end = ""
			}
		case logStarts.MatchString(text):
			if !bytes.HasPrefix(data[from:at], []byte("==== START")) {
				piece()
			}
			end = strings.Replace(text, "START", "END", 1)
		case text == "{", text == "---", strings.HasPrefix(text, "apiVersion:"):
			piece()
		}
		at += len(l)
	}
	piece()
}

var kindOf = regexp.MustCompile(`(?m)^(?:    )?"?kind"?: "?(\w+List)"?,?$`)

func (b *bundle) dumpedPiece(name string, data []byte, after int, read func(string, []byte, int) ([]item, bool)) {
	if bytes.HasPrefix(data, []byte("==== START")) {
		b.dumpedLogs(name, data, after)
		return
	}
	m := kindOf.FindSubmatch(data)
	if m == nil {
		return
	}
	resource, ok := streamKinds[string(m[1])]
	if !ok {
		return
	}
	b.take(name, resource, data, after, read)
	if resource == "pods" {
		for _, o := range b.Objects["pods"] {
			if n, err := decode[named](o.Raw); err == nil {
				b.pages[n.Metadata.Namespace] = true
			}
		}
	}
}
