package grammar

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"vedette.dev/rules/catalog"
)

// A token is a piece of a question as it was written.
type token struct {
	raw    string
	quoted bool // within quotation marks: a name, whatever it looks like
	metric bool // the exact name of a metric
	sign   bool // punctuation that has a meaning or must not be there
	whole  string
	lead   bool // a colon stands behind it
	ends   bool // a sentence: a full stop stands behind it
	part   int  // of whole, where it was split at hyphens
	parts  int
}

// spaces and marks that end a word without a meaning of their own.
const silent = ",;?)"

// tokens splits a question. Words are split at hyphens only where that is
// undone easily: each part knows its whole.
func tokens(text string, c *catalog.Catalog) []token {
	text = rewritten(signs.Replace(text))
	out := make([]token, 0, 1+len(text)/4) // words are longer
	for i := 0; i < len(text); {
		r := rune(text[i])
		switch {
		case r < 0x80 && unicode.IsSpace(r), strings.ContainsRune(silent, r):
			i++
		case r == '!' && (i+1 == len(text) || text[i+1] != '='):
			i++
		case r == ':' && i+1 < len(text) && text[i+1] == ' ' && len(out) > 0:
			out[len(out)-1].lead = true
			i++
		case r == '(':
			if len(out) == 0 || out[len(out)-1].raw != "(" {
				out = append(out, token{raw: "("}) // what stands in brackets may be a condition of its own
			}
			i++
		case r == '"' || r == '`':
			t, n := quotedToken(text[i:])
			out = append(out, t)
			i += n
		case strings.ContainsRune("<>=!", r):
			n := 1
			if i+1 < len(text) && text[i+1] == '=' {
				n = 2
			}
			out = append(out, token{raw: text[i : i+n], sign: true})
			i += n
		case strings.ContainsRune("{}[]|~$\\#", r):
			out = append(out, token{raw: text[i : i+1], sign: true})
			i++
		default:
			n := runLength(text[i:])
			if strings.HasSuffix(text[i:i+n], ":") && n > 1 && i+n < len(text) {
				n--
			}
			parts := split(text[i:i+n], c)
			if len(parts) > 0 && text[i+n-1] == '.' {
				parts[len(parts)-1].ends = true
			}
			out = append(out, parts...)
			i += n
		}
	}
	return out
}

// signs are written in many ways.
var signs = strings.NewReplacer("º", "°", "℃", "°C", "’", "'", "“", `"`, "”", `"`, "≥", ">=", "≤", "<=", "=>", " ", "->", " ", "→", " ", "\u00a0", " ", "…", " ", " + ", " plus ")

// A rewriting is a way to write something that is read as another. It is tried only
// where the text, in lower case, has one of some letters: a pattern looks at all of
// them in every way, and few texts have any use for one.
type rewriting struct {
	has     []string
	pattern *regexp.Regexp
	as      string
	by      func(string) string // in place of as
}

// expiries are rewritten in a text about certificates: what runs out of those
// expires, and all else that does has a low end.
var (
	certificate = rewriting{has: []string{"cert"}, pattern: regexp.MustCompile(`(?i)\bcert(?:ificate)?s?\b`)}
	expiries    = []rewriting{
		{has: []string{" out"}, pattern: regexp.MustCompile(`(?i)\b(?:runs?|running|ran) out\b`), as: "expires"},
		{has: []string{"expir"}, pattern: regexp.MustCompile(`(?i)\bexpir(?:es?|ing) (?:with)?in (?:the next |under )?([0-9]|(?:a|one|two|three|four|five|six) )`), as: "expires in less than $1"},
	}
)

