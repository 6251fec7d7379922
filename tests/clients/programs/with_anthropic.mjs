/** Anthropic's SDK for Bedrock, which knows InvokeModel and its stream as `messages`. */

// manual:
import AnthropicBedrock from "@anthropic-ai/bedrock-sdk";

const anthropic = new AnthropicBedrock({ awsRegion: "us-west-2", baseURL: process.env.BASE_URL });

async function ask(content) {
  return await anthropic.messages.create({
    model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    max_tokens: 100,
    messages: [{ role: "user", content }],
  });
}
// end of manual

import { CACHED, CLAUDE, FISH, ofMessage, PIXEL, PROMPT, serve, SLOW, THROTTLED, UNMAPPED } from "./protocol.mjs";

// manual: With the service in a header, which is signed too:
const named = new AnthropicBedrock({
  awsRegion: "us-west-2",
  baseURL: process.env.BASE_URL,
  defaultHeaders: { "x-tollgate-service": process.env.SERVICE },
});
// end of manual

const bedrock = process.env.SERVICE ? named : anthropic;

function told({ content, usage }) {
  return { stated: ofMessage(usage), text: content[0].text };
}

function request(content, more) {
  return { model: CLAUDE, max_tokens: 100, messages: [{ role: "user", content }], ...more };
}

async function create(content, more) {
  return told(await bedrock.messages.create(request(content, more)));
}

const text = { type: "text", text: PROMPT };
const onlyMessages = { absent: "the SDK's one resource on Bedrock is `messages`, which is InvokeModel (its README)" };

await serve({
  converse: () => onlyMessages,
  "converse-stream": () => onlyMessages,
  invoke: async () => told(process.env.SERVICE ? await bedrock.messages.create(request(PROMPT)) : await ask(PROMPT)),
  "invoke-stream": async () => told(await bedrock.messages.stream(request(PROMPT)).finalMessage()),
  tools: () => create(PROMPT, { tools: [{ name: "price", input_schema: FISH }] }),

  image: () => {
    const source = { type: "base64", media_type: "image/png", data: PIXEL.toString("base64") };
    return create([text, { type: "image", source }]);
  },

  "cached-prompt": () => create([{ type: "text", text: CACHED, cache_control: { type: "ephemeral" } }]),
  unmapped: () => create(PROMPT, { model: UNMAPPED }),
  throttled: () => create(THROTTLED),

  cancelled: async () => {
    const stream = await bedrock.messages.create(request(SLOW, { stream: true }));
    // Leaving the loop aborts the request.
    for await (const _ of stream) break;
    return { cancelled: true };
  },
});
