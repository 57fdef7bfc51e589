package talk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tmc/langchaingo/llms"
)

// A Model continues a conversation by filling in a form, with at most most
// tokens. It is all that anybody here knows of one.
type Model interface {
	Reply(ctx context.Context, f Form, talk []Turn, most int) (Reply, error)
}

// A Turn is what one side of a conversation said.
type Turn struct {
	By   Speaker
	Text string
}

// A Speaker is a side of a conversation.
type Speaker string

// The sides.
const (
	House   Speaker = "house" // what the model is told to do
	Asker   Speaker = "asker" // what it is to be done with
	Machine Speaker = "model"
)

// A Reply is what a model said and what it cost.
type Reply struct {
	Text   string
	Tokens int // of prompt and reply; 0 where the provider does not say
}

// A chain is any model that langchaingo can speak to.
type chain struct {
	open    func(Form, format) (llms.Model, error) // for replies of that form; it sends nothing
	options []llms.CallOption
	token   string  // some servers repeat it when they do not know it
	format  *ladder // how it is told of a form
}

var _ Model = chain{}

func (c chain) Reply(ctx context.Context, f Form, talk []Turn, most int) (Reply, error) {
	for {
		at := c.format.now()
		r, err := c.once(ctx, f, at, talk, most)
		if err == nil || !isTrouble(noFormat, err.Error()) || !c.format.down(at) {
			return r, err
		}
	}
}

func (c chain) once(ctx context.Context, f Form, at format, talk []Turn, most int) (Reply, error) {
	m, err := c.open(f, at)
	if err != nil {
		return Reply{}, err
	}
	roles := map[Speaker]llms.ChatMessageType{House: llms.ChatMessageTypeSystem, Asker: llms.ChatMessageTypeHuman, Machine: llms.ChatMessageTypeAI}
	var messages []llms.MessageContent
	for _, t := range talk {
		messages = append(messages, llms.TextParts(roles[t.By], t.Text))
	}
	options := append([]llms.CallOption{llms.WithTemperature(0), llms.WithMaxTokens(most)}, c.options...)
	var why error
	out, err := m.GenerateContent(context.WithValue(ctx, troubleKey{}, &why), messages, options...)
	if why != nil {
		err = why
	}
	if err != nil && c.token != "" {
		err = errors.New(strings.ReplaceAll(err.Error(), c.token, "(the token)"))
	}
	switch {
	case err != nil && isTrouble(tooLong, err.Error()):
		return Reply{}, fmt.Errorf("%w: %s", errTooLong, oneLine(err))
	case err != nil:
		return Reply{}, err
	}
	if out == nil || len(out.Choices) == 0 {
		return Reply{}, errors.New("the reply is empty")
	}
	said := out.Choices[0]
	r := Reply{Text: said.Content}
	r.Tokens, _ = said.GenerationInfo["TotalTokens"].(int)
	switch {
	case len(said.ToolCalls) > 0 || said.FuncCall != nil:
		return r, Refused("the model wants to call a function, and there is none")
	case strings.EqualFold(said.StopReason, "length") || strings.EqualFold(said.StopReason, "max_tokens"):
		return r, Refused(fmt.Sprintf("the reply is longer than %d tokens", most))
	}
	return r, nil
}

// A Refused reply came, was paid for, and is no form.
type Refused string

func (r Refused) Error() string { return string(r) }

// Length is how many bytes a talk has.
func Length(talk []Turn) int {
	n := 0
	for _, t := range talk {
		n += len(t.Text)
	}
	return n
}