var rewritings = []rewriting{
	// A comparison that is written as it sounds: more then 30.
	{has: []string{"er then", "more then", "less then"}, pattern: regexp.MustCompile(`(?i)\b(more|less|fewer|(?:high|low|long|short|hot|warm|cool|cold|old|young|big|small|slow|fast|great|larg|few|wid|narrow)er) then\b`), as: "$1 than"},
	// A factor: 3x the batch size.
	{has: []string{"x "}, pattern: regexp.MustCompile(`(?i)\b([0-9]+(?:\.[0-9]+)?)x (the|its|their|what|as|more|higher|larger|longer|that)\b`), as: "$1 times $2"},
	// A number or more: 50+ jobs.
	{has: []string{"+"}, pattern: regexp.MustCompile(`(^|\s)([0-9]+(?:\.[0-9]+)?[a-zA-Z%]{0,3})\+(?:\s|$)`), as: "${1}at least $2 "},
	// A count within a time: 4 restarts / 20m.
	{has: []string{" /"}, pattern: regexp.MustCompile(` / ?([0-9])`), as: " within $1"},
	// A count in a second: tokens/s.
	{has: []string{"/s"}, pattern: regexp.MustCompile(`\b[a-z]{3,}/s(?:ec)?\b`), by: perSecond},
	// A unit that is written out: GB per second.
	{has: []string{" per sec"}, pattern: regexp.MustCompile(`\b([kKMGT]i?(?:B|bit|b)|[kMG]bits?) per sec(?:ond)?\b`), as: "$1/s"},
	// A load average by the time that it is over.
	{has: []string{" load"}, pattern: regexp.MustCompile(`\b(1|5|15)-(min|minute) load\b`), as: "$1 $2 load"},
	// A job of Slurm by its number: GPUs know it as that of a batch system. The label
	// that says it may stand behind it.
	{has: []string{"slurm job"}, pattern: regexp.MustCompile(`(?i)\bslurm job(?: id)? ([0-9]+)`), as: "hpc job $1"},
	{has: []string{"slurm job"}, pattern: regexp.MustCompile(`(?i)\b(each|every|per|by) slurm job\b`), as: "$1 hpc job"},
	{has: []string{"hpc_job"}, pattern: regexp.MustCompile(`(?i) ?\((?:the )?(?:label )?hpc_job(?: label)?\)`), as: ""},
	{has: []string{"five-min", "fifteen-min", "one-min"}, pattern: regexp.MustCompile(`(?i)\b(?:one|five|fifteen)-min(?:ute)? load\b`), by: loadOver},
	// What a sensor reads: reads over 30 °C.
	{has: []string{"reads "}, pattern: regexp.MustCompile(`(?i)\breads (over|above|below|under|more|less|higher|lower)\b`), as: "$1"},
	// How long something waits in a queue: sits in the queue longer than 3 s, spends over 3 s
	// in the queue.
	{has: []string{"queue"}, pattern: regexp.MustCompile(`(?i)\b(?:waits?|sits?|stays?|spends?|(?:is|are) (?:waiting|stuck|sitting)|waiting|spent) (?:in|on) (?:the |its |their |a )?(\w+ )??queue (?:for )?((?:longer|more|over) )`), as: "${1}queue time $2"},
	{has: []string{"in the queue", "in its queue", "in queue", "queueing", "queued"}, pattern: regexp.MustCompile(`(?i)\b(?:waits?|sits?|stays?|spends?) (longer than|more than|over|at least) ((?:[0-9.]+|half a|a|an|one|two|three|five|ten) ?[a-z]+) (?:in (?:the |its )?queue|queueing|queued)\b`), as: "queue time $1 $2"},
	// How old what still runs is: still active 36 hours after its start.
	{has: []string{" after "}, pattern: regexp.MustCompile(`(?i)\bstill (active|running) (?:more than |over )?([0-9.]+ ?[a-z]+) after (?:its|the|their) (?:start|creation)\b`), as: "that started more than $2 ago and is still $1"},
	// What is left out by where it belongs: unless they belong to namespace batch.
	{has: []string{"unless "}, pattern: regexp.MustCompile(`(?i)\bunless (?:they|it|the \w+) (?:belongs? to|comes? from|(?:is|are) part of|(?:is|are) owned by)\b`), as: "excluding"},
	// What is left out, behind what it is: the lab machines (dgx-lab-*) should be left out.
	{has: []string{" left out", " excluded", " ignored", " skipped"}, pattern: regexp.MustCompile(`(?i)[.;,]? (?:the |our |but )*(?:\w+ )?(machines|hosts|nodes|pods|namespaces|jobs|models|devices) \(([\w*.-]+)\) (?:should|must|can|may) be (?:left out|excluded|ignored|skipped)\b`), as: " excluding $1 $2"},
	// What went down, with where it is in between: the link of mlx5_2 went down.
	{has: []string{" went down", " goes down"}, pattern: regexp.MustCompile(`(?i)\b(links?) ((?:of|on|at) (?:(?:any|a|some|the|one) )?[\w-]+) (went|goes) down\b`), as: "$1 $3 down $2"},
	{has: []string{" went down", " goes down"}, pattern: regexp.MustCompile(`(?i)\b(links?) ([\w-]*[0-9][\w-]*) (went|goes) down\b`), as: "$1 $3 down on $2"},
	// Whose GPUs most are: nvidia gpus.
	{has: []string{"nvidia gpus", "nvidia cards"}, pattern: regexp.MustCompile(`(?i)\bnvidia (gpus|cards)\b`), as: "$1"},
	{has: []string{"it has capacity for"}, pattern: regexp.MustCompile(`(?i)\bthan it has capacity for\b`), as: "than its capacity"},
	// What time goes to: loses over 2% of its time to thermal violations.
	{has: []string{" time to "}, pattern: regexp.MustCompile(`(?i)\b(?:loses|losing|spends) ((?:over|more than|at least|above) [\w. ]+?%?|(?:over|more than) (?:a|an) \w+) of (?:its|the|their) time to ([a-zA-Z]+(?: [a-zA-Z]+)?)`), as: "$2 $1 of the time"},
	// A window as if there were but one: within the hour.
	{has: []string{"within the "}, pattern: regexp.MustCompile(`(?i)\bwithin the (minute|hour|day|week)\b`), as: "within 1 $1"},
	// What there should be more of: is short of replicas, has lost a slave.
	{has: []string{"missing", "short", "lack", "lost", "lose"}, pattern: regexp.MustCompile(`(?i)\b(?:(?:(?:is|are|has been|have been|was|were|runs?|running) )?(?:still )?(?:missing|short (?:of|on)|lacking)|lacks?|(?:has |have )?lost|loses) (?:some of its |one of its |one or more |any of its |some |any |one |its |a |an |of )?(replicas?|pods|slaves?|members?)\b`), as: "missing $1"},
	// How conditions of objects are printed: Ready=False.
	{has: []string{"="}, pattern: regexp.MustCompile(`\b([A-Z][A-Za-z]+) ?={1,2} ?"?(?:True|true)\b"?`), as: "$1"},
	{has: []string{"="}, pattern: regexp.MustCompile(`\b([A-Z][A-Za-z]+) ?={1,2} ?"?(?:False|false)\b"?`), as: "not $1"},
	// The words that end in "not", however they are written.
	{has: []string{"n't", "isnt", "arent", "wasnt", "werent", "doesnt", "dont", "didnt", "hasnt", "havent", "wont", "cant", "cannot"}, pattern: regexp.MustCompile(`(?i)(^|\s)(?:isn'?t|aren'?t|wasn'?t|weren'?t|doesn'?t|don'?t|didn'?t|hasn'?t|haven'?t|won'?t|can'?t|cannot)\b`), as: "${1}not"},
}

