"""The workers of the cluster that joblib is told to use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from joblib.parallel import get_active_backend

from bayes_mdd.parallel.software import Software, describe_software

_NUMBER: ContextVar[int] = ContextVar("number of workers", default=0)


class Expected(NamedTuple):
    """What a cluster is expected to have.

    Parameters
    ----------
    number : int
        Workers, including those that have not started; 0 where it is not known.
    software : tuple of (str, str)
        Software of this process, which workers must have too.
    """

    number: int
    software: Software


@contextmanager
def expect_workers(number: int) -> Iterator[None]:
    """State how many workers a cluster will have.

    Parameters
    ----------
    number : int
        Workers, including those that have not started.

    Yields
    ------
    None
        While it holds.
    """
    token = _NUMBER.set(number)
    try:
        yield
    finally:
        _NUMBER.reset(token)


def expected_workers() -> Expected | None:
    """Describe the workers of the cluster that joblib is told to use.

    Returns
    -------
    Expected or None
        None where tasks run on this machine.

    Examples
    --------
    >>> expected_workers() is None
    True
    """
    backend, _ = get_active_backend()
    if type(backend).__name__ != "DaskDistributedBackend":
        return None
    return Expected(_NUMBER.get(), describe_software())
