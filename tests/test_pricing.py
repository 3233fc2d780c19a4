"""Prices: the shipped figures, which row fits a device, and what a user may set instead."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nasbench.costs.pricing import Price, best_match, gpu_hours, price_of, prices_from, shipped_prices, usd
from nasbench.errors import InputError, MissingData


@pytest.mark.parametrize(
    ("device", "gpu", "price"),
    [
        ("Tesla K80", "K80", 0.45),
        ("Tesla K40m", "K40", 0.45),
        ("K40", "K40", 0.45),
        ("Tesla P100-PCIE-16GB", "P100", 1.46),
        ("Tesla V100-SXM2-16GB", "V100", 2.48),
        ("V100", "V100", 2.48),
        ("Tesla T4", "T4", 0.35),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB", 4.10),
        ("NVIDIA A100 80GB PCIe", "A100 80GB", 2.79),
        ("A100", "A100 40GB", 4.10),
        ("NVIDIA H100 80GB HBM3", "H100 SXM", 4.29),
        ("NVIDIA H100 PCIe", "H100 PCIe", 3.29),
        ("NVIDIA H100 NVL", "H100 SXM", 4.29),
        ("cpu", "cpu", 0.05),
    ],
)
def test_a_device_name_finds_its_row(device, gpu, price):
    row = price_of(device, shipped_prices())
    assert (row.gpu, row.usd) == (gpu, price)


@pytest.mark.parametrize("device", ["NVIDIA H200", "NVIDIA GH200 480GB", "P1000", ""])
def test_a_similar_name_is_not_the_same_device(device):
    with pytest.raises(InputError, match="no price for device"):
        price_of(device, shipped_prices())


# Of a user's table in the words of drivers: vendor and series are those of most GPUs, and say nothing.
OWN = (
    "NVIDIA A100",
    "NVIDIA H100 PCIe",
    "RTX 3090",
    "GeForce GTX 1080 Ti",
    "RTX PRO 6000",
    "RTX 6000 Ada",
    "TITAN V",
    "2080 Super",
)


@pytest.mark.parametrize(
    ("device", "fits"),
    [
        ("NVIDIA A100-SXM4-40GB", "NVIDIA A100"),
        ("Tesla A100", "NVIDIA A100"),
        ("NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("RTX3090", "RTX 3090"),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("NVIDIA RTX A6000", None),
        ("NVIDIA GeForce RTX 2080 Ti", None),
        ("NVIDIA GeForce RTX 2080 SUPER", "2080 Super"),
        ("NVIDIA GeForce GTX 1080", None),
        ("GTX 1080Ti", "GeForce GTX 1080 Ti"),
        ("NVIDIA GeForce RTX 3090 Laptop GPU", None),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("Quadro RTX 6000", None),
        ("NVIDIA TITAN V", "TITAN V"),
        ("NVIDIA TITAN RTX", None),
        ("NVIDIA H200", None),
        ("NVIDIA", None),
    ],
)
def test_the_model_decides_and_neither_vendor_nor_series(device, fits):
    place = best_match(device, OWN)
    assert (None if place is None else OWN[place]) == fits


def test_every_shipped_row_says_whose_figure_it_is():
    for price in shipped_prices():
        assert price.provider
        assert price.scope
        assert price.source
        assert price.date
    assert "proxy" in price_of("K40", shipped_prices()).scope
    assert "stand-in" in price_of("cpu", shipped_prices()).scope


def test_rows_of_the_same_device_are_never_mixed():
    rows = [price.usd for price in shipped_prices() if price.gpu == "P100"]
    assert rows == [1.46, 1.50]
    assert price_of("P100", shipped_prices()).usd == 1.46


def test_a_number_prices_any_device():
    table = prices_from("0.05")
    assert price_of("NVIDIA H200", table).usd == price_of("cpu", table).usd == 0.05


def test_a_file_replaces_the_table(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("gpu,usd\nH200,3.5\n")
    table = prices_from(str(path))
    assert price_of("NVIDIA H200", table) == Price("H200", 3.5, "", "", "", "", "")
    with pytest.raises(InputError, match="the table has H200"):
        price_of("V100", table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpu,usd\n", "has no rows"),
        ("", "has the columns none"),
        ("gpu,dollars\nV100,1\n", "has the columns gpu, dollars; allowed: gpu, usd"),
        ("gpu,usd\nV100,cheap\n", "line 2: usd is 'cheap'"),
        ("gpu,usd\nV100,-1\n", "line 2: '-1' is not a price"),
        ("gpu,usd\nV100,nan\n", "line 2: 'nan' is not a price"),
        ("gpu,usd\n,1\n", "line 2: gpu is empty"),
        ("gpu,usd\nNVIDIA RTX,1\n", "line 2: gpu 'NVIDIA RTX' names no model"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        prices_from(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("choice", ["-0.1", "inf", "nan"])
def test_a_bad_number_is_refused(choice):
    with pytest.raises(InputError, match="is not a price"):
        prices_from(choice)


def test_a_missing_file_says_what_a_price_is(tmp_path):
    with pytest.raises(MissingData, match="neither a number"):
        prices_from(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="is a folder and no table"):
        prices_from(str(tmp_path))


def test_hours_and_dollars():
    assert gpu_hours(5400, 4) == 6.0
    assert gpu_hours(3600, 0.25) == 0.25
    assert usd(2000, Price("P100", 1.5, "", "", "", "", "")) == 3000


def test_prices_need_neither_torch_nor_pandas():
    code = "import sys, nasbench.costs.pricing; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("device", "row", "fits"),
    [
        ("AMD Radeon PRO W7900", "W7900", True),
        ("Intel(R) Data Center GPU Max 1550", "1550", True),
        ("NVIDIA GeForce RTX 3080 Laptop GPU", "RTX 3080 Mobile", True),
        ("NVIDIA RTX PRO 6000", "RTX 6000", False),
        ("Apple M1 Max", "M1", False),
    ],
)
def test_a_word_is_another_chip_only_where_it_tells_chips_apart(device, row, fits):
    assert (best_match(device, [row]) == 0) == fits