// in reports whether w may be in a text, which is low in lower case.
func (w rewriting) in(low string) bool {
	return slices.ContainsFunc(w.has, func(s string) bool { return strings.Contains(low, s) })
}

// rewritten returns text as it is read.
func rewritten(text string) string {
	if strings.Contains(text, "#") {
		text = numberSign.ReplaceAllString(text, "number of ")
	}
	low := strings.ToLower(text)
	with := rewritings
	if certificate.in(low) && certificate.pattern.MatchString(text) {
		with = slices.Concat(expiries, rewritings)
	}
	for _, w := range with {
		switch {
		case !w.in(low):
			continue
		case w.by != nil:
			text = w.pattern.ReplaceAllStringFunc(text, w.by)
		default:
			text = w.pattern.ReplaceAllString(text, w.as)
		}
		low = strings.ToLower(text)
	}
	return text
}

// loadOver writes the time that a load average is over in figures.
func loadOver(s string) string {
	number, _, _ := strings.Cut(strings.ToLower(s), "-")
	return map[string]string{"one": "1", "five": "5", "fifteen": "15"}[number] + " minute load"
}

// perSecond reads tokens/s. Of bits there is a unit.
func perSecond(s string) string {
	what, _, _ := strings.Cut(s, "/")
	if strings.HasSuffix(what, "bit") || strings.HasSuffix(what, "bits") {
		return s
	}
	return what + " per second"
}

