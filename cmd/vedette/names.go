package main

import (
	"context"
	"sync"
	"time"

	"vedette.dev/analyzer/store"
	"vedette.dev/nlq"
)

// namesFor is how long what the store knows of names is used before it is asked again.
const namesFor = time.Minute

// names tells the grammar which place a name is of, from the labels of what is stored.
type names struct {
	db *store.Local

	mu    sync.Mutex
	read  time.Time
	place map[string]string
}

// known returns the place that a name is of, "" where the store has none. A
// name of several places is of the first of [nlq.Places].
func (n *names) known(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); now.Sub(n.read) > namesFor {
		n.read, n.place = now, map[string]string{}
		for _, p := range nlq.Places() {
			switch p.Name {
			case "node", "namespace", "pod", "deployment", "statefulset", "daemonset", "job", "cronjob":
				n.add(p, now)
			}
		}
	}
	return n.place[name]
}

func (n *names) add(p nlq.Place, now time.Time) {
	for _, label := range p.Labels {
		values, err := n.db.LabelValues(context.Background(), label, now)
		if err != nil {
			return // without them names are taken by their looks
		}
		for _, v := range values {
			if _, taken := n.place[v]; !taken {
				n.place[v] = p.Name
			}
		}
	}
}
