"""stillhouse distils image classifiers: a trained teacher, a small student, and every method compared fairly."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .anatomy import Anatomy as Anatomy
    from .batch import Batch as Batch, DataInfo as DataInfo
    from .distillation import Distillation as Distillation
    from .method import (
        FeatureMethod as FeatureMethod,
        Group as Group,
        LogitMethod as LogitMethod,
        Method as Method,
        Phase as Phase,
        RelationalMethod as RelationalMethod,
        Spot as Spot,
        SpotMethod as SpotMethod,
        Warmup as Warmup,
    )
    from .taps import Outputs as Outputs, Tapped as Tapped
else:  # PyTorch takes seconds to import: a name brings its module when it is asked for, and `stillhouse --help` is fast
    _PUBLIC = {
        "anatomy": ("Anatomy",),
        "distillation": ("Distillation",),
        "method": (
            *("FeatureMethod", "Group", "LogitMethod", "Method", "Phase", "RelationalMethod"),
            *("Spot", "SpotMethod", "Warmup"),
        ),
        "batch": ("Batch", "DataInfo"),
        "taps": ("Outputs", "Tapped"),
    }
    _HOME = {name: module for module, names in _PUBLIC.items() for name in names}
    __all__ = sorted(_HOME)

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOME[name]}", __name__), name)

    def __dir__() -> list[str]:
        return __all__
