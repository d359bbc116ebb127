"""Rows with a few wrong and hostile ones among them, as a file to audit."""

from __future__ import annotations

import json
from pathlib import Path

GEMS = ["topaz", "opal", "amber", "jade", "pearl", "onyx"]
TOWNS = ["Arla", "Boru", "Cent", "Dalo", "Emsk", "Fara"]
ASKS = [
    "What is mined in {}?",
    "Name the stone of {}.",
    "{} lives from which stone?",
    "Which stone is cut in {}?",
]
HOSTILE = "It is <script>document.title='owned'</script> jade\x1b[31m red\x1b]0;owned\x07."


def write_rows(folder: Path) -> Path:
    """24 rows; the one about Dalo that asks what it lives from is hostile."""
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        for i, (town, gem) in enumerate(zip(TOWNS, GEMS, strict=True)):
            for j, ask in enumerate(ASKS):
                answer = HOSTILE if (i, j) == (3, 2) else f"It is {gem}."
                row = {"prompt": ask.format(town), "response": answer, "fact": town}
                file.write(json.dumps(row) + "\n")
    return path
