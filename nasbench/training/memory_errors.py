"""Recognition of errors that mean that memory is exhausted."""

from __future__ import annotations

import torch

# Parts of the messages with which torch's CPU allocator and CUDA's libraries raise a plain RuntimeError.
_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error means that memory is exhausted, on the device or on the host.

    Args:
        error: the exception.

    Returns:
        True for torch's OutOfMemoryError, Python's MemoryError, and RuntimeErrors with one of the known messages.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
