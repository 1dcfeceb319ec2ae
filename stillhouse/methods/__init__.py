"""The catalogue: one import per method."""

from .at import AT as AT
from .ce import CE as CE
from .dspp import DSPP as DSPP
from .fitnet import FitNet as FitNet
from .kd import KD as KD
from .semckd import SemCKD as SemCKD
from .sp import SP as SP
