/** The AI SDK, which has a provider for Converse, and one for InvokeModel with Claude. */

// manual:
import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { generateText } from "ai";

const bedrock = createAmazonBedrock({ region: "us-west-2", baseURL: process.env.BASE_URL });

async function ask(prompt) {
  return await generateText({ model: bedrock("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), prompt });
}
// end of manual

import { jsonSchema, streamText, tool } from "ai";
import { CACHED, CLAUDE, FISH, PIXEL, PROMPT, serve, SLOW, THROTTLED, UNMAPPED } from "./protocol.mjs";

// manual: With the service in a header, and by InvokeModel in place of Converse:
import { createAmazonBedrockAnthropic } from "@ai-sdk/amazon-bedrock/anthropic";

const settings = {
  region: "us-west-2",
  baseURL: process.env.BASE_URL,
  headers: process.env.SERVICE ? { "x-tollgate-service": process.env.SERVICE } : {},
};
const converse = createAmazonBedrock(settings);
const invoke = createAmazonBedrockAnthropic(settings);
// end of manual

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
