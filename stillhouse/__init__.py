"""stillhouse distils image classifiers: a trained teacher, a small student, and every method compared fairly."""

from .anatomy import Anatomy as Anatomy
from .distillation import Distillation as Distillation
from .method import FeatureMethod as FeatureMethod
from .method import Group as Group
from .method import LogitMethod as LogitMethod
from .method import Method as Method
from .method import Phase as Phase
from .method import Spot as Spot
from .method import SpotMethod as SpotMethod
from .method import Warmup as Warmup
from .outputs import Batch as Batch
from .outputs import DataInfo as DataInfo
from .outputs import Outputs as Outputs
from .taps import Tapped as Tapped
