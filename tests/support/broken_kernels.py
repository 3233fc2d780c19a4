"""The self-test's process with an average pool that does, by its number of channels, what broken kernels do."""

from __future__ import annotations

import ctypes
import os
import signal
import time

import torch
from torch import nn

from nasbench.kernel_tests import case_layers, case_worker

OVERRUN, WRONG, UNSTABLE, HANG, SEGFAULT, LATE, UNWRITTEN, PYTHON_ERROR = 3, 5, 7, 9, 11, 13, 15, 17
late: list[torch.Tensor] = []


def overrun(tensor: torch.Tensor) -> torch.Tensor:
    beyond = ctypes.c_ubyte.from_address(tensor.data_ptr() + tensor.nbytes)
    beyond.value ^= 0xFF
    return tensor


class BrokenPool(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, self.calls = channels, 0
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, images):
        output = self.pool(images)
        self.calls += 1
        if self.channels == OVERRUN:
            overrun(torch.zeros(25))
        elif self.channels == WRONG:
            output = output * 1.5
        elif self.channels == UNSTABLE:
            output = output * (1 + 1e-6 * self.calls)
        elif self.channels == HANG:
            time.sleep(600)
        elif self.channels == SEGFAULT:
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self.channels == LATE:
            late.append(overrun(torch.zeros(25)))
        elif self.channels == UNWRITTEN:
            output = output + 0 * torch.empty_like(output) ** 2
        elif self.channels == PYTHON_ERROR:
            raise RuntimeError("no kernel for that")
        else:
            late.clear()  # frees what an earlier case has written past
        return output


if __name__ == "__main__":
    case_layers.BUILDERS["avg_pool"] = lambda case: BrokenPool(case.inputs)
    case_worker.main()
