// A language model behind OpenAI's chat completions, on loopback: what the
// tests of e2e/model and `make bench-model` speak to where no other is named.
//
//	node serve.mjs MODEL.gguf [TOKENS OF CONTEXT]
//
// It does what llama.cpp's own server does with what Vedette sends: it holds a
// reply to the schema, refuses a prompt that is longer than its context, and
// ends a reply where max_completion_tokens or the context do. It answers one
// request after the other, and each without memory of the one before.
import {createServer} from "node:http";
import {getLlama, LlamaChat, LlamaLogLevel} from "node-llama-cpp";

const [path, size = "8192"] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", maxThreads: 1, logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath: path});
const context = await model.createContext({contextSize: Number(size), threads: 1, flashAttention: true});
const sequence = context.getSequence();
const chat = new LlamaChat({contextSequence: sequence});
const anyObject = await llama.getGrammarFor("json");

// grammarOf is what a reply is held to; undefined is nothing.
async function grammarOf(format) {
	switch (format?.type) {
	case "json_schema": return llama.createGrammarForJsonSchema(format.json_schema.schema);
	case "json_object": return anyObject;
	}
}

function historyOf(messages) {
	return messages.map(({role, content}) => {
		switch (role) {
		case "system": return {type: "system", text: content};
		case "user": return {type: "user", text: content};
		case "assistant": return {type: "model", response: [content]};
		}
		throw refused(`a message is of role ${role}`);
	}).concat({type: "model", response: []});
}

function refused(message, type = "invalid_request_error") {
	return Object.assign(new Error(message), {type});
}

async function complete(body, signal) {
	const history = historyOf(body.messages);
	const {contextText} = chat.chatWrapper.generateContextState({chatHistory: history});
	const asked = contextText.tokenize(model.tokenizer).length;
	const room = context.contextSize - asked - 1;
	if (room <= 0) {
		throw refused(`the request exceeds the available context size: ${asked} of ${context.contextSize} tokens`, "exceed_context_size_error");
	}
	const most = Math.min(body.max_completion_tokens ?? body.max_tokens ?? room, room);
	const before = sequence.tokenMeter.getState();
	const {response, metadata} = await chat.generateResponse(history, {
		grammar: await grammarOf(body.response_format), maxTokens: most, temperature: body.temperature ?? 0, signal, stopOnAbortSignal: false,
	});
	const said = sequence.tokenMeter.diff(before).usedOutputTokens;
	return {
		id: "chatcmpl-1", object: "chat.completion", created: Math.floor(Date.now() / 1000), model: body.model,
		choices: [{index: 0, message: {role: "assistant", content: response}, finish_reason: metadata.stopReason === "maxTokens" ? "length" : "stop"}],
		usage: {prompt_tokens: asked, completion_tokens: said, total_tokens: asked + said},
	};
}

let last = Promise.resolve();
const server = createServer((request, answer) => {
	const gone = new AbortController();
	answer.on("close", () => gone.abort());
	const chunks = [];
	request.on("data", c => chunks.push(c));
	request.on("end", () => {
		last = last.then(async () => {
			let status = 200, body;
			try {
				if (request.method !== "POST" || request.url !== "/v1/chat/completions") {
					throw refused(`there is no ${request.method} ${request.url}`);
				}
				if (gone.signal.aborted) return;
				body = await complete(JSON.parse(Buffer.concat(chunks)), gone.signal);
			} catch (error) {
				status = error.type || error instanceof SyntaxError ? 400 : 500;
				body = {error: {message: error.message, type: error.type ?? "server_error", code: status}};
			}
			answer.writeHead(status, {"Content-Type": "application/json"}).end(JSON.stringify(body));
		});
	});
});
server.listen(0, "127.0.0.1", () => console.log(`model=http://127.0.0.1:${server.address().port}/v1`));
for (const stop of ["SIGINT", "SIGTERM"]) process.on(stop, () => process.exit(0));
