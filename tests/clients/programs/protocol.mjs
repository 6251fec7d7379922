/**
 * What the JavaScript programs share: the prompts, and the loop that reads the names of features and answers each with
 * one line of JSON.
 */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/** A model that no service has a profile for. */
export const UNMAPPED = "anthropic.claude-3-opus-20240229-v1:0";

export const PROMPT = "How much is the fish?";
export const CACHED = `${PROMPT} x-sim-cache-read-tokens=500 x-sim-cache-write-tokens=31`;
export const THROTTLED = `${PROMPT} x-sim-fault=throttle`;
export const SLOW = `${PROMPT} x-sim-pace-ms=200 x-sim-chunks=20`;

/** A PNG of one pixel. */
export const PIXEL = readFileSync(new URL("pixel.png", import.meta.url));

/** What a tool's input looks like, as a JSON schema. */
export const FISH = { type: "object", properties: { fish: { type: "string" } }, required: ["fish"] };

/** Answers the features that come in, each with what its function in `features` returns or throws. */
export async function serve(features) {
  for await (const name of createInterface({ input: process.stdin })) {
    const answer = await attempt(features[name] ?? (() => ({ absent: "this program knows no such feature" })));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  process.exit();
}

async function attempt(feature) {
  try {
    return await feature();
  } catch (error) {
    console.error(error);
    // AWS's and the AI SDK's errors have names of their own, Anthropic's have classes.
    const exception = error.name === "Error" ? error.constructor.name : error.name;
    return { exception, message: error.message };
  }
}

/** The usage of Converse, in the words of the gateway's metrics. */
export function ofConverse(usage) {
  const stated = { input: usage.inputTokens, output: usage.outputTokens };
  if (usage.cacheReadInputTokens !== undefined) stated.cache_read = usage.cacheReadInputTokens;
  for (const { ttl, inputTokens } of usage.cacheDetails ?? []) stated[`cache_write_${ttl}`] = inputTokens;
  return stated;
}

/** The usage of an answer of Anthropic's, in the words of the gateway's metrics. */
export function ofMessage(usage) {
  return {
    input: usage.input_tokens,
    output: usage.output_tokens,
    cache_read: usage.cache_read_input_tokens ?? undefined,
    cache_write_5m: usage.cache_creation?.ephemeral_5m_input_tokens,
    cache_write_1h: usage.cache_creation?.ephemeral_1h_input_tokens,
  };
}
