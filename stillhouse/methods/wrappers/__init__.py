"""Methods that take methods: one import per wrapper."""

from .ctkd import CTKD as CTKD
from .ramped import Ramped as Ramped
from .scale_decoupled import ScaleDecoupled as ScaleDecoupled
from .spot_adaptive import SpotAdaptive as SpotAdaptive
from .standardized import Standardized as Standardized
from .strong_view import StrongView as StrongView
