package history

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vedette.dev/analyzer"
)

// A Change is one way in which an object became another than it was.
type Change struct {
	At      time.Time
	Subject analyzer.Subject
	What    string // created, deleted, or the field with what it was and is
	Source  string // of the record that tells it
}

// Changes returns what changed of objects from from to to, in the order of its
// times, at most [Most] changes: what was asked for of them (spec, labels), the
// phases and conditions they were in, not what counts on by itself.
func (l *Log) Changes(ctx context.Context, from, to time.Time) ([]Change, error) {
	rs, err := l.Select(ctx, Want{Kind: KubeObject, From: from, To: to})
	if err != nil {
		return nil, err
	}
	type key struct {
		resource string
		subject  analyzer.Subject
	}
	was := map[key]map[string]string{}
	var out []Change
	for _, r := range rs {
		k := key{r.Attrs[AttrResource], r.Subject}
		before, seen := was[k]
		if !seen {
			if before, err = l.before(ctx, r, from); err != nil {
				return nil, err
			}
		}
		is := fields(r.Text)
		was[k] = is
		switch {
		case r.Attrs[AttrVerb] == "DELETED":
			out = append(out, Change{r.At, r.Subject, "deleted", r.Source()})
			was[k] = nil
		case before == nil:
			if born(r.Text).Before(from) {
				continue // seen for the first time, and older than what is asked about
			}
			out = append(out, Change{r.At, r.Subject, "created", r.Source()})
		default:
			for _, what := range differences(before, is) {
				out = append(out, Change{r.At, r.Subject, what, r.Source()})
			}
		}
	}
	return out[max(0, len(out)-Most):], nil
}

// before returns the fields of r's object as they were at from, nil where it
// was not there or nobody knows.
func (l *Log) before(ctx context.Context, r Record, from time.Time) (map[string]string, error) {
	rs, err := l.Select(ctx, Want{Kind: KubeObject, Subject: r.Subject, To: from.Add(-time.Millisecond), Limit: 1})
	if err != nil || len(rs) == 0 || rs[0].Attrs[AttrVerb] == "DELETED" {
		return nil, err
	}
	return fields(rs[0].Text), nil
}

func born(text string) time.Time {
	var o struct {
		Metadata struct {
			CreationTimestamp time.Time `json:"creationTimestamp"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal([]byte(text), &o) // what is no object was born long ago
	return o.Metadata.CreationTimestamp
}

// told are the parts of an object in which changes are told.
var told = []string{"spec.", "metadata.labels.", "metadata.deletionTimestamp", "status.phase", "status.conditions."}

// fields returns the leaves of an object by their paths. Members of a list go
// by their name or type, so that one more does not change all that follow.
func fields(text string) map[string]string {
	var o any
	if json.Unmarshal([]byte(text), &o) != nil {
		return map[string]string{}
	}
	out := map[string]string{}
	flatten("", o, out)
	maps.DeleteFunc(out, func(path, _ string) bool {
		if rest, ok := strings.CutPrefix(path, "status.conditions."); ok {
			return !strings.HasSuffix(rest, ".status")
		}
		return !slices.ContainsFunc(told, func(p string) bool { return strings.HasPrefix(path, p) })
	})
	return out
}

func flatten(path string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			flatten(strings.TrimPrefix(path+"."+k, "."), e, into)
		}
	case []any:
		for i, e := range v {
			name := fmt.Sprint(i)
			if m, ok := e.(map[string]any); ok {
				for _, k := range []string{"name", "type", "key"} {
					if s, ok := m[k].(string); ok {
						name = s
						break
					}
				}
			}
			flatten(path+"."+name, e, into)
		}
	default:
		into[path] = fmt.Sprint(v)
	}
}

// differences are the fields that differ, by path, in words.
func differences(was, is map[string]string) []string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(is)) {
		switch old, had := was[path]; {
		case !had:
			out = append(out, path+" is "+is[path])
		case old != is[path]:
			out = append(out, fmt.Sprintf("%s was %s, is %s", path, cmp.Or(old, `""`), cmp.Or(is[path], `""`)))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(was)) {
		if _, has := is[path]; !has {
			out = append(out, path+" was "+was[path]+", is gone")
		}
	}
	return out
}
