"""Threads: small networks learn on one, because more only wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch compute on a single thread meanwhile.

    Thousands of products of a few milliseconds each gain little from a second thread when the
    machine is idle, and where others are at work its threads spin for each other: 2 s became 120 s.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
