"""The catalogue: one import per method."""

from .at import AT as AT
from .ce import CE as CE
from .fitnet import FitNet as FitNet
from .kd import KD as KD
from .sp import SP as SP
