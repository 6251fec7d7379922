/** The AI SDK: its provider for Bedrock speaks Converse, the one for Claude on Bedrock InvokeModel. */

// manual:
import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { generateText } from "ai";

const bedrock = createAmazonBedrock({ region: "us-west-2", baseURL: process.env.BASE_URL });

async function ask(prompt) {
  return await generateText({ model: bedrock("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), prompt });
}
// end of manual

import { createAmazonBedrockAnthropic } from "@ai-sdk/amazon-bedrock/anthropic";
import { jsonSchema, streamText, tool } from "ai";
import { CACHED, CLAUDE, FISH, HEADERS, PIXEL, PROMPT, serve, SLOW, THROTTLED, UNMAPPED } from "./protocol.mjs";

// Headers, where they are to be sent, are a setting of the provider.
const settings = { region: "us-west-2", baseURL: process.env.BASE_URL, headers: HEADERS };
const converse = createAmazonBedrock(settings);
const invoke = createAmazonBedrockAnthropic(settings);

/** `inputTokens` has all input in it; its details tell what came from the cache. */
function told({ text, usage }) {
  const { noCacheTokens, cacheReadTokens, cacheWriteTokens } = usage.inputTokenDetails;
  const cache = { cache_read: cacheReadTokens, cache_write_5m: cacheWriteTokens };
  return { stated: { input: noCacheTokens, output: usage.outputTokens, ...cache }, text };
}

async function generate(content, more) {
  const messages = [{ role: "user", content }];
  return told(await generateText({ model: converse(CLAUDE), messages, ...more }));
}

async function stream(model) {
  const result = streamText({ model, prompt: PROMPT });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  return told({ text, usage: await result.usage });
}

const text = { type: "text", text: PROMPT };

await serve({
  converse: async () => (process.env.SERVICE ? generate(PROMPT) : told(await ask(PROMPT))),
  "converse-stream": () => stream(converse(CLAUDE)),
  invoke: () => generate(PROMPT, { model: invoke(CLAUDE) }),
  "invoke-stream": () => stream(invoke(CLAUDE)),
  tools: () => generate(PROMPT, { tools: { price: tool({ inputSchema: jsonSchema(FISH) }) } }),
  image: () => generate([text, { type: "file", mediaType: "image/png", data: PIXEL }]),

  "cached-prompt": () => {
    const providerOptions = { bedrock: { cachePoint: { type: "default" } } };
    return generate([{ type: "text", text: CACHED, providerOptions }]);
  },

  unmapped: () => generate(PROMPT, { model: converse(UNMAPPED) }),
  throttled: () => generate(THROTTLED),

  cancelled: async () => {
    const controller = new AbortController();
    const result = streamText({ model: converse(CLAUDE), prompt: SLOW, abortSignal: controller.signal });
    for await (const _ of result.textStream) break;
    controller.abort();
    return { cancelled: true };
  },
});
