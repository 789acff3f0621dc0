"""Functions that are made of others say what those take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
K = TypeVar("K", bound=type)


def takes_after(function: F, model: Callable[..., Any], first: str, *, instead: bool = False) -> F:
    """`function` with the text and the parameters of `model`, behind `first`, or with it in place of the first."""
    parameters = list(inspect.signature(model, eval_str=True).parameters.values())
    own = inspect.Parameter(first, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    function.__doc__ = model.__doc__
    setattr(function, "__signature__", inspect.Signature([own, *parameters[1 if instead else 0:]]))
    return function


def named(owner: K) -> K:
    """The functions of a class have the names that they are found by."""
    for name, member in vars(owner).items():
        if inspect.isfunction(member) and "__signature__" in vars(member):
            member.__name__, member.__qualname__, member.__module__ = name, f"{owner.__name__}.{name}", owner.__module__
    return owner
