"""The law about CUDA graphs: a training step asks the host nothing, which is seen on a CPU."""

from dataclasses import replace
from typing import Any

import torch

from ..training.host_access import NotCapturable, Withheld, host_access, what_python_holds
from .trial import Subject


def can_be_captured(subject: Subject) -> str:
    trial, one = subject.trained(), subject.batch()
    withheld: dict[str, Any] = {name: Withheld(f"batch.{name}") for name in ("epoch", "step", "seed")}
    shown = replace(one, **withheld)
    with torch.no_grad():
        outputs = trial.teacher.forward_batch(one)
    for phase in trial.phases:
        trial.distillation.eval()
        for module in phase.trains:
            module.train()
        before = what_python_holds(trial.distillation)
        try:
            with host_access() as found:
                terms = phase.terms(shown, outputs)
                torch.autograd.backward(torch.stack(list(terms.values())).sum())
                with torch.no_grad():
                    trial.method.after_step(shown)
        except NotCapturable as why:
            found = [str(why)]
        after = what_python_holds(trial.distillation)
        found += [
            f"it changes {name}; write into a buffer instead" for name in after if after[name] != before.get(name)
        ]
        if found:
            return f"no, for {found[0]}; it trains all the same, without a graph"
    return ""
