"""The AWS CLI, which is a program of its own; it cannot stream, and cannot add headers."""

import json
import re
import subprocess

from protocol import CACHED, CLAUDE, FISH, PROMPT, THROTTLED, UNMAPPED, serve, told_by_claude
from protocol import told_by_converse

ASK = r"""
# manual:
aws bedrock-runtime converse --endpoint-url "$BASE_URL" --region us-west-2 \
  --model-id us.anthropic.claude-sonnet-4-5-20250929-v1:0 \
  --messages '[{"role": "user", "content": [{"text": "How much is the fish?"}]}]'
# end of manual
"""
AWS = 'aws bedrock-runtime --endpoint-url "$BASE_URL" --region us-west-2'
CONVERSE = f'{AWS} converse --model-id "$0" --messages "$1"'
WITH_TOOL = f'{CONVERSE} --tool-config "$2"'
INVOKE = f'''
answer=$(mktemp)
{AWS} invoke-model --model-id "$0" --body "$1" "$answer" >/dev/null && cat "$answer"
rm "$answer"
'''


class Refused(Exception):
    """What the CLI says on stderr when it ends with an error."""


def run(script, *arguments):
    """The JSON that a script prints."""
    command = ["bash", "-e", "-c", script, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ended.returncode:
        raise Refused(ended.stderr.strip())
    return json.loads(ended.stdout)


def told(answer):
    return told_by_converse(answer["output"]["message"]["content"][0]["text"], answer["usage"])


def converse(*content, model=CLAUDE):
    return told(run(CONVERSE, model, json.dumps([{"role": "user", "content": content}])))


def tools():
    tool = {"toolSpec": {"name": "price", "inputSchema": {"json": FISH}}}
    messages = [{"role": "user", "content": [{"text": PROMPT}]}]
    return told(run(WITH_TOOL, CLAUDE, json.dumps(messages), json.dumps({"tools": [tool]})))


def invoke():
    messages = [{"role": "user", "content": PROMPT}]
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": messages}
    answer = run(INVOKE, CLAUDE, json.dumps(body))
    return told_by_claude(answer["content"][0]["text"], answer["usage"])


def refused(content, model=CLAUDE):
    """The exception's name, as the CLI gives it in brackets."""
    try:
        return converse(content, model=model)
    except Refused as error:
        name = re.search(r"An error occurred \((\w+)\)", str(error))
        return {"exception": name[1] if name else "Refused", "message": str(error)}


NO_STREAMS = "`aws bedrock-runtime help`: the CLI doesn't support streaming operations in Amazon Bedrock"

# Version 2 takes base64.
NO_BYTES = "version 1 takes what stands in JSON for text, and encodes it in base64 itself (`aws --debug`)"

serve(
    {
        "converse": lambda: told(run(ASK)),
        "converse-stream": NO_STREAMS,
        "invoke": invoke,
        "invoke-stream": NO_STREAMS,
        "tools": tools,
        "image": NO_BYTES,
        "cached-prompt": lambda: converse({"text": CACHED}, {"cachePoint": {"type": "default"}}),
        "unmapped": lambda: refused({"text": PROMPT}, model=UNMAPPED),
        "throttled": lambda: refused({"text": THROTTLED}),
        "cancelled": NO_STREAMS,
    }
)
