package llm

import (
	"fmt"
	"sync"
	"time"
)

// A Budget is how many tokens may be spent, those of the prompts and those of
// the replies together. Zero fields mean the defaults.
type Budget struct {
	Question int // for one question with all its rounds; 20,000: three rounds of twice the usual prompt
	Day      int // for a day in UTC, since the start of the program; 1,000,000
}

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
