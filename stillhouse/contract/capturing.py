"""The law about CUDA graphs: a training step never needs the host, which can be tested on a CPU."""

import torch

from ..training.capture.host_access import NotCapturable, host_access, what_python_holds, withheld
from .trial import Subject


def can_be_captured(subject: Subject) -> str:
    trial, one = subject.trained(), subject.batch()
    shown = withheld(trial.distillation.before_step(one))
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
                    trial.distillation.after_step(shown)
        except NotCapturable as why:
            found = [str(why)]
        after = what_python_holds(trial.distillation)
        found += [
            f"it changes {name}; write into a buffer instead" for name in after if after[name] != before.get(name)
        ]
        if found:
            return f"no, because {found[0]}; it trains without a graph instead"
    return ""
