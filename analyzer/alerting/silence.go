package alerting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	api "github.com/prometheus/alertmanager/api/v2/client"
	"github.com/prometheus/alertmanager/api/v2/client/silence"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// creator is under which name silences are made: an Alertmanager shows it.
const creator = "vedette"

// slack is how much sooner than asked for a silence may end and still be the
// one that is asked for: the time between two tries to make it.
const slack = time.Minute

// A Silencer has Alertmanagers tell nobody of some alerts for a while. The
// zero value has none, and fails.
type Silencer struct {
	at   []string // URLs
	each []silence.ClientService
}

// NewSilencer returns a silencer of the Alertmanagers at urls. A URL that does
// not parse is an error.
func NewSilencer(urls []string) (*Silencer, error) {
	s := &Silencer{at: urls}
	for _, raw := range urls {
		u, err := address(raw)
		if err != nil {
			return nil, err
		}
		path := strings.TrimSuffix(u.Path, "/") + api.DefaultBasePath
		s.each = append(s.each, silence.New(client.New(u.Host, path, []string{u.Scheme}), strfmt.Default))
	}
	return s, nil
}

// Silence silences what matchers, the text of a label selector, select from
// now to until at every Alertmanager, reads each silence back, and says what
// it did. Where such a silence stands already it makes no other. An error
// names the Alertmanagers that have none.
func (s *Silencer) Silence(ctx context.Context, selector string, now, until time.Time, comment string) (string, error) {
	return s.atEach(selector, func(c silence.ClientService, ms models.Matchers) (string, error) {
		standing, err := standing(ctx, c, ms)
		if err != nil {
			return "", err
		}
		for _, old := range standing {
			if ends := time.Time(*old.EndsAt); !ends.Before(until.Add(-slack)) {
				return fmt.Sprintf("silence %s stands until %s", *old.ID, ends.UTC().Format(time.RFC3339)), nil
			}
		}
		starts, ends, by := strfmt.DateTime(now), strfmt.DateTime(until), creator
		made, err := c.PostSilences(silence.NewPostSilencesParamsWithContext(ctx).WithSilence(&models.PostableSilence{
			Silence: models.Silence{Matchers: ms, StartsAt: &starts, EndsAt: &ends, CreatedBy: &by, Comment: &comment}}))
		if err != nil {
			return "", err
		}
		id := made.Payload.SilenceID
		back, err := c.GetSilence(silence.NewGetSilenceParamsWithContext(ctx).WithSilenceID(strfmt.UUID(id)))
		if err != nil {
			return "", fmt.Errorf("read silence %s back: %w", id, err)
		}
		if state := *back.Payload.Status.State; state != models.SilenceStatusStateActive {
			return "", fmt.Errorf("silence %s is %s", id, state)
		}
		return fmt.Sprintf("silence %s stands until %s", id, until.UTC().Format(time.RFC3339)), nil
	})
}

// Lift ends every silence of just these matchers, whoever made it.
func (s *Silencer) Lift(ctx context.Context, selector string) (string, error) {
	return s.atEach(selector, func(c silence.ClientService, ms models.Matchers) (string, error) {
		standing, err := standing(ctx, c, ms)
		if err != nil {
			return "", err
		}
		if len(standing) == 0 {
			return "nothing is silenced by these matchers", nil
		}
		var ended []string
		for _, old := range standing {
			if _, err := c.DeleteSilence(silence.NewDeleteSilenceParamsWithContext(ctx).WithSilenceID(strfmt.UUID(*old.ID))); err != nil {
				return "", fmt.Errorf("end silence %s: %w", *old.ID, err)
			}
			ended = append(ended, *old.ID)
		}
		return "ended silence " + strings.Join(ended, ", "), nil
	})
}

// atEach calls do for every Alertmanager and joins what comes of it.
func (s *Silencer) atEach(selector string, do func(silence.ClientService, models.Matchers) (string, error)) (string, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		return "", fmt.Errorf("silence %s: %w", selector, err)
	}
	if len(s.each) == 0 {
		return "", errors.New("no Alertmanager is configured: nobody is told, and there is nothing to silence")
	}
	ms := matchers(parsed)
	var did []string
	var errs []error
	for i, c := range s.each {
		said, err := do(c, ms)
		if err != nil {
			errs = append(errs, fmt.Errorf("alertmanager %s: %w", s.at[i], err))
			continue
		}
		did = append(did, fmt.Sprintf("%s at %s", said, s.at[i]))
	}
	if len(errs) > 0 && len(did) > 0 {
		errs = append(errs, fmt.Errorf("but %s", strings.Join(did, "; ")))
	}
	return strings.Join(did, "; "), errors.Join(errs...)
}

// standing returns the silences that are active or will be and have just ms.
func standing(ctx context.Context, c silence.ClientService, ms models.Matchers) ([]*models.GettableSilence, error) {
	all, err := c.GetSilences(silence.NewGetSilencesParamsWithContext(ctx))
	if err != nil {
		return nil, err
	}
	var out []*models.GettableSilence
	for _, s := range all.Payload {
		if *s.Status.State != models.SilenceStatusStateExpired && same(s.Matchers, ms) {
			out = append(out, s)
		}
	}
	return out, nil
}

// same reports whether a and b select the same, in whatever order.
func same(a, b models.Matchers) bool {
	key := func(ms models.Matchers) []string {
		var out []string
		for _, m := range ms {
			equal := m.IsEqual == nil || *m.IsEqual // Alertmanagers before 0.22 leave it out
			out = append(out, fmt.Sprintf("%s %t %t %s", *m.Name, equal, *m.IsRegex, *m.Value))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(key(a), key(b))
}

func matchers(ms []*labels.Matcher) models.Matchers {
	var out models.Matchers
	for _, m := range ms {
		equal := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
		regex := m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp
		out = append(out, &models.Matcher{Name: &m.Name, Value: &m.Value, IsEqual: &equal, IsRegex: &regex})
	}
	return out
}

// Firing returns the labels of the alerts that fire now, alertname among them.
func (m *Manager) Firing() []map[string]string {
	var out []map[string]string
	for _, rule := range m.Rules.AlertingRules() {
		for _, a := range rule.ActiveAlerts() {
			if a.State == rules.StateFiring {
				out = append(out, a.Labels.Map())
			}
		}
	}
	return out
}
