package llm

import (
	"container/list"
	"crypto/sha256"
	"strings"
	"sync"

	"vedette.dev/nlq"
)

// kept is how many answers are kept: a few weeks of what a team asks, and
// less than a megabyte.
const kept = 1000

// A memory keeps the answers to the last questions: the same words come to the
// same. It belongs to one engine, so catalog and model are the same too.
type memory struct {
	mu    sync.Mutex
	order list.List // of *recalled, the last used first
	by    map[words]*list.Element
}

// words are a question without its text, which may hold secrets.
type words [sha256.Size]byte

type recalled struct {
	words words
	parse nlq.Parse
	err   *nlq.NotUnderstood
}

func wordsOf(q nlq.Question) words {
	return sha256.Sum256([]byte(strings.Join(append(q.Before[:len(q.Before):len(q.Before)], q.Text), "\x00")))
}

func (m *memory) recall(w words) (*recalled, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.by[w]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(e)
	return e.Value.(*recalled), true
}

func (m *memory) keep(r *recalled) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[words]*list.Element{}
	}
	if e, ok := m.by[r.words]; ok { // asked twice at the same time
		e.Value = r
		return
	}
	m.by[r.words] = m.order.PushFront(r)
	if m.order.Len() > kept {
		last := m.order.Back()
		m.order.Remove(last)
		delete(m.by, last.Value.(*recalled).words)
	}
}
