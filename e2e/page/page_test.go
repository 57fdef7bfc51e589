//go:build e2e

package page

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// open serves f and opens the page at hash; the test fails if the console of
// the page shows anything by its end.
func open(t *testing.T, f *Fake, hash string) context.Context {
	t.Helper()
	f.UI = uiDir
	s := httptest.NewServer(f.Handler())
	t.Cleanup(s.Close)
	ctx := Browser(t)
	complaints := Complaints(ctx)
	t.Cleanup(func() {
		if got := complaints(); len(got) > 0 {
			t.Errorf("the console shows:\n%s", strings.Join(got, "\n"))
		}
	})
	do(t, ctx, chromedp.Navigate(s.URL+"/"+hash))
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)
}

func TestPublishAndUndo(t *testing.T) {
	f := &Fake{Nodes: 16}
	const question = "alert me when any GPU in prod is too hot"
	ctx := open(t, f, "#/ask")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#question"), question+"\r"), click(".publish button.primary"),
		Wait(`document.querySelector(".publish.done")?.innerText.includes("revision 1 of gpu-temp-above-85 is loaded")`))
	want := []Post{
		{"/vedette/v1/ask", map[string]any{"text": question, "publish": false, "by": "page"}},
		{"/vedette/v1/ask", map[string]any{"text": question, "publish": true, "by": "page"}},
	}
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}

	do(t, ctx, click(".publish .danger"), Wait(`document.querySelector(".publish.done").innerText.includes("was taken out")`))
	want = append(want, Post{"/vedette/v1/rules/gpu-temp-above-85/undo", map[string]any{"by": "page"}})
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}

// TestGoesOn holds what was asked before to go along with what is asked next.
func TestGoesOn(t *testing.T) {
	f := &Fake{Nodes: 16}
	const first, next = "average GPU power per node", "and what changed?"
	ctx := open(t, f, "#/ask")
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#question"), first+"\r"), Wait(`!!document.querySelector(".answer.query")`))
	evaluate[string](t, ctx, `document.querySelector("#question").value = ""`)
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#question"), next+"\r"),
		Wait(`document.querySelector(".answer.changes")?.innerText.includes("spec.replicas was 2, is 3")`))
	want := []Post{
		{"/vedette/v1/ask", map[string]any{"text": first, "publish": false, "by": "page"}},
		{"/vedette/v1/ask", map[string]any{"text": next, "before": []any{first}, "publish": false, "by": "page"}},
	}
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}

func TestDenyAsksForAReason(t *testing.T) {
	f := &Fake{Nodes: 16}
	ctx := open(t, f, "#/actions")
	const entry = `[data-id="17"]`
	do(t, ctx, click(entry+" .deny"), chromedp.WaitVisible(chromedp.CSS(entry+" .confirm input")))
	if !evaluate[bool](t, ctx, `document.querySelector('`+entry+` .confirm .danger').disabled`) {
		t.Error("one can deny without a reason")
	}
	do(t, ctx, chromedp.SendKeys(chromedp.CSS(entry+" .confirm input"), "it is drained already"), click(entry+" .confirm .danger:enabled"),
		Wait(`!document.querySelector('`+entry+`')`)) // it waits no longer
	want := []Post{{"/vedette/v1/actions/17/deny", map[string]any{"by": "page", "why": "it is drained already"}}}
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	do(t, ctx, click(`[data-value="settled"]`), Wait(`document.querySelector('`+entry+`')?.innerText.includes("denied by page")`))
}

func TestApproveNamesTheTarget(t *testing.T) {
	f := &Fake{Nodes: 16}
	ctx := open(t, f, "#/actions")
	const entry = `[data-id="16"]`
	do(t, ctx, chromedp.SetValue(chromedp.CSS(".who input"), "ada"),
		chromedp.Evaluate[chromedp.Void](`document.querySelector(".who input").dispatchEvent(new Event("change", {bubbles: true}))`),
		click(entry+" .approve"), chromedp.WaitVisible(chromedp.CSS(entry+" .confirm")))
	if got := f.Posts(); len(got) > 0 {
		t.Errorf("the first click posts %v already", got)
	}
	if got, want := evaluate[string](t, ctx, `document.querySelector('`+entry+` .confirm .primary').innerText`), "Cordon node gpu-02"; got != want {
		t.Errorf("the button says %q, want %q", got, want)
	}
	do(t, ctx, click(entry+" .confirm .primary"), Wait(`!document.querySelector('`+entry+`')`))
	want := []Post{{"/vedette/v1/actions/16/approve", map[string]any{"by": "ada", "why": ""}}}
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}

