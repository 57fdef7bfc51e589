//go:build e2e

package page

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

func snap(t *testing.T, name string) func(steps ...chromedp.Action[chromedp.Void]) {
	ctx := open(t, &Fake{Nodes: 16}, "#/actions")
	return func(steps ...chromedp.Action[chromedp.Void]) {
		do(t, ctx, steps...)
		p, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		_ = os.WriteFile("/tmp/shots/x-"+name+".png", p, 0o644)
	}
}

func TestTempA(t *testing.T) {
	snap(t, "deny")(click(`[data-id="17"] .deny`), click(`[data-id="16"] .approve`), chromedp.WaitVisible(chromedp.CSS(".confirm")))
	snap(t, "hover")(chromedp.EmulateViewport(1440, 900), chromedp.Evaluate[chromedp.Void](`location.hash="#/fleet?color=power"`), chromedp.WaitVisible(chromedp.CSS(".cell")), chromedp.MouseEvent(chromedp.MouseMoved, 700, 620), chromedp.WaitVisible(chromedp.CSS(".tip")))
	snap(t, "phone")(chromedp.EmulateViewport(420, 900), chromedp.Evaluate[chromedp.Void](`location.hash="#/fleet?color=power"`), chromedp.WaitVisible(chromedp.CSS(".cell")))
	snap(t, "laptop")(chromedp.EmulateViewport(1100, 760), Scheme("dark"), chromedp.Evaluate[chromedp.Void](`location.hash="#/fleet?color=power&gpu=gpu-07%2F3"`), chromedp.WaitVisible(chromedp.CSS(".drawer canvas")))
	snap(t, "published")(chromedp.Evaluate[chromedp.Void](`location.hash="#/ask?q=alert+x"`), click(".publish .primary"), chromedp.WaitVisible(chromedp.CSS(".publish.done")))
	snap(t, "phone-incident")(chromedp.EmulateViewport(420, 900), chromedp.Evaluate[chromedp.Void](`location.hash="#/incidents/2026-11-22-3"`), chromedp.WaitVisible(chromedp.CSS(".account")))
}
