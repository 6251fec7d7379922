"""LangChain with a profile's ARN for a model, and nothing that says what is behind it: it asks the control plane."""

import json
import os

from langchain_aws import ChatBedrock, ChatBedrockConverse

BASE_URL = os.environ["BASE_URL"]
settings = {"model": os.environ["PROFILE_ARN"], "provider": "anthropic", "region_name": "us-west-2"}
chats = [ChatBedrockConverse(base_url=BASE_URL, **settings), ChatBedrock(endpoint_url=BASE_URL, **settings)]

for chat in chats:
    usage = chat.invoke("How much is the fish?").usage_metadata
    told = {"behind": chat.base_model_id, "input": usage["input_tokens"], "output": usage["output_tokens"]}
    print(json.dumps(told))