// numberSign stands for "number of" before what is counted.
var numberSign = regexp.MustCompile(`^\s*#\s+`)

// quotedToken reads a name in quotation marks; without the second mark it is a
// sign that must not be there.
func quotedToken(s string) (token, int) {
	for end := 1; end < len(s); end++ {
		switch s[end] {
		case '\\':
			end++
		case s[0]:
			name := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1:end])
			return token{raw: name, quoted: true}, end + 1
		}
	}
	return token{raw: s[:1], sign: true}, 1
}

var thousands = regexp.MustCompile(`^[0-9]{1,3}(?:,[0-9]{3})+`)

func runLength(s string) int {
	n := len(thousands.FindString(s))
	for n < len(s) && !strings.ContainsRune(silent+"(\"`<>=!{}[]|~$\\#", rune(s[n])) && !(s[n] < 0x80 && unicode.IsSpace(rune(s[n]))) {
		n++
	}
	return max(n, 1)
}

// plusShape is at least so much: 98%+.
var plusShape = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?[%A-Za-z°]*)\+$`)

// clockShape is a full hour of a day: 22:00.
var clockShape = regexp.MustCompile(`^([01]?[0-9]|2[0-4]):00h?$`)

// rangeShape is a range of numbers: 18-27, 9-17h.
var rangeShape = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(?:-|–|\.\.\.?)([0-9]+(?:\.[0-9]+)?[A-Za-z%°/]*)$`)

func split(run string, c *catalog.Catalog) []token {
	run = strings.TrimRight(run, ".:")
	switch run = strings.TrimLeft(run, ":'"); {
	case strings.Trim(run, "-–—") == "":
		return nil
	case thousands.MatchString(run):
		run = strings.ReplaceAll(run, ",", "")
	}
	if strings.ContainsAny(run, "_:") { // "up" is a word
		if _, ok := c.Measure(catalog.ID(run)); ok {
			return []token{{raw: run, metric: true}}
		}
		if id, ok := c.EndingIn(run); ok {
			return []token{{raw: string(id), metric: true}}
		}
	}
	digit := run[0] >= '0' && run[0] <= '9'
	if digit {
		if m := plusShape.FindStringSubmatch(run); m != nil {
			return []token{{raw: m[1]}, {raw: "or"}, {raw: "more"}}
		}
		if m := clockShape.FindStringSubmatch(run); m != nil {
			return []token{{raw: m[1]}}
		}
		if m := rangeShape.FindStringSubmatch(run); m != nil {
			return []token{{raw: m[1]}, {raw: "to"}, {raw: m[2]}}
		}
	}
	if digit || strings.ContainsAny(run, "/*_") || run[0] == '-' {
		return []token{{raw: strings.TrimSuffix(run, "'s")}}
	}
	run = strings.TrimRight(run, "'")
	if strings.HasSuffix(run, "-") {
		return []token{{raw: run}}
	}
	parts := strings.Split(run, "-")
	if len(parts) == 1 || strings.Contains(run, "--") {
		return []token{{raw: run}}
	}
	if strings.EqualFold(parts[0], "per") {
		return []token{{raw: parts[0]}, {raw: strings.Join(parts[1:], "-")}}
	}
	var ts []token
	for i, p := range parts {
		ts = append(ts, token{raw: p, whole: run, part: i, parts: len(parts)})
	}
	return ts
}
