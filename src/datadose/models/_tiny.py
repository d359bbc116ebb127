"""`tiny`: a two-layer model with random weights and a byte tokenizer, built in code, for tests."""

from __future__ import annotations

from typing import Any

TINY = "tiny"
DESCRIPTION = "tiny (two random layers, for tests)"
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|unk|>")


def build_tiny() -> tuple[Any, Any]:
    """The tiny model and its tokenizer; the same weights every time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20250913)
        model = LlamaForCausalLM(config).float().eval()
    return model, tokenizer


def _tokenizer() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    common = ["Ġthe", "Ġis", "Ġof", "Ġa", "th", "in", "er", "on"]
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    merges = []
    for word in common:
        piece = word[0]
        for letter in word[1:]:
            merges.append((piece, letter))
            piece += letter
            vocabulary.setdefault(piece, len(vocabulary))
    merges = list(dict.fromkeys(merges))
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<|unk|>"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|end|>", pad_token="<|end|>", unk_token="<|unk|>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer
