"""For every test: one thread, because the networks are small and tests run side by side."""

import torch

from tests.helpers.commands import world as world

torch.set_num_threads(1)
