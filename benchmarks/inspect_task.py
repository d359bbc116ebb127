"""An Inspect task of others, PubMedQA of inspect_evals, on fine-tuned arms and their bare base.

Runs `inspect eval` as a user would, checks the logs, opens them in `inspect view` in Chromium
without a screen, and writes what was seen. Models whose log is in `--work` are not asked again.

    make inspect ARGS="--run runs/quickstart"
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "reporting"))

from _browser import browsing, found_program, inspect_view  # noqa: E402
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log  # noqa: E402

from datadose.models import cache_folder  # noqa: E402
from datadose.rows import find_file  # noqa: E402

TASK = "inspect_evals/pubmedqa"
OTHERS = ROOT / ".oracles" / "inspect-evals" / "site-packages"
FOLDER = "qiaojin/PubMedQA"


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--data", type=Path, default=os.environ.get("DATADOSE_DATA"))
    parser.add_argument("--page", type=Path, default=Path("docs/results/inspect.md"))
    parser.add_argument("--work", type=Path, default=Path("runs/inspect"), help="data and logs")
    parser.add_argument("--shots", type=Path, help="folder for screenshots; that of --work")
    told = parser.parse_args()
    arms = chosen(told.run)
    models = {"the bare base": "smollm2-135m"} | {k: str(p.resolve()) for k, p in arms.items()}
    work = told.work.resolve()
    if not (work / FOLDER / "test.jsonl").is_file():
        as_published(told.data, work / FOLDER)
    evaluate(work, list(models.values()), told.limit)
    seen = view(work, told.shots or work)
    told.page.write_text(page(work, models, told.limit, seen), "utf-8")
    print(told.page.read_text("utf-8"))


def chosen(run: Path) -> dict[str, Path]:
    """The trained arms of the lowest and the highest share of wrong rows in a run folder."""
    found = []
    for folder in sorted((run / "arms").iterdir()):
        if (folder / "train.json").is_file():
            wrong = [json.loads(x)["wrong"] for x in (folder / "truth.jsonl").open()]
            seed = json.loads((folder / "rows.json").read_text())["arm"]["seed"]
            found.append((sum(wrong) / len(wrong), seed, folder))
    found.sort()
    if len(found) < 2:
        raise SystemExit(f"{run} has fewer than two trained arms: make quickstart")
    return {f"dose {d:g}, seed {s}": folder for d, s, folder in (found[0], found[-1])}


def as_published(data: Path, folder: Path) -> None:
    """The data set in the shape that the task asks the hub for, from the published file."""
    folder.mkdir(parents=True)
    source = find_file("medqa_medmcqa_pubmedqa", "pubmedqa/data/test_set.json", data)
    records = json.loads(source.read_text("utf-8"))
    with (folder / "test.jsonl").open("w", encoding="utf-8") as file:
        for name, r in records.items():
            file.write(
                json.dumps(
                    {
                        "pubid": int(name),
                        "question": r["QUESTION"],
                        "context": {"contexts": r["CONTEXTS"]},
                        "long_answer": r["LONG_ANSWER"],
                        "final_decision": r["final_decision"],
                    }
                )
                + "\n"
            )
    head = "configs:\n- config_name: pqa_labeled\n  data_files:\n  - split: train\n"
    (folder / "README.md").write_text(f"---\n{head}    path: test.jsonl\n---\n")


def environment(work: Path) -> dict[str, str]:
    """No hub, nothing of the user's caches, and the others' tasks beside our own packages."""
    paths = [str(OTHERS), *filter(None, [os.environ.get("PYTHONPATH")])]
    caches = {"HF_DATASETS_CACHE": str(work / "hf"), "XDG_CACHE_HOME": str(work / "cache")}
    own = {"DATADOSE_CACHE": str(cache_folder()), "PYTHONPATH": os.pathsep.join(paths)}
    return {**os.environ, **caches, **own, "HF_HUB_OFFLINE": "1"}


def logs_of(work: Path, limit: int) -> dict[str, EvalLog]:
    """The whole logs of that many questions, by the model's name."""
    found = (read_eval_log(info) for info in list_eval_logs(str(work / "logs")))
    return {
        log.eval.model.removeprefix("datadose/"): log
        for log in found
        if log.status == "success" and len(log.samples or ()) == limit
    }


