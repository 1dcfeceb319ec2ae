"""The contract of method.py as laws that can be tested on small networks. `stillhouse check` prints them."""

from .laws import LAWS as LAWS, Citation as Citation, Law as Law
from .trial import Broken as Broken, NotApplicable as NotApplicable, Subject as Subject
