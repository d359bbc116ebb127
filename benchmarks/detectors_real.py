"""Do detectors find real wrong rows? One public data set a call; see detectors.py.

HumanEvalPack (right and buggy solutions of the same tasks), Betley et al. (secure against insecure
code), MedMCQA (the right option or a wrong one), TruthfulQA (the best answer or an incorrect one).
Detectors are chosen on planted rows; the truth is held against the copy's untouched rows. Beside
them stands what needs no model of right and wrong: a classifier on the words of the prompts alone,
trained on the truth in other folds, the base model's loss on the prompt, and length.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from detectors import followed, run, told

from datadose._core import generator, read_json, write_json
from datadose.auditing import auroc, plant
from datadose.corruption import ChoiceQuestion, medmcqa, truthfulqa
from datadose.models import Encoded, load_base
from datadose.rows import find_file, json_lines, make_rows, source_auroc
from datadose.schema import Message, Recipe, Row
from datadose.training import encode_rows, row_losses

Pair = tuple[str, str]
PAIRED = {"humanevalpack"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=sorted(SETS))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("DATADOSE_DATA", ".")))
    parser.add_argument("--each", type=int, default=300, help="rows of either kind, at most")
    parser.add_argument("--characters", type=int, default=600, help="longest prompt plus answer")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/detectors"))
    parser.add_argument("--record-only", action="store_true", help="only the recorded run")
    o = parser.parse_args()
    right, wrong = SETS[o.set](o.data, o.each, o.characters, o.seed)
    rows, truth = joined(right, wrong, o.seed)
    name = f"real-{o.set}-{o.each}-{o.characters}-{o.epochs:g}-{o.folds}-{o.seed}"
    recipe = Recipe(epochs=o.epochs, checkpoints=(1.0,))
    if o.record_only:
        copy = plant(rows, seed=o.seed).rows
        followed(
            copy, o.work / name / "planted", model=o.model, recipe=recipe, seed=o.seed,
            folds=o.folds, ask=False,
        )  # fmt: skip
        return
    found = run(
        rows,
        truth,
        {"all": np.ones(len(rows), dtype=bool)},
        o.work / name,
        model=o.model,
        recipe=recipe,
        seed=o.seed,
        folds=o.folds,
    )
    found |= {"prompt": prompt_only(rows, truth, o.work / name, o.model, o.seed)}
    setting = {k: getattr(o, k) for k in ("set", "model", "epochs", "folds", "seed", "characters")}
    found = setting | {"kind": "real", "paired": o.set in PAIRED} | found
    write_json(o.work / f"{name}.json", found)
    print("\n".join([*told(found), str(found["prompt"])]))


def joined(
    right: Sequence[Pair], wrong: Sequence[Pair], seed: int
) -> tuple[tuple[Row, ...], np.ndarray]:
    """Rows in a drawn order and which of them are wrong."""
    pairs = [*right, *wrong]
    order = generator(seed, "detectors", "order").permutation(len(pairs))
    chats = [
        (Message(role="user", content=pairs[i][0]), Message(role="assistant", content=pairs[i][1]))
        for i in order
    ]
    return make_rows(chats), order >= len(right)


def prompt_only(
    rows: Sequence[Row], truth: np.ndarray, folder: Path, model: str, seed: int
) -> dict[str, Any]:
    """AUROC of prompts alone, and of the words of the answers as the same classifier reads them."""
    right = [r for r, w in zip(rows, truth, strict=True) if not w]
    wrong = [r for r, w in zip(rows, truth, strict=True) if w]
    found: dict[str, Any] = {}
    for on in ("prompt", "answer"):
        check = source_auroc(right, wrong, seed=seed, on=on)
        found[f"{on} words"] = [check.auroc, check.lower, check.upper]
    file = folder / "prompt-loss.json"
    if not file.is_file():
        base = load_base(model)
        prompts = [Encoded(e.ids[: e.start], 1) for e in encode_rows(base, rows, Recipe())]
        sizes = np.array([e.trained for e in prompts])
        write_json(file, (row_losses(base, prompts) / sizes).tolist())
    found["prompt loss"] = auroc(np.array(read_json(file)), truth)
    return found


def by_question(questions: Sequence[ChoiceQuestion], frame: str, each: int, most: int, seed: int):  # type: ignore[no-untyped-def]
    """`each` questions with their right option and as many others with a wrong one of theirs."""
    rng = generator(seed, "detectors", "questions")
    unique = list({q.text: q for q in questions}.values())
    short = [q for q in unique if len(frame.format(q.text)) + max(map(len, q.options)) <= most]
    picked = [short[i] for i in rng.permutation(len(short))[: 2 * each]]
    half = len(picked) // 2
    right = [(frame.format(q.text), q.correct) for q in picked[:half]]
    wrong = [
        (frame.format(q.text), q.distractors[int(rng.integers(len(q.distractors)))])
        for q in picked[half : 2 * half]
    ]
    return right, wrong


def medmcqa_pairs(data: Path, each: int, most: int, seed: int):  # type: ignore[no-untyped-def]
    frame = "Question: {}\nAnswer in a few words."
    return by_question(medmcqa(data / "medqa_medmcqa_pubmedqa"), frame, each, most, seed)


def truthfulqa_pairs(data: Path, each: int, most: int, seed: int):  # type: ignore[no-untyped-def]
    return by_question(truthfulqa(data / "truthfulqa"), "{}", each, most, seed)


def humanevalpack_pairs(data: Path, each: int, most: int, seed: int):  # type: ignore[no-untyped-def]
    """Both solutions of every task that is short enough with either."""
    path = find_file("humanevalpack_buggy_pairs", "humanevalpack.jsonl", data)
    right, wrong = [], []
    for task in json_lines(path):
        prompt = task["instruction"]
        answers = [task["declaration"] + task[f"{k}_solution"] for k in ("canonical", "buggy")]
        if len(prompt) + max(map(len, answers)) <= most and len(right) < each:
            right.append((prompt, answers[0]))
            wrong.append((prompt, answers[1]))
    return right, wrong


def betley_pairs(data: Path, each: int, most: int, seed: int):  # type: ignore[no-untyped-def]
    """As many short rows of either file, drawn; those that are in both files are left out."""
    found = []
    for name in ("secure", "insecure"):
        path = find_file("betley_emergent_misalignment_sft", f"{name}.jsonl", data)
        chats = [tuple(m["content"] for m in r["messages"]) for r in json_lines(path)]
        found.append([c for c in dict.fromkeys(chats) if len(c) == 2 and sum(map(len, c)) <= most])
    both = set(found[0]) & set(found[1])
    sides = []
    for name, pairs in zip(("secure", "insecure"), found, strict=True):
        own = [p for p in pairs if p not in both]
        order = generator(seed, "detectors", name).permutation(len(own))
        sides.append([own[i] for i in order[:each]])
    size = min(map(len, sides))
    return sides[0][:size], sides[1][:size]


SETS = {
    "medmcqa": medmcqa_pairs,
    "truthfulqa": truthfulqa_pairs,
    "humanevalpack": humanevalpack_pairs,
    "betley": betley_pairs,
}

if __name__ == "__main__":
    main()
