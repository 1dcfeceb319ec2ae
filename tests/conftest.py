"""For every test: one thread, because the networks are small and tests run side by side."""

import torch

from tests.world import world as world

torch.set_num_threads(1)
