"""Proposals of settings by Optuna's tree-structured Parzen estimator, in place of every combination of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .axes import Axis, Settings, Span, Value, numbers
from .scores import Scored

_RANDOM = 8  # trials before the estimator begins


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
        self._states = optuna.trial.TrialState
        self._space = {axis.name: _distribution(axis) for axis in axes}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed % 2**32, n_startup_trials=_RANDOM, multivariate=True, constant_liar=True
            )
        self._study: Any = optuna.create_study(direction="maximize", sampler=sampler)
        self._trials: list[Any] = []
        self.told = 0  # trials with an outcome

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

    def tell(self, found: Scored) -> None:
        """Tell what became of the next trial, in the order in which they were asked for.

        The estimator counts one that was stopped as worse than all that ran further, however good it was.
        """
        trial, self.told = self._trials[self.told], self.told + 1
        if found.stop is not None:
            trial.report(found.stop.mean, found.stop.epochs)
            self._study.tell(trial, state=self._states.PRUNED)
        elif found.is_complete:
            self._study.tell(trial, found.mean)
        else:
            self._study.tell(trial, state=self._states.FAIL)


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
