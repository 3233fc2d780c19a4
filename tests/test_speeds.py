"""How fast devices are beside each other: the shipped peaks, a user's own, and rates measured on both."""

from __future__ import annotations

import math

import pytest

from nasbench.costs.pricing import shipped_prices
from nasbench.costs.speeds import rates_from, shipped_speeds, speed_ratio, speeds_from
from nasbench.errors import InputError, MissingData

RECORD = "what,ratio,against,ours,theirs,unit,note,machine,date,commit\n"


@pytest.mark.parametrize(
    ("device", "than", "times"),
    [
        ("NVIDIA A100-SXM4-40GB", "Tesla V100-SXM2-16GB", 19.5 / 15.7),
        ("NVIDIA H100 80GB HBM3", "Tesla T4", 67 / 8.1),
        ("H100 PCIe", "NVIDIA GeForce GTX 1080 Ti", 51 / 11.3),
        ("P100", "Tesla K40m", 9.3 / 4.29),
        ("cpu", "cpu", 1.0),
    ],
)
def test_ratios_of_peaks(device, than, times):
    assert speed_ratio(device, than, shipped_speeds()).times == pytest.approx(times)


def test_every_shipped_peak_has_a_source_and_a_date():
    assert all(speed.source and speed.date[:4].isdigit() for speed in shipped_speeds())


def test_every_priced_device_has_a_speed():
    for price in shipped_prices():
        assert speed_ratio(price.gpu, "cpu", shipped_speeds()).times > 0


def test_a_stand_in_is_said():
    assert "stand-in" in speed_ratio("A100", "cpu", shipped_speeds()).caveat
    assert speed_ratio("A100", "V100", shipped_speeds()).caveat == ""


def test_an_unknown_device_is_refused_by_name():
    with pytest.raises(InputError, match="the speed of device 'TPU v4' is unknown; the table has K80"):
        speed_ratio("TPU v4", "cpu", shipped_speeds())


def test_a_gtx_1080_is_no_1080_ti():
    with pytest.raises(InputError, match="the speed of device 'NVIDIA GeForce GTX 1080' is unknown"):
        speed_ratio("NVIDIA GeForce GTX 1080", "cpu", shipped_speeds())


def test_rates_measured_on_both_win_and_the_newest_counts(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text(
        RECORD
        + "training of a,1,x,100,1,images/s,NVIDIA A100-SXM4-40GB; note,m,2026-01-01,c\n"
        + "training of a,1,x,400,1,images/s,NVIDIA A100-SXM4-40GB; note,m,2026-01-02,c\n"
        + "training of a,1,x,10,1,images/s of the machine,a processor second 5,m,2026-01-03,c\n"
        + "training of b,1,x,90,1,images/s,NVIDIA A100-SXM4-40GB; note,m,2026-01-02,c\n"
        + "training of b,1,x,9,1,images/s,,m,2026-01-03,c\n"
        + "children,1,x,9,1,children/h,NVIDIA A100-SXM4-40GB; note,m,2026-01-03,c\n"
    )
    rates = rates_from(str(path), shipped_speeds())
    found = speed_ratio("A100", "cpu", shipped_speeds(), rates)
    assert found.times == pytest.approx(math.sqrt(40 * 10))
    assert found.basis == "rates measured on both: training of a; training of b (2026-01-02 to 2026-01-03)"
    assert speed_ratio("V100", "cpu", shipped_speeds(), rates).basis.startswith("peaks of single precision")


@pytest.mark.parametrize("rate", ["0", "-3", "nan", "inf", "", "fast"])
def test_a_rate_that_is_none_is_one_line(tmp_path, rate):
    path = tmp_path / "record.csv"
    path.write_text(RECORD + f"training of a,1,x,{rate},1,images/s,NVIDIA A100; note,m,2026-01-01,c\n")
    with pytest.raises(InputError, match=f"line 2: ours is '{rate}', not a number of images per second above 0"):
        rates_from(str(path), shipped_speeds())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpu\nA100\n", "has the columns gpu; allowed: gpu, tflops"),
        ("gpu,tflops\n", "has no rows"),
        ("gpu,tflops\nA100,fast\n", "line 2: A100 with tflops 'fast'"),
        ("gpu,tflops\n,3\n", "line 2: no device"),
        ("gpu,tflops\nA100,0\n", "a number above 0"),
        ("gpu,tflops\nNVIDIA,3\n", "NVIDIA with tflops '3'; write a device with its model"),
        ("gpu,tflops,colour\nA100,1,red\n", "colour"),
    ],
)
def test_a_table_that_is_none(tmp_path, text, message):
    path = tmp_path / "speeds.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        speeds_from(str(path))


def test_files_that_are_not_there_or_no_record(tmp_path):
    with pytest.raises(MissingData, match="does not exist"):
        speeds_from(str(tmp_path / "none.csv"))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="is not a benchmark record: it has no column date, note, ours, unit, what"):
        rates_from(str(tmp_path / "other.csv"), shipped_speeds())


def test_rates_of_a_gpu_that_the_table_lacks_are_not_the_processors(tmp_path):
    path = tmp_path / "record.csv"
    rows = (
        "x,5000,images/s,NVIDIA GeForce GTX 1080; batch 64,2026-01-01",
        "x,20,images/s,AMD EPYC 7763,2026-01-01",
        "y,30,images/s,,2026-01-01",
    )
    path.write_text("\n".join(("what,ours,unit,note,date", *rows)) + "\n", encoding="utf-8")
    found = rates_from(str(path), shipped_speeds())
    assert {(rate.task, rate.device, rate.images) for rate in found} == {("x", "cpu", 20.0), ("y", "cpu", 30.0)}
