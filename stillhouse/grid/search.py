"""Proposals of settings by Optuna's tree-structured Parzen estimator, in place of every combination of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .axes import Axis, Settings, Span, Value, numbers

_RANDOM = 10  # trials before the estimator begins


class Proposals:
    """Settings to try, each chosen by the outcomes of those before: the same ones for the same outcomes.

    Args:
        seed: The random numbers follow from it.

    Raises:
        ValueError: If Optuna is not installed.
    """

    def __init__(self, axes: Sequence[Axis], seed: int):
        try:
            import optuna
        except ImportError:
            raise ValueError("--search needs Optuna: pip install 'stillhouse[search]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._axes = axes
        self._failed = optuna.trial.TrialState.FAIL
        self._space = {axis.name: _distribution(axis) for axis in axes}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed % 2**32, n_startup_trials=_RANDOM, multivariate=True, constant_liar=True
            )
        self._study: Any = optuna.create_study(direction="maximize", sampler=sampler)
        self._trials: list[Any] = []

    def ask(self) -> Settings:
        """Return the settings of the next trial."""
        trial = self._study.ask(self._space)
        self._trials.append(trial)
        found: dict[str, Value] = {}
        for axis in self._axes:
            value = trial.params[axis.name]
            found |= axis.settings(
                (axis.points.rounded(value),) if isinstance(axis.points, Span) else axis.points[value]
            )
        return found

    def tell(self, number: int, score: float | None) -> None:
        """Tell the outcome of a trial, counted from 0; more is better, None for one that failed."""
        if score is None:
            self._study.tell(self._trials[number], state=self._failed)
        else:
            self._study.tell(self._trials[number], score)


def _distribution(axis: Axis) -> Any:
    """Return what Optuna draws from: a number of a span, or the place of a value among the others."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis.points, Span):
        span = axis.points
        if span.is_whole:
            return IntDistribution(int(span.low), int(span.high), log=span.is_log)
        return FloatDistribution(span.low, span.high, log=span.is_log)
    values = list(numbers(axis))
    if len(values) == len(axis.points) and values == sorted(values):  # near places are near values
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(range(len(axis.points)))
