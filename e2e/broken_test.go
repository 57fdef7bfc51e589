//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// A situation is a file of testdata/broken: what is wrong, or that nothing is,
// and the objects that show it, as controllers and kubelets would have left them.
//
// Its documents are objects with their status, and beside it
//
//	events: [{about, type, reason, message, count, component}]     about the object, last seen just now; one or two of them only when it started
//	logs: {main: text, main.previous: text}                        what its container wrote
//
// A document with a workload is a Deployment, its ReplicaSet and a Pod of one
// container called main, which runs well unless it says otherwise:
//
//	workload, namespace, replicas, node, container, pod, status, without: pod, endpoints: a Service's name
type situation struct {
	name     string
	Says     string
	Healthy  bool
	Subjects []string // a diagnosis of any of them is right
	Cause    string   // the right one, of rules/fault/causes.csv
	Tells    string   // a pattern that words match which tell the cause, whoever's
	Open     bool     // it is not diagnosed yet
	docs     []document
	owns     map[string]bool // objects that are in no namespace
	spaces   map[string]bool // namespaces
}

type document struct {
	Workload, Namespace, Without, Endpoints string
	Replicas                                *int64
	Node                                    *string
	Container, Pod                          map[string]any
	Status                                  map[string]any
	Events                                  []happening
	Logs                                    map[string]string
	object                                  map[string]any
}

type happening struct {
	About, Type, Reason, Message, Component string
	Count                                   int
}

func situations(t *testing.T, now time.Time) []*situation {
	t.Helper()
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no situations: %v", err)
	}
	ago := func(d string) (string, error) {
		by, err := time.ParseDuration(d)
		return strconv.Quote(now.Add(-by).UTC().Format(time.RFC3339)), err
	}
	var all []*situation
	for _, file := range files {
		tmpl, err := template.New(filepath.Base(file)).Funcs(template.FuncMap{"ago": ago}).ParseFiles(file)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := tmpl.Execute(&b, nil); err != nil {
			t.Fatal(err)
		}
		s := &situation{name: strings.TrimSuffix(filepath.Base(file), ".yaml"), owns: map[string]bool{}, spaces: map[string]bool{}}
		for i, text := range strings.Split(b.String(), "\n---\n") {
			into, d := any(s), document{}
			if i > 0 {
				into = &d
			}
			err := yaml.Unmarshal([]byte(text), into)
			if err == nil && i > 0 {
				err = yaml.Unmarshal([]byte(text), &d.object)
			}
			if err != nil {
				t.Fatalf("%s, document %d: %v", file, i+1, err)
			}
			if i > 0 {
				s.docs = append(s.docs, d)
			}
		}
		all = append(all, s)
	}
	return all
}

// A builder puts situations into an API server.
type builder struct {
	t      *testing.T
	ctx    context.Context
	any    dynamic.Interface
	mapper meta.RESTMapper
	made   map[string]*unstructured.Unstructured // by kind/namespace/name
	logs   map[string]string                     // by namespace/pod/container[.previous]
	port   int64                                 // of the kubelet that all nodes have
	now    time.Time
}

// breakIt puts all situations into k, and a kubelet that has the logs.
func (k *kube) breakIt(t *testing.T, all []*situation, now time.Time) *builder {
	t.Helper()
	api := &rest.Config{Host: "https://" + k.addr, BearerToken: "root", TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1, WarningHandler: rest.NoWarnings{}}
	client, err := dynamic.NewForConfig(api)
	if err != nil {
		t.Fatal(err)
	}
	menu, err := discovery.NewDiscoveryClientForConfig(api)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(menu)
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{t: t, ctx: t.Context(), any: client, mapper: restmapper.NewDiscoveryRESTMapper(groups),
		made: map[string]*unstructured.Unstructured{}, logs: map[string]string{}, now: now}
	kubelet := httptest.NewTLSServer(http.HandlerFunc(b.serveLog))
	t.Cleanup(kubelet.Close)
	_, port, _ := net.SplitHostPort(kubelet.Listener.Addr().String())
	b.port, _ = strconv.ParseInt(port, 10, 64)
	for _, s := range all {
		for _, d := range s.docs {
			b.build(s, d)
		}
	}
	return b
}

// serveLog answers as the kubelet does to the API server.
func (b *builder) serveLog(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/containerLogs/")
	if r.URL.Query().Get("previous") == "true" {
		rest += ".previous"
	}
	text, known := b.logs[rest]
	if !ok || !known && strings.HasSuffix(rest, ".previous") {
		http.Error(w, "there is no such log", http.StatusNotFound)
		return
	}
	if text == "" {
		return // it said nothing
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if r.URL.Query().Get("timestamps") == "true" {
			line = b.now.Add(-2*time.Minute+time.Duration(i)*time.Second).Format(time.RFC3339Nano) + " " + line
		}
		fmt.Fprintln(w, line)
	}
}

