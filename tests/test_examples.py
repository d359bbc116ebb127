"""Every example study is read and laid out as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from datadose.running import lay_out, load_study

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))
READS_DATA = {p for p in EXAMPLES if "${DATADOSE_DATA}" in p.read_text("utf-8")}


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p not in READS_DATA], ids=lambda p: p.stem)
def test_an_example_is_laid_out(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    design = lay_out(study)
    assert {c.dose for c in design.cells} >= set(study.axis)


@pytest.mark.data
@pytest.mark.parametrize("path", sorted(READS_DATA), ids=lambda p: p.stem)
def test_an_example_on_real_data_is_laid_out(
    path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATADOSE_DATA", str(data_dir))
    study = load_study(path)
    assert study.name == path.stem
    design = lay_out(study)
    assert {c.dose for c in design.cells} >= set(study.axis)


def test_the_reduced_grid_has_twenty_arms() -> None:
    from datadose.running._design import arm_of

    study = load_study(EXAMPLES[0].parent / "four-domains-small.yaml")
    cells = lay_out(study).cells
    assert len({arm_of(c, study, "w", "t", 1).id for c in cells}) == 20
