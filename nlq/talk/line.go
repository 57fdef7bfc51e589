package talk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// defaultDay is the tokens of a day: some fifty questions of the largest kind.
const defaultDay = 1_000_000

// A Line leads to a model and keeps to a budget. Whoever speaks to the same
// model over the same line shares the day. It must not be copied.
type Line struct {
	Model Model
	Name  string    // what the model is called where it is named to a person
	Day   int       // tokens of prompts and replies for a day in UTC, since the start of the program; 0 is 1,000,000
	Size  int       // tokens that the model remembers, prompt and reply together; 0 is 16,384. It is found out where it is less
	Log   io.Writer // every word that goes either way; nil writes none down

	purse purse
	found size
	log   sync.Mutex
	count struct{ calls, tokens, failures atomic.Int64 }
}

// A Usage is what went over a line.
type Usage struct {
	Calls    int64 // of the model
	Tokens   int64 // of prompts and replies
	Failures int64 // calls that came to nothing: errors, time-outs
}

// Usage returns what went over l. It may be asked at any time.
func (l *Line) Usage() Usage {
	c := &l.count
	return Usage{c.calls.Load(), c.tokens.Load(), c.failures.Load()}
}

// Ask has the model continue a talk once, for at most *left tokens, from which
// it takes what that cost. The talk is what draft makes for so many bytes, and it
// is asked again for fewer where the model turns out to remember less. Where the
// time of ctx ran out the error wraps [context.DeadlineExceeded]; one that is
// [Refused] comes with the reply.
func (l *Line) Ask(ctx context.Context, now time.Time, f Form, draft func(room int) []Turn, left *int) (Reply, error) {
	for {
		size := l.size()
		talk := draft(roomOf(size))
		if n := Length(talk); n > roomOf(size) {
			return Reply{}, fmt.Errorf("the model remembers %d tokens, and %d bytes of what has to be said are too many for that", size, n)
		}
		reply, err := l.once(ctx, now, f, talk, replyOf(size), left)
		if !errors.Is(err, errTooLong) || !l.found.halve(size) {
			return reply, err
		}
	}
}

// once asks for a reply of at most reply tokens.
func (l *Line) once(ctx context.Context, now time.Time, f Form, talk []Turn, reply int, left *int) (Reply, error) {
	most := reply + Length(talk)/perToken
	if most > *left {
		return Reply{}, fmt.Errorf("the question's budget is spent: %d tokens are left, and a call may cost %d", *left, most)
	}
	day := l.Day
	if day == 0 {
		day = defaultDay
	}
	if err := l.purse.take(now, most, day); err != nil {
		return Reply{}, err
	}
	l.count.calls.Add(1)
	said, err := l.Model.Reply(ctx, f, talk, reply)
	l.write(now, f, talk, said, err)
	var no Refused
	failed := err != nil && !errors.As(err, &no)
	spent := said.Tokens
	switch {
	case failed && ctx.Err() == nil:
		spent = 0 // the provider answered that it does not
	case spent == 0:
		spent = most
	}
	*left -= spent
	l.purse.giveBack(now, most-spent)
	l.count.tokens.Add(int64(spent))
	if !failed {
		return said, err
	}
	l.count.failures.Add(1)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return said, fmt.Errorf("ask the model: %w", context.DeadlineExceeded)
	case errors.Is(err, errTooLong):
		return said, err
	}
	return said, errors.New(oneLine(err))
}

// write writes down what was said, for a person to read: all that was sent, since
// a model is sent the whole talk each time.
func (l *Line) write(now time.Time, f Form, talk []Turn, reply Reply, err error) {
	if l.Log == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "=== %s to %s, for a form %q\n", now.UTC().Format(time.RFC3339), l.Name, f.name)
	for _, t := range talk {
		fmt.Fprintf(&b, "--- %s\n%s\n", t.By, strings.TrimRight(t.Text, "\n"))
	}
	fmt.Fprintf(&b, "--- its reply, %d tokens\n%s\n", reply.Tokens, strings.TrimRight(reply.Text, "\n"))
	if err != nil {
		fmt.Fprintf(&b, "--- and that went wrong: %s\n", oneLine(err))
	}
	l.log.Lock()
	defer l.log.Unlock()
	_, _ = io.WriteString(l.Log, b.String()) // who cannot write it down need not be silent
}

// oneLine is what a provider says went wrong, for a person to read.
func oneLine(err error) string { return Short(strings.Join(strings.Fields(err.Error()), " ")) }

// A purse keeps to a budget. What a call may cost at most is taken before it
// and what it did not cost is given back after, so that calls at the same time
// cannot spend more together.
type purse struct {
	mu    sync.Mutex
	day   string
	spent int
}

// take takes n tokens of the day's, or says that there are not so many left.
func (p *purse) take(now time.Time, n, day int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := now.UTC().Format(time.DateOnly); d != p.day {
		p.day, p.spent = d, 0
	}
	if p.spent+n > day {
		return fmt.Errorf("the day's budget is spent: %d of %d tokens, and a call may cost %d", p.spent, day, n)
	}
	p.spent += n
	return nil
}

// giveBack gives back what was taken on the day of now.
func (p *purse) giveBack(now time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.UTC().Format(time.DateOnly) == p.day {
		p.spent -= n
	}
}
