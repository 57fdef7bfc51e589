package grammar

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"vedette.dev/nlq"
	"vedette.dev/rules/strictcsv"
)

// costWord is what a phrase of cost.csv does in a question about money.
type costWord struct{ role, value string }

// longestCost is how many words the longest phrase of cost.csv has.
const longestCost = 6

var costWords = sync.OnceValue(func() map[string]costWord {
	words := map[string]costWord{}
	f, err := files.Open("en/cost.csv")
	if err == nil {
		defer f.Close()
		err = strictcsv.Each("en/cost.csv", f, "role,value,words", func(f []string) error {
			for _, w := range strictcsv.List(f[2]) {
				if _, twice := words[w]; twice {
					return fmt.Errorf("%q is there twice", w)
				}
				words[w] = costWord{f[0], f[1]}
			}
			return nil
		})
	}
	if err != nil {
		panic(err) // embedded data
	}
	return words
})

// cost reads: how much does team-a cost, which namespaces waste the most GPU
// hours, who uses the GPUs. It reports false where something else is asked:
// a word that it has no use for, such as memory or above, is another reader's.
func (e *Engine) cost(text string) (nlq.Parse, bool) {
	r := costReader{known: e.Known, words: strings.Fields(costSigns.Replace(text))}
	for i := 0; i < len(r.words); {
		n := r.take(i)
		if n == 0 {
			return nlq.Parse{}, false
		}
		i += n
	}
	return r.parse()
}

// followCost reads: and for team-b, what about last month, by workload.
func (e *Engine) followCost(before nlq.Cost, text string) (nlq.Parse, bool) {
	r := costReader{known: e.Known, words: strings.Fields(costSigns.Replace(text))}
	for i := 0; i < len(r.words); {
		n := r.take(i)
		if n == 0 {
			return nlq.Parse{}, false
		}
		i += n
	}
	if r.Name == "" && r.By == "" && r.Window == 0 && r.Top == 0 && len(r.said) == 0 || before.Of == nlq.Fragmentation {
		return nlq.Parse{}, false
	}
	c := before
	if r.Name != "" {
		c.Kind, c.Name = r.Kind, r.Name
	}
	c.By, c.Window, c.Top = cmp.Or(r.By, c.By), cmp.Or(r.Window, c.Window), cmp.Or(r.Top, c.Top)
	c.Idle = c.Idle || r.said["idle"] || r.said["waste"]
	switch {
	case r.said["money"]:
		c.Of = nlq.Money
	case r.said["hours"]:
		c.Of = nlq.Hours
	}
	return nlq.Parse{Intent: c, Assumed: r.assumed, Confidence: 0.85}, true
}

// costSigns are what a question has beside words. A quotation mark and a
// backtick set off a name, which stands by itself anyway.
var costSigns = strings.NewReplacer("?", " ", "!", " ", ",", " ", `"`, " ", "`", " ", ". ", " ", "“", " ", "”", " ", "’", "'")

type costReader struct {
	known func(string) string
	words []string

	nlq.Cost
	said    map[string]bool // roles
	assumed []string
}

// phrase finds the longest phrase that starts at word i.
func (r *costReader) phrase(i int) (costWord, int) {
	for n := min(longestCost, len(r.words)-i); n > 0; n-- {
		if w, ok := costWords()[strings.ToLower(strings.Join(r.words[i:i+n], " "))]; ok {
			return w, n
		}
	}
	return costWord{}, 0
}

// take gives the words from i on a use, and returns how many.
func (r *costReader) take(i int) int {
	if r.said == nil {
		r.said = map[string]bool{}
	}
	if n := r.length(i); n > 0 {
		return n
	}
	w, n := r.phrase(i)
	switch w.role {
	case "by":
		return n + r.place(w.value, i+n)
	case "last":
		d, _ := model.ParseDuration(w.value)
		r.Window = time.Duration(d)
		if said := strings.ToLower(strings.Join(r.words[i:i+n], " ")); r.Window > day || n == 1 { // a calendar has other weeks and days
			r.assumed = append(r.assumed, fmt.Sprintf("%s is the last %s", said, nlq.Period(r.Window)))
		}
		return n
	case "most":
		if i+n < len(r.words) {
			if k, err := strconv.Atoi(r.words[i+n]); err == nil && k > 0 {
				r.Top = k
				return n + 1
			}
		}
		return n
	case "":
		return r.named(i)
	}
	if w.role != "nothing" {
		r.said[w.role] = true
	}
	return n
}

