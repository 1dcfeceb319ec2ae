"""The part of a network that makes its last stage, for methods that first train that part by itself."""

from torch import nn

from ...forward import dry_run
from ...taps import Tapped


def feature_modules(net: Tapped, image_size: int) -> list[nn.Module]:
    """Return the modules that have run when the last stage is done, outermost only, in the order of their calls.

    What comes behind the last stage is not among them (the last BatchNorm of a WRN, the last convolution of a
    MobileNetV2), nor are parameters that a module around both keeps for itself (the class token of a transformer).
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
