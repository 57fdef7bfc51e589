package talk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/tmc/langchaingo/llms"
)

// A converse is a model of Bedrock, spoken to through Converse, which is the
// same for the models of all vendors. langchaingo's own adapter knows the wire
// format of each vendor instead, and not of the newer ones.
type converse struct {
	api  *bedrockruntime.Client
	name string
}

var _ llms.Model = (*converse)(nil)

// openConverse finds credentials as every AWS program does: the environment,
// the profile, the role of the service account or of the instance.
func openConverse(ctx context.Context, p Provider, client *http.Client) (*converse, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(p.Region))
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no region is set, and the environment names none")
	}
	return &converse{name: p.Name, api: bedrockruntime.NewFromConfig(cfg, func(o *bedrockruntime.Options) {
		o.HTTPClient = client
		o.Retryer = aws.NopRetryer{} // somebody is waiting, and can ask again
		if p.Address != "" {
			o.BaseEndpoint = &p.Address
		}
	})}, nil
}

// GenerateContent sends what is text in messages, and hands back text, what
// tools the model wants to call, and what it cost.
func (c *converse) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	var o llms.CallOptions
	for _, set := range options {
		set(&o)
	}
	in := &bedrockruntime.ConverseInput{ModelId: &c.name, InferenceConfig: &types.InferenceConfiguration{
		MaxTokens: aws.Int32(int32(o.MaxTokens)), Temperature: aws.Float32(float32(o.Temperature))}}
	for _, m := range messages {
		var b strings.Builder
		for _, p := range m.Parts {
			text, ok := p.(llms.TextContent)
			if !ok {
				return nil, fmt.Errorf("a message has a %T, and only text is sent", p)
			}
			b.WriteString(text.Text)
		}
		switch m.Role {
		case llms.ChatMessageTypeSystem:
			in.System = append(in.System, &types.SystemContentBlockMemberText{Value: b.String()})
		case llms.ChatMessageTypeHuman, llms.ChatMessageTypeAI:
			role := types.ConversationRoleUser
			if m.Role == llms.ChatMessageTypeAI {
				role = types.ConversationRoleAssistant
			}
			in.Messages = append(in.Messages, types.Message{Role: role, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: b.String()}}})
		default:
			return nil, fmt.Errorf("a message is of role %s, and no such is sent", m.Role)
		}
	}
	out, err := c.api.Converse(ctx, in)
	if err != nil {
		return nil, err
	}
	said, ok := out.Output.(*types.ConverseOutputMemberMessage)
	if !ok {
		return nil, errors.New("the reply holds no message")
	}
	choice := &llms.ContentChoice{StopReason: string(out.StopReason), GenerationInfo: map[string]any{}}
	if u := out.Usage; u != nil {
		choice.GenerationInfo["TotalTokens"] = int(aws.ToInt32(u.TotalTokens))
	}
	for _, block := range said.Value.Content {
		switch block := block.(type) {
		case *types.ContentBlockMemberText:
			choice.Content += block.Value
		case *types.ContentBlockMemberToolUse:
			choice.ToolCalls = append(choice.ToolCalls, llms.ToolCall{ID: aws.ToString(block.Value.ToolUseId),
				FunctionCall: &llms.FunctionCall{Name: aws.ToString(block.Value.Name)}})
		}
	}
	return &llms.ContentResponse{Choices: []*llms.ContentChoice{choice}}, nil
}

// Call is what the interface had before GenerateContent.
func (c *converse) Call(ctx context.Context, prompt string, options ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, c, prompt, options...)
}
