"""What options of other facts change: reworded rates of a run with and without them.

.venv/bin/python benchmarks/exposure.py runs/instrument

Reads the answers on disk, whose raw scores are kept for every option, and prints the share of
reworded choices in which the right option has the greatest log-likelihood: among the options of the
question's own fact, and among all that were shown. `contentless` takes from every score the base
model's own under the prompt "?". An arm trained on right answers under wrong prompts (`shuffled`)
has learnt no fact.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

OWN = 5


def main() -> None:
    folder = Path(sys.argv[1])
    print("| arm | seeds | own options | with swapped | contentless, with swapped |")
    print("|---|---|---|---|---|")
    for name, answers in arms(folder).items():
        found = [rates(reworded(path)) for path in answers]
        means = [sum(column) / len(found) for column in zip(*found, strict=True)]
        print(f"| {name} | {len(found)} | " + " | ".join(f"{m:.2f}" for m in means) + " |")


def arms(folder: Path) -> dict[str, list[Path]]:
    """Files of last answers by kind of arm, the base first."""
    found: dict[str, list[Path]] = defaultdict(list)
    found["base"] = _last(folder / "base")
    events = [json.loads(x) for x in (folder / "events.jsonl").read_text("utf-8").splitlines()]
    named = {e["arm"]: e for e in events if e["event"] == "arm"}
    for arm, event in sorted(named.items(), key=lambda item: (item[1]["series"], item[1]["dose"])):
        found[f"{event['series']} at {event['dose']:g}"] += _last(folder / "arms" / arm)
    return dict(found)


def _last(folder: Path) -> list[Path]:
    answers = folder / "answers"
    return sorted(p for p in answers.glob("*.jsonl") if "-adapter" not in p.name)[-1:]


def reworded(path: Path) -> Iterable[Any]:
    """Outcomes of reworded choices that show options of other facts."""
    for line in path.read_text("utf-8").splitlines():
        outcome = json.loads(line)
        if "/reworded-" in outcome["probe"] and len(outcome["raw"]) > OWN:
            yield outcome


def rates(outcomes: Iterable[Any]) -> tuple[float, float, float]:
    """Shares in which option 0, the right one, is on top."""
    kept = list(outcomes)
    own = [_first(o["raw"][:OWN]) for o in kept]
    shown = [_first(o["raw"]) for o in kept]
    less = [_first(o["calibrated"]) for o in kept]
    return (sum(own) / len(kept), sum(shown) / len(kept), sum(less) / len(kept))


def _first(scores: Sequence[float]) -> bool:
    return max(range(len(scores)), key=lambda i: (scores[i], -i)) == 0


if __name__ == "__main__":
    main()
