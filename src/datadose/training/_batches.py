"""Which rows make up each optimiser step: seeded, bucketed by prompt length, dose-blind."""

from __future__ import annotations

import math
from collections.abc import Sequence

from datadose._core import generator
from datadose.schema import Recipe

BUCKET = 8

Step = tuple[tuple[int, ...], ...]


def total_steps(rows: int, recipe: Recipe) -> int:
    """Optimiser steps of a recipe on so many rows; an epoch's last step may be short."""
    per_epoch = math.ceil(rows / (recipe.batch * recipe.accumulate))
    return recipe.steps or max(1, round(recipe.epochs * per_epoch))


def plan_steps(prompt_lengths: Sequence[int], recipe: Recipe, seed: int) -> list[Step]:
    """For every optimiser step its micro-batches of row indices.

    Rows are shuffled each epoch, sorted by prompt length within runs of `BUCKET` steps, and the
    steps shuffled again. Only prompt lengths count, never answers, so that arms of one seed
    that share prompts see them in the same order at every dose.
    """
    size = recipe.batch * recipe.accumulate
    wanted = total_steps(len(prompt_lengths), recipe)
    steps: list[Step] = []
    epoch = 0
    while len(steps) < wanted:
        rng = generator(seed, "batches", epoch)
        order = rng.permutation(len(prompt_lengths)).tolist()
        epoch_steps = []
        for at in range(0, len(order), size * BUCKET):
            run = sorted(order[at : at + size * BUCKET], key=lambda i: prompt_lengths[i])
            epoch_steps += [run[i : i + size] for i in range(0, len(run), size)]
        for k in rng.permutation(len(epoch_steps)).tolist():
            rows = epoch_steps[k]
            micro = [tuple(rows[i : i + recipe.batch]) for i in range(0, len(rows), recipe.batch)]
            steps.append(tuple(micro))
        epoch += 1
    return steps[:wanted]


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """Learning rate of step 0..total-1: linear warm-up, then linear, cosine or constant."""
    warm = round(recipe.warmup * total)
    if step < warm:
        return recipe.lr * (step + 1) / warm
    done = (step - warm) / max(1, total - warm)
    if recipe.schedule == "constant":
        return recipe.lr
    if recipe.schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))
    return recipe.lr * (1 - done)
