"""The user's configuration file: what is read from where, what is said, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import nasbench

from nasbench.data.cache import data_root
from nasbench.store.query import Results
from nasbench.user_config import VARIABLES, config_path, user_setting, user_settings
from nasbench.user_config.fields import UserConfig

SEARCH = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "1 child", "--executor", "inline")
TINY = ("--set", "data=fake:images=96,size=8,classes=3", "--set", "epochs=1", "--final", "none")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write the configuration file of a home folder that is only the test's."""
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NASBENCH_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config" / "nasbench" / "config.toml"
    path.parent.mkdir(parents=True)

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    return write


def config_of(file: Path) -> dict[str, object]:
    with Results(file) as results:
        return json.loads(results.runs()["config"].iloc[0])


def test_the_tests_read_no_file_of_the_user():
    assert config_path() == Path(os.devnull)
    assert {each.source for key, each in user_settings().items() if key != "data_folder"} == {"default"}


def test_the_path_follows_the_xdg_standard(tmp_path, monkeypatch):
    monkeypatch.delenv("NASBENCH_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    usual = tmp_path / ".config" / "nasbench" / "config.toml"
    assert config_path() == usual
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert config_path() == usual
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "x"))
    assert nasbench("config", "path").out == f"{tmp_path}/x/nasbench/config.toml\n"
    monkeypatch.setenv("NASBENCH_CONFIG", "~/mine.toml")
    assert nasbench("config", "path").out == f"{tmp_path}/mine.toml\n"


def test_option_before_variable_before_file_before_default(written, monkeypatch, tmp_path):
    assert user_setting("price").source == "default"
    path = written('price = 0.5\ndevices = ["cpu", "cpu"]\n')
    assert (user_setting("price").value, user_setting("price").origin) == ("0.5", f"file {path}")
    assert user_setting("devices").value == "cpu,cpu"
    monkeypatch.setenv("NASBENCH_PRICE", "0.6")
    assert user_setting("price").origin == "environment NASBENCH_PRICE"
    monkeypatch.setenv("NASBENCH_DEVICES", "cpu")
    by_variable = nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "a.h5"))
    assert by_variable.code == 0, by_variable.err
    assert "note: price 0.6, from environment NASBENCH_PRICE\n" in by_variable.err
    assert config_of(tmp_path / "a.h5")["price"] == "0.6"
    by_option = nasbench(*SEARCH, *TINY, "--price", "0.7", "--devices", "cpu", "-o", str(tmp_path / "b.h5"))
    assert "from environment" not in by_option.err
    assert config_of(tmp_path / "b.h5")["price"] == "0.7"


def test_a_price_of_the_file_is_said_stored_charged_and_leaves_the_run_id(written, tmp_path):
    plain = nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "a.h5"))
    path = written("price = 7.5\n")
    priced = nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "b.h5"))
    assert f"note: price 7.5, from file {path}\n" in priced.err
    assert "note: price" not in plain.err
    with Results(tmp_path / "b.h5") as results:
        row = results.frame().iloc[0]
        assert row["usd"] == pytest.approx(7.5 * row["gpu_hours"])
        run = results.runs()["run"].iloc[0]
    with Results(tmp_path / "a.h5") as results:
        assert results.runs()["run"].iloc[0] == run


def test_devices_of_the_file_are_used_where_none_are_given(written, tmp_path):
    path = written('devices = "cuda:7"\n')
    done = nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "a.h5"))
    assert done.code == 2
    assert f"note: devices cuda:7, from file {path}" in done.err
    assert nasbench(*SEARCH, *TINY, "--devices", "cpu", "-o", str(tmp_path / "a.h5")).code == 0


