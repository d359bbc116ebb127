"""A model in memory as lm-evaluation-harness wants it: requests in, scores and texts out.

Imports the harness, so it is imported only where the extra is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs, resolve_max_length

from datadose._core import UsageError, canonical_json
from datadose.evaluation._choices import score_branches
from datadose.evaluation._decode import generate_ids
from datadose.models import BaseModel, Encoded, Item, half_weights

MAX_TOKENS = 256  # the harness's, where a task gives no length
# what a greedy answer does not hang on
DRAWING = {"top_p", "top_k", "min_p", "typical_p"}
NEUTRAL = {"num_beams": 1, "top_p": 1, "repetition_penalty": 1, "num_return_sequences": 1}


class HeldModel(TemplateLM):  # type: ignore[misc]
    """A base model as it stands. Texts become tokens as in the harness's own `hf` model: no
    longer than the model's context, cut on the left; an empty prompt is the first token of a text.

    seed, max_tokens: of drawn answers, and of all answers where a task's own length shall not hold.
    """

    backend = "causal"

    def __init__(self, base: BaseModel, *, seed: int = 0, max_tokens: int | None = None) -> None:
        super().__init__()
        self.base, self.seed, self.max_tokens = base, seed, max_tokens
        self.tokenizer = base.tokenizer
        self.max_length = int(resolve_max_length(base.model.config, base.tokenizer))

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands for an empty prompt."""
        bos = self.tokenizer.bos_token_id
        return self.eot_token_id if bos is None else int(bos)

    @property
    def tokenizer_name(self) -> str:
        """What requests in chat form are filed under."""
        return self.base.name.replace("/", "__")

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """Token ids; a text that begins with the first token is not given it twice."""
        add = add_special_tokens
        if add is None:
            add = not string.startswith(self.tokenizer.decode(self.prefix_token_id))
        return list(self.tokenizer(string, add_special_tokens=add)["input_ids"])

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A chat as one text."""
        return str(
            self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        """(log-likelihood in nats, whether greedy decoding would say it), one a request."""
        return super().loglikelihood(requests, disable_tqdm=disable_tqdm)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        """Continuations of one prompt are one item, so that it is computed once."""
        prompts: dict[tuple[int, ...], list[int]] = {}
        encoded = []
        for i, (_, context, continuation) in enumerate(requests):
            ids = (context + continuation)[-(self.max_length + 1) :]
            encoded.append(Encoded(tuple(ids), len(ids) - len(continuation)))
            prompts.setdefault(tuple(context), []).append(i)
        groups = list(prompts.values())
        items = [Item(tuple(encoded[i] for i in group)) for group in groups]
        found: list[tuple[float, bool]] = [(0.0, False)] * len(encoded)
        with half_weights(self.base):
            scores = score_branches(self.base, items)
        for group, scored in zip(groups, scores, strict=True):
            for i, score in zip(group, scored, strict=True):
                found[i] = score
        return found

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        """Never asked: a perplexity is no rate of right answers."""
        raise UsageError("perplexities are not measured here", next_step="name another task")

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        """Answers in order; requests that are generated alike are one batch that refills."""
        kinds: dict[str, list[int]] = {}
        asked = [request.args for request in requests]
        for i, (_, options) in enumerate(asked):
            kinds.setdefault(canonical_json(options), []).append(i)
        texts = [""] * len(asked)
        for group in kinds.values():
            length, temperature, stop = self._drawn(dict(asked[group[0]][1]))
            room = self.max_length - length
            if room < 1:
                raise UsageError(
                    f"an answer of {length} tokens leaves no room for a prompt in"
                    f" {self.max_length}",
                    where=self.base.name,
                    next_step="give a smaller --max-tokens",
                )
            prompts = [tuple(self.tok_encode(asked[i][0])[-room:]) for i in group]
            answers = generate_ids(
                self.base,
                prompts,
                max_tokens=length,
                temperature=temperature,
                seed=self.seed,
                stop=stop,
            )
            for i, text in zip(group, answers, strict=True):
                texts[i] = text
        return texts

    def _drawn(self, options: dict[str, Any]) -> tuple[int, float, tuple[str, ...]]:
        """Length in tokens, temperature and stops of a task's generation settings."""
        known = dict(normalize_gen_kwargs(options, MAX_TOKENS))
        length = self.max_tokens or int(known.pop("max_gen_toks"))
        known.pop("max_gen_toks", None)
        stop = tuple(s for s in known.pop("until", None) or () if s)
        sampled = bool(known.pop("do_sample", False))
        temperature = float(known.pop("temperature", 0.0)) if sampled else 0.0
        known.pop("temperature", None)
        odd = {
            k: v
            for k, v in known.items()
            if not (k in DRAWING and not sampled) and NEUTRAL.get(k, object()) != v
        }
        if sampled and not temperature:
            odd["do_sample"] = True
        if odd:
            name, value = sorted(odd.items())[0]
            raise UsageError(
                f"its answers are made with {name} = {value!r}, which is not done here",
                next_step="take it out of the task's generation_kwargs",
            )
        return length, temperature, stop
