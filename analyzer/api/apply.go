package api

import (
	"fmt"
	"net/http"

	"vedette.dev/analyzer/action"
	"vedette.dev/analyzer/problem"
	"vedette.dev/rules"
	"vedette.dev/rules/catalog"
	"vedette.dev/rules/check"
	"vedette.dev/rules/publish"
)

// An Application is a rule file that is to stand.
type Application struct {
	By       string `json:"by"`
	File     string `json:"file"`     // what it is called where it comes from: the reason that is noted
	Rules    string `json:"rules"`    // a rule file of Prometheus
	DryRun   bool   `json:"dryRun"`   // say what would change, and change nothing
	TakeOver bool   `json:"takeOver"` // also of groups that are somebody else's
}

// Applied is what came, or would come, of a group.
type Applied struct {
	ID         rules.ID         `json:"id"`
	Changes    []publish.Change `json:"changes"`
	Duplicates []string         `json:"duplicates"` // rules that another group has already, in words
	Action     *action.Entry    `json:"action,omitempty"`
}

// changed reports whether anything differs anywhere.
func (a Applied) changed() bool {
	for _, c := range a.Changes {
		if len(c.Lines) > 0 {
			return true
		}
	}
	return false
}

// apply makes the groups of a rule file stand, each by an action of its own.
// Groups that stand and are not in the file are left alone.
func (a *Routes) apply(w http.ResponseWriter, r *http.Request) (any, error) {
	var said Application
	if err := problem.Read(w, r, &said); err != nil {
		return nil, err
	}
	if said.By == "" && !said.DryRun {
		return nil, problem.New(http.StatusBadRequest, "rules need an owner", `send {"by":"…"}`)
	}
	groups, err := publish.Parse([]byte(said.Rules))
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, err.Error(), "vedette rules check says more")
	}
	standing, err := a.Rules.Dir.Groups()
	if err != nil {
		return nil, err
	}
	for i := range groups {
		groups[i].Owner, groups[i].Asked = said.By, ""
		if err := acceptable(groups[i], standing, said); err != nil {
			return nil, err
		}
	}
	out := []Applied{}
	for _, g := range groups {
		one, err := a.applyOne(r, g, standing, said)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return map[string]any{"groups": out}, nil
}

// acceptable refuses what has errors, and what is somebody else's.
func acceptable(g rules.Group, standing []rules.Group, said Application) error {
	for _, f := range check.Group(g, catalog.Builtin()) {
		if f.Severity == check.Error {
			return problem.New(http.StatusBadRequest, fmt.Sprintf("group %s: %s (%s)", g.ID, f.Text, f.Check), "vedette rules check shows where")
		}
	}
	for _, s := range standing {
		theirs := s.ID == g.ID && s.Owner != said.By && s.Owner != "vedette"
		if theirs && !said.TakeOver && !said.DryRun {
			return problem.New(http.StatusConflict, fmt.Sprintf("group %s is owned by %s", g.ID, s.Owner), "--take-over makes it yours")
		}
	}
	return nil
}

func (a *Routes) applyOne(r *http.Request, g rules.Group, standing []rules.Group, said Application) (Applied, error) {
	out := Applied{ID: g.ID, Duplicates: duplicates(g, standing)}
	var err error
	if out.Changes, err = a.Rules.Changes(r.Context(), g); err != nil {
		return out, err
	}
	if said.DryRun || !out.changed() {
		return out, nil
	}
	body, err := publish.Encode(g)
	if err != nil {
		return out, err
	}
	e, err := a.Ledger.Do(r.Context(), action.Action{Kind: action.PublishRule, Target: string(g.ID), Params: map[string]string{"group": string(body)},
		Reason: fmt.Sprintf("%s applied %s", said.By, said.File), Effect: fmt.Sprintf("%d rules are evaluated from now on", len(g.Rules))}, said.By, a.Now())
	out.Action = &e
	return out, err
}

// duplicates finds rules of g that another group that stands has under
// whatever name: the same expression, written in whatever way, for as long.
func duplicates(g rules.Group, standing []rules.Group) []string {
	out := []string{}
	for _, r := range g.Rules {
		normal, ok := check.Normal(r.Expr)
		if !ok {
			continue
		}
		for _, s := range standing {
			if s.ID == g.ID {
				continue
			}
			for _, other := range s.Rules {
				if n, ok := check.Normal(other.Expr); ok && n == normal && other.For == r.For {
					out = append(out, fmt.Sprintf("rule %s does the same as %s of group %s", r.Name, other.Name, s.ID))
				}
			}
		}
	}
	return out
}
