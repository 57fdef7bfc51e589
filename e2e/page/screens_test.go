//go:build e2e

package page

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const uiDir = "../../cmd/vedette/ui"

var shots = flag.String("shots", "", "folder to write a picture of every screen to")

// faint finds the text whose contrast with its ground is below WCAG AA, and
// nameless the controls that a screen reader cannot name.
const (
	faint = `(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
  const light = (rgb) => { const [r, g, b] = rgb.map((x) => (x /= 255) <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (el) => {
    for (; el; el = el.parentElement) {
      const s = getComputedStyle(el);
      if (s.backgroundImage !== "none") return null;
      const c = parse(s.backgroundColor);
      if (c.a === 1) return c.rgb;
    }
    return [255, 255, 255];
  };
  const bad = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const el = n.parentElement, s = getComputedStyle(el), on = ground(el);
    if (!n.data.trim() || !on || !el.checkVisibility() || el.closest(".dim, :disabled, noscript")) continue;
    const [a, b] = [light(parse(s.color).rgb), light(on)].sort((x, y) => y - x);
    const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5)) bad.add(el.className + " " + JSON.stringify(n.data.trim().slice(0, 30)) + " " + ((a + .05) / (b + .05)).toFixed(2));
  }
  return [...bad];
})()`
	nameless = `[...document.querySelectorAll("button, a, input, [role=img]")]
  .filter((el) => !(el.textContent.trim() || el.getAttribute("aria-label") || el.title || el.labels?.length)).map((el) => el.outerHTML.slice(0, 120))`
)

type screen struct{ name, server, hash, ready, words string }

func screens(t *testing.T) []screen {
	t.Helper()
	file, err := os.Open("testdata/screens.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []screen
	for _, f := range rows[1:] {
		all = append(all, screen{f[0], f[1], f[2], f[3], f[4]})
	}
	return all
}

// TestScreens draws every screen in light and dark: it shows what it should,
// its text can be read, its controls have names, and the console is silent.
func TestScreens(t *testing.T) {
	servers := map[string]string{}
	for name, nodes := range map[string]int{"small": 16, "large": 256, "empty": 0} {
		s := httptest.NewServer((&Fake{UI: uiDir, Nodes: nodes}).Handler())
		t.Cleanup(s.Close)
		servers[name] = s.URL
	}
	ctx := Browser(t)
	complaints := Complaints(ctx)
	seen := 0
	for _, colours := range []string{"light", "dark"} {
		if err := chromedp.Do(ctx, Scheme(colours)); err != nil {
			t.Fatal(err)
		}
		for _, s := range screens(t) {
			t.Run(s.name+"-"+colours, func(t *testing.T) {
				err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(servers[s.server]+"/"+s.hash), Wait(`document.querySelector('`+s.ready+`')`))
				if err != nil {
					t.Fatalf("draw %s: %v", s.hash, err)
				}
				for _, word := range strings.Split(s.words, "|") {
					soon, cancel := context.WithTimeout(ctx, 15*time.Second)
					if err := chromedp.Do(soon, Wait(fmt.Sprintf("document.querySelector('#app').innerText.includes(%q)", word))); err != nil {
						t.Errorf("%q is not shown: %v", word, err)
					}
					cancel()
				}
				for what, js := range map[string]string{"hard to read": faint, "without a name": nameless} {
					got, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](js))
					if err != nil {
						t.Fatal(err)
					}
					if len(got) > 0 {
						t.Errorf("%s: %s", what, strings.Join(got, "; "))
					}
				}
				all := complaints()
				for _, c := range all[seen:] {
					if s.name != "incident-none" { // the browser itself logs a 404
						t.Errorf("the console shows: %s", c)
					}
				}
				seen = len(all)
				if *shots == "" {
					return
				}
				picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(*shots, s.name+"-"+colours+".png"), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
