package talk

import "testing"

// What models put around a form is nothing; what is beside it, or half of one, is
// no form.
func TestAround(t *testing.T) {
	type form struct {
		Is string `json:"is" one:"so not"`
	}
	for _, good := range []string{
		`{"is":"so"}`, "```json\n{\"is\":\"so\"}\n```", "```\n{\"is\":\"so\"}```", "Sure! Here it is:\n{\"is\":\"so\"}", "{\"is\":\"so\"}\n\nI hope this helps.",
		"<think>{is it} so?</think>{\"is\":\"so\"}", "{is it} so?</think>\n{\"is\":\"so\"}", "{\"is\":\"so\"}<|im_end|>\n",
	} {
		if f, err := Decode[form](good); err != nil || f.Is != "so" {
			t.Errorf("%q comes to %+v, %v", good, f, err)
		}
	}
	for _, bad := range []string{"", "so", "{", "}{", `{"is":"so"`, `{"is":"so"} {"is":"not"}`, `{"is":"so"} or {"is":"not"}`, `{is it} {"is":"so"}`, `{"is":"so","is":"so"}`, `<think>{"is":"so"}</think>`} {
		if f, err := Decode[form](bad); err == nil {
			t.Errorf("%q comes to %+v", bad, f)
		}
	}
}