def test_a_suite_keeps_its_own_price_and_devices(written, tmp_path):
    written('price = 3\ndevices = "cpu,cpu"\n')
    suite = tmp_path / "mine.toml"
    head = '[search]\nspace = "nasnet:blocks=1"\nstrategy = "random"\nbudget = "1 child"\nfinal = "none"\n'
    protocol = 'executor = "inline"\nset = {data = "fake:images=96,size=8,classes=3", epochs = 1}\n'
    suite.write_text(f'{head}{protocol}price = "2"\ndevices = ["cpu"]\n')
    own = nasbench("suite", "run", str(suite), "-o", str(tmp_path / "a.h5"))
    assert own.code == 0, own.err
    assert "from file" not in own.err
    assert config_of(tmp_path / "a.h5")["price"] == "2"
    suite.write_text(f'{head}{protocol}devices = ["cpu"]\n')
    usual = nasbench("suite", "run", str(suite), "-o", str(tmp_path / "b.h5"))
    assert "note: price 3, from file" in usual.err
    assert config_of(tmp_path / "b.h5")["price"] == "3"


def test_paths_are_relative_to_the_file(written):
    path = written('data_folder = "images"\nprice = "prices.csv"\n')
    assert data_root() == path.parent / "images"
    (path.parent / "prices.csv").write_text("gpu,usd\ncpu,0.25\n")
    done = nasbench("devices")
    assert "0.25" in done.out
    assert f"note: price {path.parent / 'prices.csv'}, from file" in done.err


def test_prices_that_were_charged_are_not_replaced(written, tmp_path):
    assert nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "a.h5"), "--price", "2").code == 0
    before = nasbench("cost", str(tmp_path / "a.h5"))
    written("price = 9\n")
    assert nasbench("cost", str(tmp_path / "a.h5")).out == before.out
    elsewhere = nasbench("cost", str(tmp_path / "a.h5"), "--at", "V100")
    assert "note: price 9, from file" in elsewhere.err
    assert "any device at 9 USD/h" in elsewhere.out


def test_verbosity_of_the_file(written, tmp_path):
    written('verbosity = "quiet"\n')
    assert nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "a.h5")).err == ""
    words = ("check", str(tmp_path / "a.h5"))
    assert nasbench(*words).err == ""
    assert "nasbench check took" in nasbench(*words, "-v").err
    written('verbosity = "verbose"\n')
    assert "nasbench check took" in nasbench(*words).err
    assert nasbench(*words, "-q").err == ""


def test_config_shows_values_and_where_they_come_from(written, monkeypatch):
    path = written("price = 2\n")
    monkeypatch.setenv("NASBENCH_DEVICES", "cuda:1")
    lines = {line.split("  ")[0]: line for line in nasbench("config").out.splitlines()}
    assert set(UserConfig.model_fields) < set(lines)
    assert f"file {path}" in lines["price"]
    assert "cuda:1" in lines["devices"]
    assert "environment NASBENCH_DEVICES" in lines["devices"]
    assert " default " in lines["verbosity"]
    assert lines[f"file: {path}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "device = 'cpu'",
            "no field 'device', did you mean 'devices'? (fields: data_folder, devices, price, verbosity)",
        ),
        ("devices = 3", "devices: input should be a valid string, got 3"),
        ("devices = [1]", "devices: input should be a valid string, got [1]"),
        ("price = true", "price: input should be a valid string, got True"),
        ("verbosity = 'loud'", "verbosity: input should be 'quiet', 'normal', 'verbose' or 'debug', got 'loud'"),
        ("data_folder = ''", "data_folder: string should have at least 1 character, got ''"),
        ("price = ", "is not valid TOML"),
        ("[run]\ndevices = 'cpu'", "no field 'run'"),
    ],
)
def test_mistakes_in_the_file_are_one_line(text, said, written):
    path = written(text)
    for words in (("config",), ("spaces", "show", "nasbench201")):
        done = nasbench(*words)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert str(path) in done.err
        assert said in done.err
    assert nasbench("run", "--help").code == 0


def test_mistakes_in_variables_and_missing_files_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("NASBENCH_VERBOSITY", "loud")
    done = nasbench("config")
    assert done.code == 2
    assert done.err.startswith("error: environment variable NASBENCH_VERBOSITY: verbosity: input should be 'quiet'")
    monkeypatch.delenv("NASBENCH_VERBOSITY")
    monkeypatch.setenv("NASBENCH_CONFIG", str(tmp_path / "none.toml"))
    done = nasbench("config")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"NASBENCH_CONFIG names the configuration file '{tmp_path}/none.toml', which does not exist" in done.err