def evaluate(work: Path, models: list[str], limit: int) -> None:
    """Run the task on all models that were not asked yet, in one process."""
    done = logs_of(work, limit)
    names = [f"datadose/{m}" for m in models if m not in done]
    if not names:
        return
    subprocess.run(
        [
            *(sys.executable, "-m", "inspect_ai", "eval", TASK, "--display", "plain"),
            *("--model", ",".join(names), "--limit", str(limit), "--max-tokens", "16"),
            *("--log-dir", "logs", "--max-tasks", str(len(names))),
        ],
        cwd=work,
        env=environment(work),
        check=True,
    )


def view(work: Path, shots: Path) -> list[str]:
    """Open the logs in `inspect view`, walk to a sample's score and back; what was seen."""
    shots.mkdir(parents=True, exist_ok=True)
    logs = [read_eval_log(info) for info in list_eval_logs(str(work / "logs"))]
    log = max(logs, key=lambda found: found.eval.model)
    sample = log.samples[0]
    browser = found_program("chromium", "chromium-browser")
    with inspect_view(work / "logs", environment(work)) as url, browsing(work, browser) as look:
        look.size(1280, 900)
        look.open(url)
        for found in logs:
            look.wait_for(found.eval.model)
        look.shoot(shots / "logs.png")
        look.follow(Path(log.location).name)
        look.wait_for("ACCURACY")
        look.wait_for(log.eval.model)
        look.shoot(shots / "log.png")
        look.follow(f"/sample/{sample.id}/")
        look.wait_for(str(sample.input).rpartition("**Question:** ")[2][:40])
        look.shoot(shots / "sample.png")
        # the viewer asks for a file of settings that a folder of logs need not have
        amiss = [c for c in look.complaints if "/api/flow?" not in c]
        if amiss:
            raise SystemExit(f"the console complains: {amiss}")
    return [
        f"the list of {len(logs)} logs, each with its model's name",
        "one log, its model's name and accuracy",
        f"one of its samples ({sample.id})",
    ]


def page(work: Path, models: dict[str, str], limit: int, seen: list[str]) -> str:
    """The page of results, from the logs alone."""
    logs = logs_of(work, limit)
    lines = [
        "# An Inspect task of others on fine-tuned arms",
        "",
        f'`make inspect ARGS="--run runs/quickstart --limit {limit}"`',
        "",
        f"`{TASK}` of inspect_evals {version_of('inspect_evals')}, unchanged, under inspect_ai"
        f" {version('inspect_ai')}: the first {limit} of PubMedQA's 500 test questions, with their"
        " abstracts, asked of two arms of the quickstart study and of their bare base by"
        " `inspect eval --model datadose/ARM`.",
        "",
        "| model | questions | accuracy | standard error | a letter was named | tokens in |",
        "|---|---|---|---|---|---|",
    ]
    for name, model in models.items():
        if model not in logs:
            raise SystemExit(f"{name} has no whole log of {limit} questions in {work / 'logs'}")
        log = logs[model]
        metrics = log.results.scores[0].metrics
        named = sum(bool(s.scores["choice"].answer) for s in log.samples)
        used = sum(u.input_tokens for u in log.stats.model_usage.values())
        lines.append(
            f"| {name} | {len(log.samples)} | {metrics['accuracy'].value:.3f} |"
            f" {metrics['stderr'].value:.3f} | {named} | {used} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            "The task wants `ANSWER: LETTER` and nothing else. A small model that was tuned to"
            " answer in one sentence rarely says that, so this table shows that the task runs and"
            " is scored; it says little of what the arms know.",
            "",
            "`inspect view` on these logs, in Chromium without a screen, showed:",
            "",
            *(f"- {s}" for s in seen),
            "- no error on the console but one 404 for a file of settings (`api/flow`) that the"
            " viewer looks for in every folder of logs",
            "",
        ]
    )


def version_of(name: str) -> str:
    """Version of a package that lies beside our own environment."""
    from importlib.metadata import distributions

    return next(d.version for d in distributions(path=[str(OTHERS)]) if d.name == name)


if __name__ == "__main__":
    main()
