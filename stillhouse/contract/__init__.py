"""The contract of method.py as something to run: laws, tried on small networks. `stillhouse check` prints them."""

from .laws import LAWS as LAWS, Citation as Citation, Law as Law
from .trial import Broken as Broken, Subject as Subject
