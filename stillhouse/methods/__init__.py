"""The catalogue: one import per method."""

from .at import AT as AT
from .cc import CC as CC
from .ce import CE as CE
from .dspp import DSPP as DSPP
from .fitnet import FitNet as FitNet
from .fsp import FSP as FSP
from .hkd import HKD as HKD
from .irg import IRG as IRG
from .kd import KD as KD
from .kdsvd import KDSVD as KDSVD
from .nst import NST as NST
from .pkt import PKT as PKT
from .rkd import RKD as RKD
from .semckd import SemCKD as SemCKD
from .sp import SP as SP
from .vid import VID as VID