func TestNotedCannotBeApproved(t *testing.T) {
	ctx := open(t, &Fake{Nodes: 16}, "#/actions?state=noted")
	do(t, ctx, Wait(`document.querySelector(".entry.noted")`))
	if n := evaluate[int](t, ctx, `document.querySelectorAll(".entry button").length`); n != 0 {
		t.Errorf("a noted action has %d buttons", n)
	}
}

func TestRuleUndoAsksFirst(t *testing.T) {
	f := &Fake{Nodes: 16}
	ctx := open(t, f, "#/rules")
	do(t, ctx, click(`[data-id="team-a-gpu-hot"] .undo`), click(`[data-id="team-a-gpu-hot"] .confirm .danger`),
		Wait(`!document.querySelector('[data-id="team-a-gpu-hot"]') && document.querySelector(".entryline").innerText.includes("taken out")`))
	want := []Post{{"/vedette/v1/rules/team-a-gpu-hot/undo", map[string]any{"by": "page"}}}
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}

func TestKeysMoveOverTheMap(t *testing.T) {
	ctx := open(t, &Fake{Nodes: 16}, "#/fleet")
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".cell")), chromedp.Focus(chromedp.CSS(`.cell[tabindex="0"]`)))
	focused := func() string { return evaluate[string](t, ctx, `document.activeElement.dataset.key || ""`) }
	// Pools are in order of name, so serve's gpu-13 is the first row.
	for _, step := range []struct{ keys, want string }{
		{"", "gpu-01/0"}, {"ArrowRight", "gpu-01/1"}, {"ArrowDown", "gpu-02/1"}, {"ArrowLeft", "gpu-02/0"}, {"ArrowLeft", "gpu-02/0"},
		{"End", "gpu-02/7"}, {"Home", "gpu-02/0"}, {"ArrowUp", "gpu-01/0"}, {"ArrowUp", "gpu-16/0"},
	} {
		if step.keys != "" {
			evaluate[bool](t, ctx, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "`+step.keys+`", bubbles: true, cancelable: true})) || true`)
		}
		if got := focused(); got != step.want {
			t.Fatalf("after %s the focus is on %q, want %q", step.keys, got, step.want)
		}
	}
	do(t, ctx, chromedp.KeyEvent("\r"), Wait(`document.querySelector(".drawer h2")?.innerText === "gpu-16 GPU 0"`))
	if got, want := evaluate[string](t, ctx, `location.hash`), "#/fleet?gpu=gpu-16%2F0"; got != want {
		t.Errorf("the address is %s, want %s", got, want)
	}
	do(t, ctx, chromedp.KeyEvent("\x1b"), Wait(`!document.querySelector(".drawer")`))
	if got := focused(); got != "gpu-16/0" {
		t.Errorf("closed, the focus is on %q", got)
	}
	if n := evaluate[int](t, ctx, `document.querySelectorAll('.cell[tabindex="0"]').length`); n != 1 {
		t.Errorf("%d cells can be tabbed to, want 1", n)
	}
}

func TestColours(t *testing.T) {
	ctx := open(t, &Fake{Nodes: 16}, "#/fleet")
	ground := func() string { return evaluate[string](t, ctx, `getComputedStyle(document.body).backgroundColor`) }
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".theme")))
	light := ground()
	do(t, ctx, Scheme("dark"))
	dark := ground()
	if light == dark {
		t.Fatalf("light and dark are both %s", light)
	}
	do(t, ctx, click(".theme"), Wait(`document.documentElement.dataset.theme === "light"`))
	if got := ground(); got != light {
		t.Errorf("turned to light, the ground is %s, want %s", got, light)
	}
	do(t, ctx, chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(".theme")))
	if got := ground(); got != light {
		t.Errorf("loaded again, the ground is %s, want %s", got, light)
	}
	do(t, ctx, click(".theme"), Wait(`document.documentElement.dataset.theme === "dark"`), Scheme("light"))
	if got := ground(); got != dark {
		t.Errorf("turned to dark, the ground is %s, want %s", got, dark)
	}
}

func TestToken(t *testing.T) {
	s := httptest.NewServer((&Fake{UI: uiDir, Nodes: 16, Token: "s3cret&x"}).Handler())
	t.Cleanup(s.Close)
	ctx := Browser(t)
	do(t, ctx, chromedp.Navigate(s.URL), chromedp.WaitVisible(chromedp.CSS("form.token")),
		chromedp.SendKeys(chromedp.CSS("form.token input"), "s3cret&x\r"), chromedp.WaitVisible(chromedp.CSS(".cell")))

	do(t, ctx, chromedp.Evaluate[chromedp.Void](`sessionStorage.clear()`), chromedp.Navigate("about:blank"),
		chromedp.Navigate(s.URL+"/#token=s3cret%26x"), chromedp.WaitVisible(chromedp.CSS(".cell")))
	if got, want := evaluate[string](t, ctx, `location.hash`), "#/fleet"; got != want {
		t.Errorf("the address keeps %s, want %s", got, want)
	}
}

func TestUnderAPrefix(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/ops/vedette/", http.StripPrefix("/ops/vedette", (&Fake{UI: uiDir, Nodes: 16}).Handler()))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	ctx := Browser(t)
	complaints := Complaints(ctx)
	do(t, ctx, chromedp.Navigate(s.URL+"/ops/vedette/#/fleet?gpu=gpu-01%2F0"), chromedp.WaitVisible(chromedp.CSS(".drawer canvas")))
	if got := complaints(); len(got) > 0 {
		t.Errorf("the console shows:\n%s", strings.Join(got, "\n"))
	}
}

func TestCopyAsMarkdown(t *testing.T) {
	ctx := open(t, &Fake{Nodes: 16}, "#/incidents/2026-11-22-3")
	// Where the browser does not let the page use the clipboard, the text is shown.
	do(t, ctx, click(".copy button"), Wait(`document.querySelector(".copy").innerText.includes("Copied") || document.querySelector(".copy textarea")?.value.startsWith("# GPU 3 of gpu-07")`))
}

func TestSlashAsks(t *testing.T) {
	ctx := open(t, &Fake{Nodes: 16}, "#/incidents")
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(".incidents")), chromedp.KeyEvent("/"), Wait(`document.activeElement.id === "question"`))
	if got := evaluate[string](t, ctx, `document.activeElement.value`); got != "" {
		t.Errorf("the box holds %q", got)
	}
}

// TestComplaints shows that a breach of the policy would be seen.
func TestComplaints(t *testing.T) {
	s := httptest.NewServer((&Fake{UI: uiDir, Nodes: 1}).Handler())
	t.Cleanup(s.Close)
	ctx := Browser(t)
	complaints := Complaints(ctx)
	do(t, ctx, chromedp.Navigate(s.URL), chromedp.WaitVisible(chromedp.CSS(".cell")))
	evaluate[bool](t, ctx, `(() => { const s = document.createElement("script"); s.textContent = "window.breached = true"; document.body.append(s); return true; })()`)
	if evaluate[bool](t, ctx, `!!window.breached`) {
		t.Error("an inline script runs")
	}
	for ctx.Err() == nil {
		for _, c := range complaints() {
			if strings.Contains(c, "Content Security Policy") {
				return
			}
		}
		do(t, ctx, Wait(`true`)) // lets the browser's message come
	}
	t.Error("the breach is not seen in the console")
}

// TestVendored checks that the vendored files are those that VENDOR.md states.
func TestVendored(t *testing.T) {
	dir := filepath.Join(uiDir, "vendor")
	text, err := os.ReadFile(filepath.Join(dir, "VENDOR.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Split(line, "|"); len(f) == 8 && strings.Contains(f[1], ".") {
			want[strings.TrimSpace(f[1])] = strings.TrimSpace(f[6])
		}
	}
	got := map[string]string{}
	for _, pattern := range []string{"*.js", "*.css"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			raw, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(raw)
			got[filepath.Base(p)] = hex.EncodeToString(sum[:])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("vendored files (-VENDOR.md +folder):\n%s", diff)
	}
}

// A person says that an anomaly is none, with a reason, and takes it back.
func TestDismissAndRestore(t *testing.T) {
	f := &Fake{Nodes: 16}
	ctx := open(t, f, "#/incidents")
	const row = `[data-anomaly="7"] `
	do(t, ctx, Wait(`document.querySelector('`+row+`.dismiss')`), click(row+".dismiss"), Wait(`document.querySelector('`+row+`.confirm input')`))
	if !evaluate[bool](t, ctx, `document.querySelector('`+row+`.confirm .primary').disabled`) {
		t.Error("an anomaly may be dismissed without a reason")
	}
	do(t, ctx, chromedp.SendKeys(chromedp.CSS(row+".confirm input"), "a new model is loaded", chromedp.NodeVisible), click(row+".confirm .primary"),
		Wait(`document.querySelector('`+row+`').innerText.includes('raised from 4096 MiB to 28200 MiB')`), click(row+".restore"), Wait(`document.querySelector('`+row+`.dismiss')`))
	want := []Post{{Path: "/vedette/v1/anomalies/7/dismiss", Body: map[string]any{"by": "page", "why": "a new model is loaded", "for": ""}},
		{Path: "/vedette/v1/anomalies/7/restore", Body: map[string]any{"by": "page"}}}
	if diff := cmp.Diff(want, f.Posts()); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}
