"""Facts of a machine where all is well, for tests to change."""

from __future__ import annotations

import pytest

from nasbench.doctor.probe import TorchFacts


@pytest.fixture
def facts() -> TorchFacts:
    return TorchFacts(
        version="2.14.1+cu130",
        cuda="13.0",
        onednn="3.12.0",
        mkl="2024.2",
        capability="AVX512",
        predicted_isa="avx512_core_bf16",
        isa="Intel AVX-512 with Intel DL Boost and bfloat16 support",
        platform="AuthenticAMD family 25 model 17 stepping 1; isa AVX512 + avx512_core_bf16; threads 1",
        numpy_error="",
        bfloat16_time=0.5,
        numpy_kernels="SkylakeX",
        numpy_gflops=20.0,
        torch_gflops=20.0,
        keeps_memory=True,
    )