func (b *builder) build(s *situation, d document) {
	b.t.Helper()
	if d.Workload == "" {
		o := d.object
		delete(o, "events")
		delete(o, "logs")
		b.put(s, o)
		b.after(d, o)
		return
	}
	labels := map[string]any{"app": d.Workload}
	container := map[string]any{"name": "main", "image": "registry.example/app:1"}
	maps.Copy(container, d.Container)
	spec := map[string]any{"containers": []any{container}}
	maps.Copy(spec, d.Pod)
	ready := int64(0)
	if d.Status == nil {
		d.Status = map[string]any{"phase": "Running", "podIP": "10.1.0.9", "conditions": []any{condition("Ready", "True", b.now)},
			"containerStatuses": []any{map[string]any{"name": "main", "image": container["image"], "imageID": "", "ready": true, "started": true, "restartCount": int64(0),
				"state": map[string]any{"running": map[string]any{"startedAt": stamp(b.now.Add(-20 * time.Minute))}}}}}
	}
	if statuses, ok := d.Status["containerStatuses"].([]any); ok && statuses[0].(map[string]any)["ready"] == true {
		ready = 1
	}
	replicas := int64(1)
	if d.Replicas != nil {
		replicas = *d.Replicas
	}
	pods := min(replicas, 1)
	if d.Without == "pod" {
		pods, ready = 0, 0
	}
	meta := func(name string, owner ...any) map[string]any {
		m := map[string]any{"name": name, "namespace": d.Namespace, "labels": labels}
		if len(owner) > 0 {
			m["ownerReferences"] = owner
		}
		return m
	}
	template := map[string]any{"metadata": map[string]any{"labels": labels}, "spec": spec}
	selector := map[string]any{"matchLabels": labels}
	available := condition("Available", map[bool]string{true: "True", false: "False"}[ready == replicas], b.now)
	if replicas > ready {
		available["reason"], available["message"] = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
	}
	deployment := map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(d.Workload),
		"spec":   map[string]any{"replicas": replicas, "selector": selector, "template": template},
		"status": map[string]any{"observedGeneration": int64(1), "replicas": pods, "updatedReplicas": pods, "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": replicas - ready, "conditions": []any{available}}}
	set := map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta(d.Workload+"-5d", map[string]any{"kind": "Deployment", "name": d.Workload}),
		"spec":   map[string]any{"replicas": replicas, "selector": selector, "template": template},
		"status": map[string]any{"observedGeneration": int64(1), "replicas": pods, "readyReplicas": ready, "availableReplicas": ready}}
	for _, e := range d.Events {
		if e.Reason == "FailedCreate" && pods == 0 {
			failed := condition("ReplicaFailure", "True", b.now)
			failed["reason"], failed["message"] = e.Reason, strings.TrimPrefix(e.Message, "Error creating: ")
			set["status"].(map[string]any)["conditions"] = []any{failed}
		}
	}
	b.put(s, deployment)
	b.put(s, set)
	pod := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": meta(d.Workload+"-5d-x", map[string]any{"kind": "ReplicaSet", "name": d.Workload + "-5d"}), "spec": spec, "status": d.Status}
	if pods > 0 {
		node := "cpu-01"
		if d.Node != nil {
			node = *d.Node
		}
		if node != "" {
			spec = maps.Clone(spec)
			spec["nodeName"] = node
			pod["spec"] = spec
		}
		b.put(s, pod)
	}
	if d.Endpoints != "" {
		b.put(s, map[string]any{"apiVersion": "v1", "kind": "Endpoints", "metadata": map[string]any{"name": d.Endpoints, "namespace": d.Namespace},
			"subsets": []any{map[string]any{"addresses": []any{map[string]any{"ip": "10.1.0.9", "targetRef": map[string]any{"kind": "Pod", "namespace": d.Namespace, "name": d.Workload + "-5d-x"}}}, "ports": []any{map[string]any{"port": int64(8080)}}}}})
	}
	about := map[string]map[string]any{"": pod, "ReplicaSet": set, "Deployment": deployment}
	for _, e := range d.Events {
		b.after(document{Events: []happening{e}}, about[e.About])
	}
	b.after(document{Logs: d.Logs}, pod)
}

