"""Load a base model, encode chats for it, put adapters on and take them off."""

from datadose.models._adapters import fresh_adapter, load_adapter, saved_adapter
from datadose.models._embedded import EMBEDDED, add_wheel, cache_folder, ensure_embedded
from datadose.models._forward import autocast, check_head, half_weights, logits_at, pad
from datadose.models._line import interpolated_adapter
from datadose.models._load import BaseModel, load_base
from datadose.models._replies import (
    BYTES_PER_TOKEN,
    Ask,
    Place,
    Reply,
    ReplyCache,
    price_of,
    reply_of,
)
from datadose.models._served import ChatClient, Served
from datadose.models._template import (
    Encoded,
    chat,
    encode_answer,
    encode_answers,
    encode_prompt,
    render,
)
from datadose.models._tries import (
    Item,
    Trie,
    answer_log_probs,
    answer_steps,
    check_tries,
    join,
    together,
)

__all__ = [
    "BYTES_PER_TOKEN",
    "EMBEDDED",
    "Ask",
    "BaseModel",
    "ChatClient",
    "Encoded",
    "Item",
    "Place",
    "Reply",
    "ReplyCache",
    "Served",
    "Trie",
    "add_wheel",
    "answer_log_probs",
    "answer_steps",
    "autocast",
    "cache_folder",
    "chat",
    "check_head",
    "check_tries",
    "encode_answer",
    "encode_answers",
    "encode_prompt",
    "ensure_embedded",
    "fresh_adapter",
    "half_weights",
    "interpolated_adapter",
    "join",
    "load_adapter",
    "load_base",
    "logits_at",
    "pad",
    "price_of",
    "render",
    "reply_of",
    "saved_adapter",
    "together",
]
