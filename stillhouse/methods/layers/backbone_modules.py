"""The part of a network up to its last stage, for methods that first train that part by itself."""

from torch import nn

from ...forward import dry_run
from ...taps import Tapped


def feature_modules(net: Tapped, image_size: int) -> list[nn.Module]:
    """Return the modules that have run by the end of the last stage, outermost only, in the order of their calls.

    Modules after the last stage are left out (the last BatchNorm of a WRN, the last convolution of a MobileNetV2), as
    are parameters that an enclosing module holds directly (the class token of a transformer).
    """
    end, _, is_input = net.anatomy.resolve("last_stage").partition(":")
    paths: list[str] = []
    for call in dry_run(net.model, image_size).calls:
        if is_input and f"{call.path}.".startswith(f"{end}."):
            break
        paths.append(call.path)
        if call.path == end:
            break
    outermost = [path for path in paths if not any(path.startswith(f"{other}.") for other in paths)]
    return [net.model.get_submodule(path) for path in dict.fromkeys(outermost)]
