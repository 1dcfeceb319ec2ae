"""stillhouse distils image classifiers: a trained teacher, a small student, and every method compared fairly."""

from .anatomy import Anatomy as Anatomy
from .distillation import Distillation as Distillation
from .method import (
    FeatureMethod as FeatureMethod,
    Group as Group,
    LogitMethod as LogitMethod,
    Method as Method,
    Phase as Phase,
    Spot as Spot,
    SpotMethod as SpotMethod,
    Warmup as Warmup,
)
from .outputs import Batch as Batch, DataInfo as DataInfo, Outputs as Outputs
from .taps import Tapped as Tapped
