package grammar

import (
	"strings"

	"vedette.dev/nlq"
)

// parseWhy reads what a why question is about. What is said to be wrong with it
// must make sense and is not used: the diagnosis looks at everything.
func (f *frame) parseWhy() (nlq.Parse, error) {
	f.takeNames()
	w, ns := nlq.Why{}, ""
	for _, fl := range f.filters {
		switch {
		case fl.place == "namespace":
			ns = fl.value
		case w.Name == "" || fl.place == "node" && w.Kind == "gpu":
			w.Kind, w.Name = fl.place, fl.value
		}
	}
	if w.Name == "" {
		f.bareName(&w)
	}
	for i := range f.items {
		if p, n, ok := f.place(i); ok && w.Kind == "" && w.Name == "" {
			w.Kind = p.Name
			for k := range n {
				f.items[i+k].used = true
			}
		}
	}
	if left := f.unexplained(); len(left) > 0 {
		if w.Name == "" {
			return nlq.Parse{}, &nlq.NotUnderstood{Words: left}
		}
		f.assume(0.1, "%s is not used: the diagnosis looks at everything about it that is kept", strings.Join(left, ", "))
	}
	switch {
	case w.Name == "" && ns != "":
		w.Kind, w.Name = "namespace", ns
	case ns != "" && w.Name != "" && !strings.Contains(w.Name, "/"):
		w.Name = ns + "/" + w.Name
	}
	if w.Name == "" && w.Kind == "" {
		f.assume(0.05, "the whole cluster is meant")
	}
	return nlq.Parse{Intent: w, Assumed: f.assumed, Confidence: f.confidence()}, nil
}

// bareName takes a name that nothing introduces: "why is llama-pretrain slow".
// A plain word will do if it is the only one without a meaning.
func (f *frame) bareName(w *nlq.Why) {
	var plain []int
	for i := range f.items {
		if f.isName(i) || f.items[i].name && f.items[i].norms == nil && !f.items[i].used {
			name, to := f.name(i)
			w.Name = name
			for k := i; k < to; k++ {
				f.items[k].used = true
			}
			return
		}
		if f.unknown(i) && f.items[i].low != "high" && f.items[i].low != "low" {
			plain = append(plain, i)
		}
	}
	if len(plain) == 1 {
		w.Name = f.items[plain[0]].raw
		f.items[plain[0]].used = true
		f.assume(0.1, "%q is taken for a name", w.Name)
	}
}

// unexplained returns the words that no why question has.
func (f *frame) unexplained() []string {
	var out []string
	for i, it := range f.items {
		_, state := it.has("state")
		_, all := it.has("this")
		_, _, named := f.place(i)
		switch {
		case it.used, state, all, named, f.plain(it), it.low == "high", it.low == "low", f.words.all(it.norms):
			continue
		}
		out = append(out, it.raw)
	}
	return out
}