// agoWords are the units of a time, in hours.
var agoWords = map[string]time.Duration{"hour": time.Hour, "day": day, "week": 7 * day, "month": 30 * day}

// length reads: last 7 days, past 24 hours, 2w.
func (r *costReader) length(i int) int {
	n := i
	if low := strings.ToLower(r.words[n]); low == "last" || low == "past" {
		n++
	}
	if n == len(r.words) || strings.IndexByte("+0123456789", r.words[n][0]) < 0 {
		return 0
	}
	if n+1 < len(r.words) {
		k, err := strconv.Atoi(r.words[n])
		unit, ok := agoWords[strings.TrimSuffix(strings.ToLower(r.words[n+1]), "s")]
		if err == nil && k > 0 && k < 1000 && ok {
			r.Window = time.Duration(k) * unit
			return n + 2 - i
		}
	}
	if d, err := model.ParseDuration(r.words[n]); err == nil && d > 0 {
		r.Window = time.Duration(d)
		return n + 1 - i
	}
	return 0
}

// place reads the name after a kind of place, and returns how many words it
// has: none where what follows is no name, and each of the kind is meant.
func (r *costReader) place(kind string, i int) int {
	if i < len(r.words) && r.Name == "" && isCostName(r.words[i]) {
		if _, n := r.phrase(i); n == 0 && r.length(i) == 0 {
			r.Kind, r.Name = kind, r.words[i]
			return 1
		}
	}
	if r.Name != "" && r.Kind == "" { // the ml namespace
		r.Kind = kind
		return 0
	}
	r.By = kind
	return 0
}

var costName = regexp.MustCompile(`^[a-zA-Z0-9]([-._/a-zA-Z0-9]*[a-zA-Z0-9])?$`)

func isCostName(s string) bool { return costName.MatchString(s) }

// named reads a name that nothing introduces. A plain word is one only where
// it is known, or a kind of place stands behind it.
func (r *costReader) named(i int) int {
	name := r.words[i]
	if r.Name != "" || !isCostName(name) {
		return 0
	}
	kind := ""
	if r.known != nil {
		kind = map[string]string{"namespace": "namespace", "deployment": "workload", "statefulset": "workload", "job": "workload"}[r.known(name)]
	}
	shaped := strings.ContainsAny(name, "-0123456789")
	for _, p := range nlq.Places() {
		if p.Name == "namespace" && p.Shape.MatchString(name) {
			kind = p.Name
		}
	}
	behind := false
	if i+1 < len(r.words) {
		w, _ := r.phrase(i + 1)
		behind = w.role == "by"
	}
	if kind == "" && !shaped && !behind {
		return 0
	}
	if r.Name = name; !behind {
		r.Kind = kind
	}
	return 1
}

// parse puts together what was said.
func (r *costReader) parse() (nlq.Parse, bool) {
	switch {
	case r.said["fragments"] && r.said["gpu"] && r.Name == "":
		return nlq.Parse{Intent: nlq.Cost{Of: nlq.Fragmentation}, Confidence: 0.9}, true
	case r.said["money"]:
		r.Of = nlq.Money
	case r.said["hours"], r.said["waste"] && r.said["gpu"]:
		r.Of = nlq.Hours
	case r.said["users"]:
		r.Of = nlq.Hours
		if r.By == "" {
			r.By = "workload"
		}
	default:
		return nlq.Parse{}, false
	}
	if !r.said["gpu"] && !r.said["hours"] && !r.said["users"] && r.Name == "" && r.By == "" && len(r.words) < 3 {
		return nlq.Parse{}, false // "cost" alone is no question
	}
	r.Idle = r.said["idle"] || r.said["waste"]
	if r.said["waste"] {
		r.assumed = append(r.assumed, "wasted is what somebody had and did not use")
	}
	if r.Window == 0 {
		r.Window = 7 * day
		r.assumed = append(r.assumed, "over the last 7 days")
	}
	return nlq.Parse{Intent: r.Cost, Assumed: r.assumed, Confidence: 0.9}, true
}
