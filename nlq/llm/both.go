package llm

import (
	"context"
	"errors"
	"fmt"

	"vedette.dev/nlq"
	"vedette.dev/rules/catalog"
)

// Both is an [nlq.Engine] that has each question read twice and says where the
// readings differ. The grammar's stands: a model adds doubt, and speaks for
// itself only where the grammar understands nothing. What the grammar refuses,
// or asks back about, no model is asked.
type Both struct {
	Grammar, Model nlq.Engine
	Catalog        *catalog.Catalog // nil is the one that comes with the program
}

var _ nlq.Engine = Both{}

// Parse finds the intent of q.
func (b Both) Parse(ctx context.Context, q nlq.Question) (nlq.Parse, error) {
	p, err := b.Grammar.Parse(ctx, q)
	if err != nil {
		return nlq.First(heard{err}, b.Model).Parse(ctx, q)
	}
	other, err := b.Model.Parse(ctx, q)
	if note := b.compare(p, other, err); note != "" {
		p.Caveats = append(p.Caveats[:len(p.Caveats):len(p.Caveats)], note)
	}
	return p, nil
}

// heard is an engine that was asked already.
type heard struct{ err error }

func (h heard) Parse(context.Context, nlq.Question) (nlq.Parse, error) { return nlq.Parse{}, h.err }

// compare says where the model's reading differs, "" where it does not.
func (b Both) compare(p, other nlq.Parse, err error) string {
	c := b.Catalog
	if c == nil {
		c = catalog.Builtin()
	}
	var not *nlq.NotUnderstood
	switch {
	case errors.As(err, &not) && not.Refused:
		return "the model would refuse this"
	case not != nil:
		return "the model did not understand this; the grammar did"
	case err != nil:
		return err.Error()
	}
	words := nlq.Read(other.Intent, c)
	if nlq.Read(p.Intent, c) == words {
		return ""
	}
	mine, merr := meaningOf(p.Intent, c)
	its, ierr := meaningOf(other.Intent, c)
	switch {
	case merr == nil && ierr == nil && mine.expr != "" && mine.same(its):
		return ""
	case its.expr == "":
		return fmt.Sprintf("the model reads this otherwise: %s", words)
	}
	return fmt.Sprintf("the model reads this otherwise: %s, that is %s", words, its.expr)
}
