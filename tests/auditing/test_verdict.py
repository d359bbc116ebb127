"""The verdict as a function of a share and thresholds."""

from __future__ import annotations

import pytest

from datadose.auditing import Limits, Share, limits_of, verdict

POINTS = ((0.0, 0.8, 0.7, 0.9), (0.5, 0.4, 0.3, 0.5), (1.0, 0.1, 0.0, 0.2))
DOMAIN = Limits("health", "domain", harm=0.10, worse=0.40, points=POINTS)


def share(lower: float, estimate: float, upper: float) -> Share:
    return Share(estimate, lower, upper, 0.95, "labels and scores", 60, 6)


@pytest.mark.parametrize(
    ("found", "limits", "action"),
    [
        (share(0.0, 0.02, 0.06), [DOMAIN], "leave"),
        (share(0.0, 0.02, 0.12), [DOMAIN], "clean first"),
        (share(0.41, 0.5, 0.6), [DOMAIN], "don't fine-tune"),
        (share(0.39, 0.5, 0.6), [DOMAIN], "clean first"),
        (share(0.0, 0.02, 0.06), [DOMAIN, Limits("h", "dangerous", harm=0.01)], "clean first"),
        (share(0.0, 0.02, 0.06), [], "can't say"),
        (share(0.0, 0.02, 0.06), [Limits("h", "domain")], "can't say"),
        (Share(None, None, None, 0.95, "none"), [DOMAIN], "can't say"),
        (Share(0.02, 0.0, 0.06, 0.95, "model-based"), [DOMAIN], "can't say"),
        (Share(0.02, 0.0, 0.12, 0.95, "model-based"), [DOMAIN], "clean first"),
    ],
)
def test_actions(found: Share, limits: list[Limits], action: str) -> None:
    assert verdict(found, limits).action == action


def test_predicted_rates_span_the_share() -> None:
    (p,) = verdict(share(0.25, 0.5, 0.75), [DOMAIN]).predicted
    assert p.rate == pytest.approx(0.4)
    assert p.lower == pytest.approx(0.15)
    assert p.upper == pytest.approx(0.7)
    few = Limits("h", "domain", points=POINTS[:2])
    assert verdict(share(0.25, 0.5, 0.75), [few]).predicted == ()


def test_limits_are_read_from_a_runs_results() -> None:
    threshold = {"threshold": "benchmark", "upper": 0.3, "lower": 0.2}
    analysis = {
        "spec": {"axis": "share", "benchmark": 0.1},
        "points": [{"dose": 0.0, "rate": 0.8, "lower": 0.7, "upper": 0.9}],
        "thresholds": [
            {**threshold, "benchmark_response": 0.05, "lower": 0.1},
            {**threshold, "benchmark_response": 0.1},
            {"threshold": "parity", "benchmark_response": None, "lower": None, "upper": 0.6},
        ],
    }
    counted = {**analysis, "spec": {"axis": "count", "benchmark": 0.1}}
    found = limits_of({"series": {"s": {"domain": analysis, "other": counted}}})
    assert found == (Limits("s", "domain", 0.2, 0.6, ((0.0, 0.8, 0.7, 0.9),)),)
