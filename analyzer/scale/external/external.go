// Package external serves how many replicas a pool should have as an external
// metric of Kubernetes, for a HorizontalPodAutoscaler without KEDA:
//
//	metrics:
//	- type: External
//	  external:
//	    metric: {name: vedette_recommended_replicas, selector: {matchLabels: {pool: llm}}}
//	    target: {type: AverageValue, averageValue: "1"}
//
// What a reader would get wrong: a cluster has one server of external metrics,
// and where KEDA or an adapter is it already, this must not take its place.
package external

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"vedette.dev/analyzer/scale"
)

const (
	group   = "external.metrics.k8s.io"
	version = group + "/v1beta1"
	metric  = "vedette_recommended_replicas"

	// stale is how old advice may be: the horizon of a short boot.
	stale = 5 * time.Minute
)

// values is an ExternalMetricValueList:
// https://github.com/kubernetes/metrics/blob/master/pkg/apis/external_metrics/v1beta1/types.go
type values struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ListMeta `json:"metadata"`
	Items           []value         `json:"items"`
}

type value struct {
	MetricName   string            `json:"metricName"`
	MetricLabels map[string]string `json:"metricLabels"`
	Timestamp    metav1.Time       `json:"timestamp"`
	Value        string            `json:"value"` // a quantity
}

// Handler serves the API group. Who may ask is for the API server to decide,
// which passes requests on.
func Handler(d *scale.Desk, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	v := metav1.GroupVersionForDiscovery{GroupVersion: version, Version: "v1beta1"}
	g := metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
	mux.HandleFunc("GET /apis", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{g}})
	})
	mux.HandleFunc("GET /apis/"+group, func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, g) })
	mux.HandleFunc("GET /apis/"+version, func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version,
			APIResources: []metav1.APIResource{{Name: metric, Namespaced: true, Kind: "ExternalMetricValueList", Verbs: metav1.Verbs{"get"}}}})
	})
	mux.HandleFunc("GET /apis/"+version+"/namespaces/{namespace}/{metric}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, d, now())
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "there is no "+r.URL.Path)
	})
	return mux
}

// answer says what the pools that are selected should have. Where one of them
// has no advice there is no answer: a sum without it would take units away.
func answer(w http.ResponseWriter, r *http.Request, d *scale.Desk, now time.Time) {
	if name := r.PathValue("metric"); name != metric {
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("there is no metric %q, only %s", name, metric))
		return
	}
	chosen, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	out := values{TypeMeta: metav1.TypeMeta{Kind: "ExternalMetricValueList", APIVersion: version}, Items: []value{}}
	for _, p := range d.Pools {
		l := map[string]string{"pool": p.Name}
		if !chosen.Matches(labels.Set(l)) {
			continue
		}
		s, _ := d.State(p.Name)
		if s.Advice == nil || now.Sub(s.Advice.At) > stale {
			refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, fmt.Sprintf("there is no advice on pool %s that is newer than %s", p.Name, stale))
			return
		}
		out.Items = append(out.Items, value{metric, l, metav1.NewTime(s.Advice.At.UTC()), fmt.Sprint(s.Advice.Units)})
	}
	write(w, http.StatusOK, out)
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, why string) {
	write(w, code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Message: why, Reason: reason, Code: int32(code)})
}

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // who asked may have gone
}
