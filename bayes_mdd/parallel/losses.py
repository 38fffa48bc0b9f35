"""Which errors mean that a worker was lost, so that its tasks can be run again."""

from __future__ import annotations

import sys
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

from bayes_mdd.errors import WorkerError


def is_loss(error: Exception) -> bool:
    """Tell whether an error says that a worker was lost, not that its task failed.

    Parameters
    ----------
    error : Exception
        Raised by joblib.

    Returns
    -------
    bool
        True for processes that ended, and for data that a cluster lost with a worker.

    Examples
    --------
    >>> is_loss(BrokenProcessPool()), is_loss(ValueError())
    (True, False)
    """
    return isinstance(error, (BrokenProcessPool, CancelledError, *_distributed_losses()))


def _distributed_losses() -> tuple[type[Exception], ...]:
    """Errors of the cluster, where one is in use."""
    client = sys.modules.get("distributed.client")
    scheduler = sys.modules.get("distributed.scheduler")
    if client is None or scheduler is None:
        return ()
    return (client.FutureCancelledError, scheduler.KilledWorker)


def explain_loss(error: Exception) -> WorkerError:
    """Explain why tasks are not run again.

    Parameters
    ----------
    error : Exception
        The last loss.

    Returns
    -------
    WorkerError
        To be raised.

    Examples
    --------
    >>> str(explain_loss(BrokenProcessPool()))[:28]
    'Workers ended again and agai'
    """
    said = f" ({error})" if str(error) else ""
    return WorkerError(
        "Workers ended again and again before a task was complete, often because memory was "
        f"short: use fewer of them at once, or give each more memory{said}. Where results are "
        "kept, the same command continues with those that are complete."
    )
