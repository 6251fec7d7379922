#!/usr/bin/env bash
# curl, with the AWS signature that it makes itself; `told` reads its answers, which are bytes to curl.
set -uo pipefail

# manual:
identity=(--aws-sigv4 aws:amz:us-west-2:bedrock --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY")
model=us.anthropic.claude-sonnet-4-5-20250929-v1:0

ask() { # OPERATION BODY [OPTION..]
  curl "$BASE_URL/model/$model/$1" --json "$2" "${identity[@]}" "${@:3}"
}

# ask converse '{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}'
# end of manual

if [[ -n ${SERVICE:-} ]]; then
# manual: With the service in a header, which is signed too:
  identity+=(--header "x-tollgate-service: $SERVICE")
# end of manual
fi
if [[ -n ${SERVICE_KEY:-} ]]; then
# manual: With a service key, and no signature:
  identity=(--header "Authorization: Bearer $SERVICE_KEY")
# end of manual
fi

unmapped=anthropic.claude-3-opus-20240229-v1:0
prompt="How much is the fish?"
pixel=$(base64 --wrap=0 "$(dirname "$0")/pixel.png")
fish='{"type":"object","properties":{"fish":{"type":"string"}},"required":["fish"]}'
scratch=$(mktemp --directory)
trap 'rm -r "$scratch"' EXIT

# say TEXT [BLOCK] [MEMBER]: the body of a Converse call, with another block and another member.
say() {
  echo '{"messages":[{"role":"user","content":[{"text":"'"$1"'"}'"${2:+,$2}"']}]'"${3:+,$3}"'}'
}
invocation='{"anthropic_version":"bedrock-2023-05-31","max_tokens":100,
  "messages":[{"role":"user","content":"'$prompt'"}]}'

# told OPERATION BODY: asks, and says in one line of JSON what came.
told() {
  rm -f "$scratch"/*
  ask "$1" "$2" --silent --show-error --dump-header "$scratch/head" --output "$scratch/body"
  python3 -c "$reader" "$1" "$scratch"
}

reader=$(
  cat <<'END'
import base64, json, pathlib, re, struct, sys

operation, folder = sys.argv[1], pathlib.Path(sys.argv[2])
body = (folder / "body").read_bytes()
error = re.search(r"^x-amzn-errortype: *([\w.]+)", (folder / "head").read_text(), re.IGNORECASE | re.MULTILINE)


def payloads(frames):
    """Each message of an event stream: its length, that of its headers, a checksum, headers, payload, a checksum."""
    while frames:
        length, headers = struct.unpack(">II", frames[:8])
        yield json.loads(frames[12 + headers : length - 4])
        frames = frames[length:]


def of_converse(usage):
    written = {f"cache_write_{detail['ttl']}": detail["inputTokens"] for detail in usage.get("cacheDetails", [])}
    counts = {"input": usage["inputTokens"], "output": usage["outputTokens"]}
    return counts | {"cache_read": usage["cacheReadInputTokens"]} | written


def of_claude(usage):
    written = {f"cache_write_{ttl}": usage["cache_creation"][f"ephemeral_{ttl}_input_tokens"] for ttl in ("5m", "1h")}
    counts = {"input": usage["input_tokens"], "output": usage["output_tokens"]}
    return counts | {"cache_read": usage["cache_read_input_tokens"]} | written


if error:
    answer = {"exception": error[1], "message": json.loads(body)["message"]}
elif operation == "converse":
    whole = json.loads(body)
    answer = {"stated": of_converse(whole["usage"]), "text": whole["output"]["message"]["content"][0]["text"]}
elif operation == "invoke":
    whole = json.loads(body)
    answer = {"stated": of_claude(whole["usage"]), "text": whole["content"][0]["text"]}
else:
    text, usage, of = "", {}, of_converse
    for event in payloads(body):
        if "bytes" in event:
            event, of = json.loads(base64.b64decode(event["bytes"])), of_claude
        text += event.get("delta", {}).get("text", "")
        # The last statement of a count is the one that holds.
        usage |= event.get("message", {}).get("usage", {}) | event.get("usage", {})
    answer = {"stated": of(usage), "text": text}
print(json.dumps(answer))
END
)

while read -r feature; do
  case $feature in
    converse) told converse "$(say "$prompt")" ;;
    converse-stream) told converse-stream "$(say "$prompt")" ;;
    invoke) told invoke "$invocation" ;;
    invoke-stream) told invoke-with-response-stream "$invocation" ;;
    tools)
      told converse "$(say "$prompt" "" \
        '"toolConfig":{"tools":[{"toolSpec":{"name":"price","inputSchema":{"json":'"$fish"'}}}]}')"
      ;;
    image) told converse "$(say "$prompt" '{"image":{"format":"png","source":{"bytes":"'"$pixel"'"}}}')" ;;
    cached-prompt)
      told converse "$(say "$prompt x-sim-cache-read-tokens=500 x-sim-cache-write-tokens=31" \
        '{"cachePoint":{"type":"default"}}')"
      ;;
    unmapped) model=$unmapped told converse "$(say "$prompt")" ;;
    throttled) told converse "$(say "$prompt x-sim-fault=throttle")" ;;
    cancelled)
      # With its reader gone, curl fails to write what comes next, and ends.
      ask converse-stream "$(say "$prompt x-sim-pace-ms=200 x-sim-chunks=20")" --silent --no-buffer |
        head --bytes=1 >/dev/null
      echo '{"cancelled": true}'
      ;;
    *) echo '{"absent": "this program knows no such feature"}' ;;
  esac
done
