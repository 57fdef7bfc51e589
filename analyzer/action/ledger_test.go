package action

import (
	"context"
	"errors"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A hand counts what it was asked to do, and fails when err is set.
type hand struct {
	did []string
	err error
}

func (h *hand) Execute(ctx context.Context, a Action) (string, error) {
	h.did = append(h.did, a.Target)
	return "did it", h.err
}

func open(t *testing.T, dir string, mode Mode, h *hand) *Ledger {
	t.Helper()
	l, err := Open(dir, mode, map[Kind]Executor{CordonNode: h, PublishRule: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func propose(t *testing.T, l *Ledger, a Action, now time.Time) Entry {
	t.Helper()
	e, err := l.Propose(t.Context(), a, now)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var cordon = Action{Kind: CordonNode, Target: "node/a", Reason: "Xid 79"}

func yes(at time.Time) Decision { return Decision{By: "ada", At: at, Approved: true} }

func TestNothingRunsUnapproved(t *testing.T) {
	h := &hand{}
	l := open(t, t.TempDir(), Approve, h)
	e := propose(t, l, cordon, noon)
	if _, err := l.Run(t.Context(), noon); err != nil || len(h.did) > 0 {
		t.Fatalf("an unapproved action ran: %v, %v", h.did, err)
	}
	if _, err := l.Decide(t.Context(), e.ID, yes(noon)); err != nil {
		t.Fatal(err)
	}
	settled, err := l.Run(t.Context(), noon.Add(time.Second))
	if err != nil || len(settled) != 1 || settled[0].State != Done || settled[0].Result != "did it" {
		t.Fatalf("got %+v, %v; want one entry done", settled, err)
	}
	if l.Run(t.Context(), noon.Add(2*time.Second)); len(h.did) != 1 {
		t.Errorf("it ran %d times, want once", len(h.did))
	}
}

func TestKeyIsProposedOnce(t *testing.T) {
	l := open(t, t.TempDir(), Approve, &hand{})
	e := propose(t, l, cordon, noon)
	if again := propose(t, l, cordon, noon.Add(time.Minute)); again.ID != e.ID {
		t.Errorf("a waiting change was proposed twice")
	}
	if _, err := l.Decide(t.Context(), e.ID, Decision{By: "ada", At: noon, Why: "not now"}); err != nil {
		t.Fatal(err)
	}
	if again := propose(t, l, cordon, noon.Add(rest)); again.ID != e.ID {
		t.Errorf("a denied change was proposed again within its rest")
	}
	if again := propose(t, l, cordon, noon.Add(rest+time.Second)); again.ID == e.ID {
		t.Errorf("a denied change was never proposed again")
	}
}

func TestOneRefusalSettles(t *testing.T) {
	h := &hand{}
	l := open(t, t.TempDir(), Approve, h)
	e := propose(t, l, cordon, noon)
	if _, err := l.Decide(t.Context(), e.ID, Decision{By: "ada", At: noon}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Decide(t.Context(), e.ID, yes(noon)); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("a denied action was approved: %v", err)
	}
	if l.Run(t.Context(), noon); len(h.did) > 0 {
		t.Errorf("a denied action ran")
	}
}

func TestObserveOnlyNotes(t *testing.T) {
	l := open(t, t.TempDir(), Observe, &hand{})
	e := propose(t, l, cordon, noon)
	if e.State != Noted {
		t.Fatalf("in observe a cordon is %s, want noted", e.State)
	}
	if _, err := l.Decide(t.Context(), e.ID, yes(noon)); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("a noted action could be approved: %v", err)
	}
	if e := propose(t, l, Action{Kind: PublishRule, Target: "r"}, noon); e.State != Proposed {
		t.Errorf("in observe a rule is %s, want proposed: its asker decides", e.State)
	}
}

func TestProposalsLapse(t *testing.T) {
	l := open(t, t.TempDir(), Approve, &hand{})
	e := propose(t, l, cordon, noon)
	late := noon.Add(lapse + time.Second)
	if _, err := l.Decide(t.Context(), e.ID, yes(late)); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("a lapsed proposal could be approved: %v", err)
	}
	if _, err := l.Run(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Entry(t.Context(), e.ID); got.State != Expired {
		t.Errorf("it is %s, want expired", got.State)
	}
}

func TestFailureIsRecorded(t *testing.T) {
	h := &hand{err: errors.New("the API server refused")}
	l := open(t, t.TempDir(), Approve, h)
	e, err := l.Do(t.Context(), Action{Kind: PublishRule, Target: "r"}, "ada", noon)
	if err != nil {
		t.Fatal(err)
	}
	if e.State != Failed || e.Result != "the API server refused" {
		t.Errorf("got %s %q, want failed with the reason", e.State, e.Result)
	}
}

func TestRunningIsRunAgainAfterACrash(t *testing.T) {
	dir, h := t.TempDir(), &hand{}
	l := open(t, dir, Approve, h)
	e := propose(t, l, cordon, noon)
	if _, err := l.Decide(t.Context(), e.ID, yes(noon)); err != nil {
		t.Fatal(err)
	}
	e.State = Running // as a process leaves it that dies in the executor
	if err := update(t.Context(), l.db, e); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := open(t, dir, Approve, h).Run(t.Context(), noon); err != nil || len(h.did) != 1 {
		t.Errorf("after the crash it ran %d times, want once (%v)", len(h.did), err)
	}
}

func TestUnknown(t *testing.T) {
	l := open(t, t.TempDir(), Approve, &hand{})
	if _, err := l.Propose(t.Context(), Action{Kind: "launch-rocket"}, noon); err == nil {
		t.Error("an action without an executor was proposed")
	}
	if _, err := l.Entry(t.Context(), 42); !errors.Is(err, ErrNoSuchAction) {
		t.Errorf("got %v, want %v", err, ErrNoSuchAction)
	}
	if _, err := l.Decide(t.Context(), 42, Decision{}); err == nil {
		t.Error("a decision without a name was taken")
	}
}

// A number that was set may be set to another at once; a refusal rests.
func TestScaling(t *testing.T) {
	h := &hand{}
	l := open(t, t.TempDir(), Approve, h)
	l.Executors[ScaleBalloon] = h
	a := Action{Kind: ScaleBalloon, Target: "serving/warm"}
	if _, err := l.Last(t.Context(), a, Done); !errors.Is(err, ErrNoSuchAction) {
		t.Errorf("got %v, want %v", err, ErrNoSuchAction)
	}
	for _, units := range []string{"2", "3"} {
		a.Params = map[string]string{"units": units}
		if e, err := l.Do(t.Context(), a, "policy", noon); err != nil || e.State != Done {
			t.Fatalf("setting %s: %s, %v", units, e.State, err)
		}
	}
	if e, err := l.Last(t.Context(), a, Done); err != nil || e.Params["units"] != "3" {
		t.Errorf("the last is %+v, %v", e, err)
	}
	e := propose(t, l, a, noon)
	if _, err := l.Decide(t.Context(), e.ID, Decision{By: "ada", At: noon}); err != nil {
		t.Fatal(err)
	}
	if again := propose(t, l, a, noon.Add(time.Minute)); again.ID != e.ID {
		t.Error("what was refused a minute ago was proposed again")
	}
}

// What nobody has decided on is withdrawn when nothing asks for it any more, or
// waits as long as it says; another number is then asked for at once.
func TestWithdraw(t *testing.T) {
	h := &hand{}
	l := open(t, t.TempDir(), Approve, h)
	l.Executors[ScaleBalloon] = h
	a := Action{Kind: ScaleBalloon, Target: "serving/warm", Waits: 10 * time.Minute}
	first := propose(t, l, a, noon)
	if want := noon.Add(10 * time.Minute); !first.Expires.Equal(want) {
		t.Errorf("it waits until %s, want %s", first.Expires, want)
	}
	if err := l.Withdraw(t.Context(), first.ID, "demand fell", noon); err != nil {
		t.Fatal(err)
	}
	got, err := l.Entry(t.Context(), first.ID)
	if err != nil || got.State != Withdrawn || !got.State.Settled() || got.Result != "demand fell" || !got.Finished.Equal(noon) {
		t.Errorf("it is %+v, %v", got, err)
	}
	if _, err := l.Decide(t.Context(), first.ID, yes(noon)); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("approved after it was withdrawn: %v", err)
	}
	second := propose(t, l, a, noon)
	if second.ID == first.ID {
		t.Fatal("what was withdrawn is not proposed again")
	}
	if _, err := l.Run(t.Context(), noon.Add(11*time.Minute)); err != nil {
		t.Fatal(err)
	}
	third := propose(t, l, a, noon.Add(11*time.Minute))
	if third.ID == second.ID {
		t.Fatal("what lapsed is not proposed again")
	}
	if _, err := l.Decide(t.Context(), third.ID, yes(noon.Add(11*time.Minute))); err != nil {
		t.Fatal(err)
	}
	if err := l.Withdraw(t.Context(), third.ID, "", noon.Add(11*time.Minute)); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("what was approved was withdrawn: %v", err)
	}
}

// Since tells how a number came to be what it is.
func TestSince(t *testing.T) {
	h := &hand{}
	l := open(t, t.TempDir(), Approve, h)
	l.Executors[ScaleBalloon] = h
	for i := range 4 {
		a := Action{Kind: ScaleBalloon, Target: "serving/warm", Params: map[string]string{"units": string(rune('0' + i))}}
		if _, err := l.Do(t.Context(), a, "policy", noon.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		then time.Time
		want string
	}{{noon.Add(-time.Hour), "0123"}, {noon.Add(90 * time.Minute), "123"}, {noon.Add(24 * time.Hour), "3"}} {
		es, err := l.Since(t.Context(), Action{Kind: ScaleBalloon, Target: "serving/warm"}, tt.then)
		got := ""
		for _, e := range es {
			got += e.Params["units"]
		}
		if err != nil || got != tt.want {
			t.Errorf("since %s: %q, %v, want %q", tt.then, got, err, tt.want)
		}
	}
}
