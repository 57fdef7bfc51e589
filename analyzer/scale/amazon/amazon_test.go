package amazon

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/scale"
)

type sizes struct {
	MinSize     *int32 `json:"minSize,omitempty"`
	MaxSize     *int32 `json:"maxSize,omitempty"`
	DesiredSize *int32 `json:"desiredSize,omitempty"`
}

// service is one node group as EKS serves it: it takes nothing that is not
// signed, knows no other key, and refuses sizes out of order.
type service struct {
	min, desired, max int32
	status            string
	updates           int
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(code int, kind, why string) {
		w.Header().Set("X-Amzn-Errortype", kind)
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(map[string]string{"message": why})
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKID/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/eks/aws4_request") {
		refuse(http.StatusForbidden, "AccessDeniedException", "not signed for eks in eu-west-1")
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /clusters/prod/node-groups/h100":
		json.NewEncoder(w).Encode(map[string]any{"nodegroup": map[string]any{"clusterName": "prod", "nodegroupName": "h100", "status": s.status,
			"scalingConfig": sizes{&s.min, &s.max, &s.desired}}})
	case "POST /clusters/prod/node-groups/h100/update-config":
		var in struct {
			ClientRequestToken string `json:"clientRequestToken"`
			ScalingConfig      sizes  `json:"scalingConfig"`
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil || in.ClientRequestToken == "" {
			refuse(http.StatusBadRequest, "InvalidParameterException", "not such a request")
			return
		}
		least, desired := s.min, s.desired
		if in.ScalingConfig.MinSize != nil {
			least = *in.ScalingConfig.MinSize
		}
		if in.ScalingConfig.DesiredSize != nil {
			desired = *in.ScalingConfig.DesiredSize
		}
		switch {
		case in.ScalingConfig.MaxSize != nil:
			refuse(http.StatusBadRequest, "InvalidParameterException", "the maximum is not to be touched")
			return
		case least > desired || desired > s.max:
			refuse(http.StatusBadRequest, "InvalidParameterException", "desired capacity must be between the minimum and the maximum")
			return
		}
		s.min, s.desired, s.updates = least, desired, s.updates+1
		json.NewEncoder(w).Encode(map[string]any{"update": map[string]any{"id": "u-1", "status": "InProgress"}})
	default:
		refuse(http.StatusNotFound, "ResourceNotFoundException", "no node group found for "+r.URL.Path)
	}
}

func open(t *testing.T, s *service) *Nodegroups {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	n, err := Open(t.Context(), "eu-west-1", srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func to(target, units string) action.Action {
	return action.Action{Kind: action.ScaleNodegroup, Target: target, Params: map[string]string{scale.Units: units}}
}

func TestNodegroups(t *testing.T) {
	s := &service{min: 2, desired: 3, max: 8, status: "ACTIVE"}
	n := open(t, s)
	for _, tt := range []struct {
		units        string
		says         string
		min, desired int32
		updates      int
	}{
		{"3", "node group prod/h100 goes from at least 2 to 3 nodes: update u-1", 3, 3, 1},
		{"6", "node group prod/h100 goes from at least 3 to 6 nodes: update u-1", 6, 6, 2},
		{"6", "node group prod/h100 has at least 6 nodes already", 6, 6, 2}, // again, after a crash
		{"2", "node group prod/h100 goes from at least 6 to 2 nodes: update u-1", 2, 6, 3},
	} {
		got, err := n.Execute(t.Context(), to("prod/h100", tt.units))
		if err != nil || got != tt.says {
			t.Errorf("to %s: %q, %v, want %q", tt.units, got, err, tt.says)
		}
		if s.min != tt.min || s.desired != tt.desired || s.updates != tt.updates {
			t.Errorf("to %s: %+v, want at least %d, %d desired, %d updates", tt.units, s, tt.min, tt.desired, tt.updates)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := &service{min: 2, desired: 3, max: 8, status: "ACTIVE"}
	n := open(t, s)
	for _, tt := range []struct{ status, target, units, want string }{
		{"ACTIVE", "prod/h100", "9", "it may have 8 at most"},
		{"UPDATING", "prod/h100", "4", "the node group is UPDATING"},
		{"ACTIVE", "prod/a100", "4", "read node group prod/a100"},
		{"ACTIVE", "h100", "4", "cluster/node group and a number from 0 up are wanted"},
		{"ACTIVE", "prod/h100", "-4", "cluster/node group and a number from 0 up are wanted"},
	} {
		s.status = tt.status
		if _, err := n.Execute(t.Context(), to(tt.target, tt.units)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s to %s: %v, want %q", tt.target, tt.units, err, tt.want)
		}
	}
	if s.updates != 0 {
		t.Errorf("%d updates were made", s.updates)
	}
}
