"""Distillation of image classifiers: a trained teacher, a small student, and every method compared fairly."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .anatomy import Anatomy as Anatomy
    from .batch import Batch as Batch, DataInfo as DataInfo
    from .data import load as load
    from .distillation import Distillation as Distillation, Phase as Phase
    from .method import (
        FeatureMethod as FeatureMethod,
        Group as Group,
        LogitMethod as LogitMethod,
        Method as Method,
        RelationalMethod as RelationalMethod,
        Spot as Spot,
        SpotMethod as SpotMethod,
        Warmup as Warmup,
    )
    from .models.create import network as network, zoo as zoo
    from .own_loop.distiller import Distiller as Distiller
    from .taps import Outputs as Outputs, Tapped as Tapped
    from .training.classroom import Classroom as Classroom
    from .training.config import TrainConfig as TrainConfig
    from .training.evaluation import evaluate as evaluate
    from .training.loop import fit as fit
    from .training.progress import Display as Display
    from .training.run_folder import Run as Run
    from .training.student import StudentTrainer as StudentTrainer
else:  # importing PyTorch takes seconds: load each module on first use, so that `stillhouse --help` is fast
    _PUBLIC = {
        "anatomy": ("Anatomy",),
        "batch": ("Batch", "DataInfo"),
        "data": ("load",),
        "distillation": ("Distillation", "Phase"),
        "method": (
            *("FeatureMethod", "Group", "LogitMethod", "Method", "RelationalMethod"),
            *("Spot", "SpotMethod", "Warmup"),
        ),
        "models.create": ("network", "zoo"),
        "own_loop.distiller": ("Distiller",),
        "taps": ("Outputs", "Tapped"),
        "training.classroom": ("Classroom",),
        "training.config": ("TrainConfig",),
        "training.evaluation": ("evaluate",),
        "training.loop": ("fit",),
        "training.progress": ("Display",),
        "training.run_folder": ("Run",),
        "training.student": ("StudentTrainer",),
    }
    _HOME = {name: module for module, names in _PUBLIC.items() for name in names}
    __all__ = sorted(_HOME)

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOME[name]}", __name__), name)

    def __dir__() -> list[str]:
        return __all__
