"""The command tree."""

from __future__ import annotations

import typer

from datadose.cli import (
    _audit,
    _clean,
    _datasets,
    _eval,
    _fit,
    _init,
    _judge,
    _mix,
    _model,
    _next,
    _plan,
    _report,
    _run,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # rich would double what --help takes
    rich_markup_mode=None,
    help="How much of your fine-tuning data can be wrong before the model breaks?",
)
app.command("init")(_init.init)
app.command("plan")(_plan.plan)
app.command("run")(_run.run)
app.command("report")(_report.report)
app.command("eval")(_eval.evaluate)
app.command("datasets")(_datasets.datasets)
app.command("audit")(_audit.audit)
app.command("clean")(_clean.clean)
app.command("fit")(_fit.fit)
app.command("next")(_next.next_dose)
app.command("mix")(_mix.mix)
app.add_typer(_judge.judge_app, name="judge")
app.add_typer(_model.model_app, name="model")
for group in (app, _judge.judge_app, _model.model_app):
    for verb in group.registered_commands:
        # told as such it is wrapped, not cut off
        verb.short_help = (getattr(verb.callback, "__doc__", None) or "").partition("\n\n")[0]


@app.callback()
def root() -> None:
    """How much of your fine-tuning data can be wrong before the model breaks?"""
