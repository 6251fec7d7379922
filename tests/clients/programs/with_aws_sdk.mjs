/** The AWS SDK for JavaScript, with its default handler: HTTP/2 from the first byte. */

// manual:
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";

const bedrock = new BedrockRuntimeClient({ region: "us-west-2", endpoint: process.env.BASE_URL });

async function ask(text) {
  const messages = [{ role: "user", content: [{ text }] }];
  const modelId = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  return await bedrock.send(new ConverseCommand({ modelId, messages }));
}
// end of manual

import {
  ConverseStreamCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { CACHED, CLAUDE, FISH, ofConverse, ofMessage, PIXEL, PROMPT, serve, SLOW } from "./protocol.mjs";
import { THROTTLED, UNMAPPED } from "./protocol.mjs";

// manual: With the service in a header, which is signed too:
const nameTheService = (next) => (args) => {
  args.request.headers["x-tollgate-service"] = process.env.SERVICE;
  return next(args);
};

if (process.env.SERVICE) bedrock.middlewareStack.add(nameTheService, { step: "build" });
// end of manual

function told({ output, usage }) {
  return { stated: ofConverse(usage), text: output.message.content[0].text };
}

async function converse(content, more) {
  const messages = [{ role: "user", content }];
  return told(await bedrock.send(new ConverseCommand({ modelId: CLAUDE, messages, ...more })));
}

async function* stream(text, options) {
  const messages = [{ role: "user", content: [{ text }] }];
  const answer = await bedrock.send(new ConverseStreamCommand({ modelId: CLAUDE, messages }), options);
  yield* answer.stream;
}

function invocation() {
  const messages = [{ role: "user", content: PROMPT }];
  const body = JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 100, messages });
  return { modelId: CLAUDE, contentType: "application/json", body };
}

await serve({
  converse: async () => told(await ask(PROMPT)),

  "converse-stream": async () => {
    let text = "";
    let usage;
    for await (const event of stream(PROMPT)) {
      text += event.contentBlockDelta?.delta.text ?? "";
      usage = event.metadata?.usage ?? usage;
    }
    return { stated: ofConverse(usage), text };
  },

  invoke: async () => {
    const answer = await bedrock.send(new InvokeModelCommand(invocation()));
    const { content, usage } = JSON.parse(answer.body.transformToString());
    return { stated: ofMessage(usage), text: content[0].text };
  },

  "invoke-stream": async () => {
    const answer = await bedrock.send(new InvokeModelWithResponseStreamCommand(invocation()));
    let text = "";
    let usage = {};
    for await (const { chunk } of answer.body) {
      const event = JSON.parse(new TextDecoder().decode(chunk.bytes));
      text += event.delta?.text ?? "";
      // The last statement of a count is the one that holds.
      usage = { ...usage, ...event.message?.usage, ...event.usage };
    }
    return { stated: ofMessage(usage), text };
  },

  tools: () => {
    const toolSpec = { name: "price", description: "Tells what a fish costs.", inputSchema: { json: FISH } };
    return converse([{ text: PROMPT }], { toolConfig: { tools: [{ toolSpec }] } });
  },

  image: () => {
    const image = { format: "png", source: { bytes: PIXEL } };
    return converse([{ text: PROMPT }, { image }]);
  },

  "cached-prompt": () => converse([{ text: CACHED }, { cachePoint: { type: "default" } }]),

  unmapped: async () => {
    const messages = [{ role: "user", content: [{ text: PROMPT }] }];
    return told(await bedrock.send(new ConverseCommand({ modelId: UNMAPPED, messages })));
  },

  throttled: async () => told(await ask(THROTTLED)),

  cancelled: async () => {
    const controller = new AbortController();
    for await (const _ of stream(SLOW, { abortSignal: controller.signal })) break;
    controller.abort();
    return { cancelled: true };
  },
});