func condition(kind, status string, now time.Time) map[string]any {
	return map[string]any{"type": kind, "status": status, "lastTransitionTime": stamp(now.Add(-20 * time.Minute))}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// put makes an object and then says its status, as the API server wants it.
func (b *builder) put(s *situation, o map[string]any) {
	b.t.Helper()
	u := &unstructured.Unstructured{Object: o}
	if ns := u.GetNamespace(); ns != "" {
		s.spaces[ns] = true
		b.namespace(ns)
	} else {
		s.owns[u.GetName()] = true
	}
	status := o["status"]
	if u.GetKind() == "Node" {
		said := status.(map[string]any)
		said["addresses"] = []any{map[string]any{"type": "InternalIP", "address": "127.0.0.1"}}
		said["daemonEndpoints"] = map[string]any{"kubeletEndpoint": map[string]any{"Port": b.port}}
	}
	for i, owner := range u.GetOwnerReferences() {
		of := b.made[owner.Kind+"/"+u.GetNamespace()+"/"+owner.Name]
		if of == nil { // its kind comes later: the reference is what matters
			of = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": owner.Kind, "metadata": map[string]any{"uid": "uid-of-" + owner.Name}}}
		}
		yes := true
		refs := u.GetOwnerReferences()
		refs[i].APIVersion, refs[i].UID, refs[i].Controller = of.GetAPIVersion(), of.GetUID(), &yes
		u.SetOwnerReferences(refs)
	}
	res := b.resource(u)
	made, err := res.Create(b.ctx, u, metav1.CreateOptions{})
	if err != nil {
		b.t.Fatalf("situation %s: make %s %s: %v", s.name, u.GetKind(), u.GetName(), err)
	}
	if status != nil {
		made.Object["status"] = status
		if made, err = res.UpdateStatus(b.ctx, made, metav1.UpdateOptions{}); err != nil {
			b.t.Fatalf("situation %s: status of %s %s: %v", s.name, u.GetKind(), u.GetName(), err)
		}
	}
	b.made[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()] = made
}

func (b *builder) resource(u *unstructured.Unstructured) dynamic.ResourceInterface {
	b.t.Helper()
	gvk := u.GroupVersionKind()
	m, err := b.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		b.t.Fatal(err)
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		return b.any.Resource(m.Resource)
	}
	return b.any.Resource(m.Resource).Namespace(u.GetNamespace())
}

func (b *builder) namespace(name string) {
	b.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	_, err := b.any.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Create(b.ctx, u, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		b.t.Fatal(err)
	}
}

// after makes the events about an object and keeps its logs.
func (b *builder) after(d document, o map[string]any) {
	b.t.Helper()
	u := &unstructured.Unstructured{Object: o}
	for container, text := range d.Logs {
		b.logs[u.GetNamespace()+"/"+u.GetName()+"/"+container] = text
	}
	for i, e := range d.Events {
		ns := cmp.Or(u.GetNamespace(), "default")
		about := map[string]any{"kind": u.GetKind(), "name": u.GetName(), "apiVersion": u.GetAPIVersion()}
		if u.GetNamespace() != "" {
			about["namespace"] = u.GetNamespace()
		}
		if of := b.made[u.GetKind()+"/"+u.GetNamespace()+"/"+u.GetName()]; of != nil {
			about["uid"] = string(of.GetUID())
		}
		event := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Event",
			"metadata":       map[string]any{"name": fmt.Sprintf("%s.%s%d", u.GetName(), strings.ToLower(e.Reason), i), "namespace": ns},
			"involvedObject": about, "type": cmp.Or(e.Type, "Warning"), "reason": e.Reason, "message": e.Message, "count": int64(max(e.Count, 1)),
			"firstTimestamp": stamp(b.now.Add(-20 * time.Minute)), "lastTimestamp": stamp(time.Now()), "source": map[string]any{"component": e.Component}}}
		if e.Count == 1 || e.Count == 2 {
			event.Object["lastTimestamp"] = stamp(b.now.Add(-20 * time.Minute))
		}
		if _, err := b.resource(event).Create(b.ctx, event, metav1.CreateOptions{}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// focus is what to ask about to hear of the situation.
func (s *situation) focus() string {
	if len(s.Subjects) > 0 && strings.HasPrefix(s.Subjects[0], "node/") {
		return s.Subjects[0]
	}
	return "namespace/" + slices.Sorted(maps.Keys(s.spaces))[0]
}

// situationOf returns whose object that is, or nil where it is nobody's.
func situationOf(all []*situation, namespace, name string) *situation {
	i := slices.IndexFunc(all, func(s *situation) bool { return s.spaces[namespace] || namespace == "" && s.owns[name] })
	if i < 0 {
		return nil
	}
	return all[i]
}
