"""A data set of your own: `file.py:function` or `package.module:function`, which returns a `Data` or `Arrays`."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from ..user_code import hash_of_file, load_object, one_line, source_files
from .arrays import Arrays, from_arrays
from .dataset import Data
from .options import LoadOptions

FORMS = "file.py:function or package.module:function"


def is_own(name: str) -> bool:
    """Return True for the name of a function, False for that of a data set or a folder."""
    module, _, function = name.rpartition(":")
    return bool(module) and function.isidentifier() and not Path(name).expanduser().exists()


def load(name: str, options: LoadOptions) -> Data:
    """Call the function and make sure that what it returns is what the options ask for.

    The function is given what it takes by name: `options` (the `LoadOptions`), or single ones such as `batch_size`.
    The files that define it are part of the fingerprint of the data, and so of what a run is known by.

    Raises:
        ValueError: If it cannot be called so, fails, or returns something else.
    """
    module, _, attribute = name.rpartition(":")
    function = load_object(module, attribute)
    if not callable(function):
        raise ValueError(f"{name} is a {type(function).__name__}; name a function that returns a Data or Arrays")
    made = _called(name, function, options)
    data = from_arrays(made, options) if isinstance(made, Arrays) else made
    if not isinstance(data, Data):
        raise ValueError(f"{name} returns an object of type {type(made).__name__}, not a stillhouse Data or Arrays")
    _check(name, data, options)
    files = "".join(hash_of_file(file) for file in source_files(module))
    fingerprint = hashlib.blake2b(f"{data.fingerprint} {files}".encode(), digest_size=16).hexdigest()
    return dataclasses.replace(data, fingerprint=fingerprint)


def _called(name: str, function: Callable[..., object], options: LoadOptions) -> object:
    arguments = _arguments(name, inspect.signature(function).parameters, options)
    try:
        return function(**arguments)
    except ValueError:
        raise
    except Exception as error:  # foreign code can fail in any way
        raise ValueError(f"{name} failed: {one_line(error)}") from error


def _arguments(name: str, takes: Mapping[str, inspect.Parameter], options: LoadOptions) -> dict[str, object]:
    known = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        return known
    given: dict[str, object] = {}
    for parameter in takes.values():
        if parameter.name == "options":
            given["options"] = options
        elif parameter.name in known:
            given[parameter.name] = known[parameter.name]
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
            raise ValueError(f"{name} takes {parameter.name!r}; it can be given options, {', '.join(known)}")
    return given


def _check(name: str, data: Data, options: LoadOptions) -> None:
    """Refuse data that ignore the options, or a run's record would say something else than what happened."""
    for option, has, wanted in (
        ("batch_size", data.train.batch_size, options.batch_size),
        ("seed", data.train.seed, options.seed),
        ("drop_last", data.train.drop_last, options.drop_last),
        ("strong_view", data.train.strong_view, options.strong_view),
        ("image_size", data.info.image_size, options.image_size or data.info.image_size),
        ("train_fraction", data.train_fraction, options.train_fraction),
        ("validation", "none" if data.validation is None else "some", f"{options.validation:g}"),
    ):
        if has != wanted and not (option == "validation" and (has == "some" or wanted == "0")):
            raise ValueError(
                f"{name} returns data with {option} {has}, not the {wanted} that was asked for; pass its options on, "
                f"as in from_arrays(arrays, options)"
            )
    if data.info.num_classes != len(data.classes):
        raise ValueError(f"{name} returns data with {data.info.num_classes} classes and {len(data.classes)} names")
