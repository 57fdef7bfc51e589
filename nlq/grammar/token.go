package grammar

import (
	"regexp"
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
	text = strings.NewReplacer("º", "°", "℃", "°C", "’", "'", "“", `"`, "”", `"`, "≥", ">=", "≤", "<=", "=>", " ", "->", " ", "→", " ", "\u00a0", " ", "…", " ", " + ", " plus ").Replace(text)
	text = numberSign.ReplaceAllString(text, "number of ")
	if certificate.MatchString(text) {
		text = runsOut.ReplaceAllString(text, "expires")
		text = expiresIn.ReplaceAllString(text, "expires in less than $1")
	}
	text = thenThan.ReplaceAllString(text, "$1 than")
	text = timesOf.ReplaceAllString(text, "$1 times $2")
	text = orMore.ReplaceAllString(text, "${1}at least $2 ")
	text = perShape.ReplaceAllString(text, " within $1")
	text = perSecond.ReplaceAllStringFunc(text, func(s string) string {
		what, _, _ := strings.Cut(s, "/")
		if strings.HasSuffix(what, "bit") || strings.HasSuffix(what, "bits") {
			return s
		}
		return what + " per second"
	})
	text = hyphenated.ReplaceAllString(text, "$1 $2 load")
	text = isFalse.ReplaceAllString(isTrue.ReplaceAllString(text, "$1"), "not $1")
	text = contractions.ReplaceAllString(text, "${1}not")
	var out []token
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

// numberSign stands for "number of" before what is counted.
var numberSign = regexp.MustCompile(`^\s*#\s+`)

// A certificate that runs out expires; all else that does has a low end.
var (
	certificate = regexp.MustCompile(`(?i)\bcert(?:ificate)?s?\b`)
	expiresIn   = regexp.MustCompile(`(?i)\bexpir(?:es?|ing) (?:with)?in (?:the next |under )?([0-9]|(?:a|one|two|three|four|five|six) )`)
	runsOut     = regexp.MustCompile(`(?i)\b(?:runs?|running|ran) out\b`)
)

// thenThan is a comparison that is written as it sounds: more then 30.
var thenThan = regexp.MustCompile(`(?i)\b(more|less|fewer|(?:high|low|long|short|hot|warm|cool|cold|old|young|big|small|slow|fast|great|larg|few|wid|narrow)er) then\b`)

// timesOf is a factor: 3x the batch size.
var timesOf = regexp.MustCompile(`(?i)\b([0-9]+(?:\.[0-9]+)?)x (the|its|their|what|as|more|higher|larger|longer|that)\b`)

// orMore is a number or more: 50+ jobs.
var orMore = regexp.MustCompile(`(^|\s)([0-9]+(?:\.[0-9]+)?[a-zA-Z%]{0,3})\+(?:\s|$)`)

// perShape is a count within a time: 4 restarts / 20m.
var perShape = regexp.MustCompile(` / ?([0-9])`)

// perSecond is a count in a second: tokens/s.
var perSecond = regexp.MustCompile(`\b[a-z]{3,}/s(?:ec)?\b`)

// hyphenated is a load average by the time that it is over.
var hyphenated = regexp.MustCompile(`\b(1|5|15)-(min|minute) load\b`)

// isTrue and isFalse are how conditions of objects are printed: Ready=False.
var isTrue, isFalse = regexp.MustCompile(`\b([A-Z][A-Za-z]+) ?={1,2} ?"?(?:True|true)\b"?`), regexp.MustCompile(`\b([A-Z][A-Za-z]+) ?={1,2} ?"?(?:False|false)\b"?`)

// contractions are the words that end in "not", however they are written.
var contractions = regexp.MustCompile(`(?i)(^|\s)(?:isn'?t|aren'?t|wasn'?t|weren'?t|doesn'?t|don'?t|didn'?t|hasn'?t|haven'?t|won'?t|can'?t)\b`)

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

// capitals is how exporters of GPUs call their metrics.
var capitals = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)

// endOf returns the metric whose name ends with run: people leave away what
// all names of an exporter begin with, as in FB_USED.
func endOf(run string, c *catalog.Catalog) (catalog.ID, bool) {
	if !capitals.MatchString(run) {
		return "", false
	}
	best := catalog.ID("")
	for _, m := range c.All() {
		if strings.HasSuffix(string(m.ID), "_"+run) && (best == "" || len(m.ID) < len(best)) {
			best = m.ID
		}
	}
	return best, best != ""
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
	if _, ok := c.Measure(catalog.ID(run)); ok && strings.ContainsAny(run, "_:") { // "up" is a word
		return []token{{raw: run, metric: true}}
	}
	if id, ok := endOf(run, c); ok {
		return []token{{raw: string(id), metric: true}}
	}
	if m := plusShape.FindStringSubmatch(run); m != nil {
		return []token{{raw: m[1]}, {raw: "or"}, {raw: "more"}}
	}
	if m := clockShape.FindStringSubmatch(run); m != nil {
		return []token{{raw: m[1]}}
	}
	if m := rangeShape.FindStringSubmatch(run); m != nil {
		return []token{{raw: m[1]}, {raw: "to"}, {raw: m[2]}}
	}
	if strings.ContainsAny(run, "/*_") || run[0] == '-' || run[0] >= '0' && run[0] <= '9' {
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
