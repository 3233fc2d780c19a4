"""A search that will be slow here says so in one line before it starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from commands import nasbench
from image_folders import make_image_folder

from nasbench.doctor.before_search import emulates_bfloat16, slow_here
from nasbench.kernels.processor import Processor, processor_here

AVX2 = {"sse4_1", "avx", "avx2", "fma"}
AVX512 = {*AVX2, "avx512f", "avx512bw", "avx512vl", "avx512dq"}


def processor(*flags):
    return Processor("AuthenticAMD", "25", "1", "1", "AMD EPYC", frozenset(flags))


@pytest.mark.parametrize(
    ("flags", "limit", "isa"),
    [
        (AVX2, "", "avx2"),
        (AVX512, "", "avx512_core"),
        ({*AVX512, "avx512_vnni", "avx512_bf16"}, "", ""),
        ({*AVX512, "avx512_vnni", "avx512_bf16"}, "AVX2", "avx2"),
        ({*AVX2, "avx_vnni", "avx_vnni_int8", "avx_ne_convert"}, "", ""),
        ({"asimd", "bf16"}, "", ""),
        ({"asimd"}, "", "none"),
    ],
)
def test_where_bfloat16_is_emulated(flags, limit, isa):
    assert emulates_bfloat16(processor(*flags), limit) == isa


def test_only_bfloat16_on_the_processor_is_slow():
    older = processor(*AVX2)
    (line,) = slow_here([("float32", ["cpu"]), ("bfloat16", ["cpu", "cpu"])], older)
    assert line == (
        "slow here: precision=bfloat16 trains about 7 times slower than float32, because this processor has no "
        "bfloat16 instructions (avx2); "
        "nasbench doctor measures it"
    )
    assert "about 2 times" in slow_here([("bfloat16", ["cpu"])], processor(*AVX512))[0]
    assert slow_here([("bfloat16", ["cuda:0"])], older) == []
    assert slow_here([("float32", ["cpu"])], older) == []
    assert slow_here([("bfloat16", ["cpu"])], processor(*AVX512, "avx512_vnni", "avx512_bf16")) == []


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.skipif("avx2" not in processor_here().flags, reason="needs a processor with AVX2")
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_run_says_it_once_before_it_starts(tmp_path, precision):
    words = "run --space nasnet:blocks=1 --strategy random --data fake:images=96,size=8,classes=3 --set epochs=1 --set filters=4"
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from nasbench.cli import main; main()", *words.split()),
            *("--set", f"precision={precision}", "--budget", "2 children", "-o", "x.h5"),
        ],
        cwd=tmp_path,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stderr.splitlines()
    assert sum(line.startswith("slow here: precision=bfloat16") for line in lines) == (precision == "bfloat16")
    assert lines[0].startswith("slow here") == (precision == "bfloat16")


def test_trainings_that_are_no_search_say_it_too(tmp_path, monkeypatch):
    """The training on images in folders has bfloat16 by default. The table ends, for another reason, before it trains."""
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    make_image_folder(tmp_path / "trees")
    words = ("transfer", "nasnet-a", "--sizes", "1@96", "--pixels", "32", "--data", "folder:trees", "--train")
    mistake = nasbench(*words, "--set", "batch_size=none", cwd=tmp_path)
    assert (mistake.code, mistake.err.count("\n")) == (2, 1)  # and nothing of what would be slow
    few = ("--workers", "0", "--set", "epochs=1", "--set", "batch_size=4", "--set", "replica_batch=4")
    transfer = nasbench(*words, *few, cwd=tmp_path)
    assert transfer.code == 0, transfer.err
    assert transfer.err.startswith("slow here: precision=bfloat16")
    assert transfer.err.count("slow here") == 1
    words = "table build --space nas:layers=1 --protocol digits --set precision=bfloat16 -o /sys/kernel/x.h5"
    table = nasbench(*words.split(), cwd=tmp_path)
    assert table.code == 2
    assert table.err.count("slow here: precision=bfloat16") == 1
