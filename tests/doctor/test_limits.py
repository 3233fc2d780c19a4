"""Limits of control groups, of both versions, in folders laid out as Linux lays them out."""

from __future__ import annotations

import math
import os

import pytest

from nasbench.doctor.limits import limits_here

MEMINFO = (
    "MemTotal:       24684096 kB\nMemFree:        11081432 kB\nMemAvailable:   22481556 kB\nHugePages_Total:       0\n"
)


@pytest.fixture
def system(tmp_path):
    """Write files of the system, and read the limits from them."""

    def read(own, files, meminfo=MEMINFO):
        (tmp_path / "cgroup").write_text(own)
        (tmp_path / "meminfo").write_text(meminfo)
        root = tmp_path / "groups"
        root.mkdir()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return limits_here(root, tmp_path / "cgroup", tmp_path / "meminfo")

    return read


def test_without_limits(system):
    found = system("0::/user.slice\n", {"user.slice/cpu.max": "max 100000\n", "user.slice/memory.max": "max\n"})
    assert (found.cpu_quota, found.memory_limit) == (math.inf, math.inf)
    assert math.isnan(found.memory_used)
    assert (found.memory, found.available) == (24684096 * 1024, 22481556 * 1024)
    assert found.there == os.cpu_count()
    assert found.processors == found.usable == len(os.sched_getaffinity(0))


def test_the_tightest_group_of_version_2_counts(system):
    files = {
        "a/cpu.max": "150000 100000\n",
        "a/b/cpu.max": "400000 100000\n",
        "a/memory.max": "8589934592\n",
        "a/b/memory.max": "2147483648\n",
        "a/b/memory.current": "1000\n",
    }
    found = system("0::/a/b\n", files)
    assert found.cpu_quota == 1.5
    assert found.processors == min(1.5, found.usable)
    assert (found.memory_limit, found.memory_used) == (2 << 30, 1000)


def test_a_container_that_sees_its_own_part_alone(system):
    found = system(
        "0::/docker/0a1b\n", {"cpu.max": "50000 100000\n", "memory.max": "1073741824\n", "memory.current": "7\n"}
    )
    assert (found.cpu_quota, found.memory_limit, found.memory_used) == (0.5, 1 << 30, 7)


def test_groups_of_version_1(system):
    files = {
        "cpu,cpuacct/job/cpu.cfs_quota_us": "300000\n",
        "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/job/memory.limit_in_bytes": "4294967296\n",
        "memory/job/memory.usage_in_bytes": "123\n",
    }
    found = system("9:memory:/job\n2:cpu,cpuacct:/job\n1:name=systemd:/\n0::/\n", files)
    assert (found.cpu_quota, found.memory_limit, found.memory_used) == (3.0, 4 << 30, 123)


@pytest.mark.parametrize(
    ("folder", "limit", "used", "stat", "left"),
    [
        ("a", "memory.max", "memory.current", "anon 300\ninactive_file 500\nactive_file 100\n", 600),
        (
            "memory/a",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "inactive_file 2\ntotal_inactive_file 500\n",
            600,
        ),
        ("a", "memory.max", "memory.current", "", 100),
    ],
    ids=["version 2", "version 1", "unknown"],
)
def test_files_in_the_cache_that_can_be_freed_are_not_in_use(system, folder, limit, used, stat, left):
    """Of 1000 bytes 900 are in use, and 500 of these are files that were not read of late: 600 are left."""
    files = {f"{folder}/{limit}": "1000\n", f"{folder}/{used}": "900\n", f"{folder}/memory.stat": stat}
    found = system("0::/a\n" if folder == "a" else "9:memory:/a\n", files)
    assert (found.memory_limit, found.memory_left) == (1000, left)


def test_the_group_that_leaves_least_memory_counts(system):
    """This group may use 1000 bytes and uses 100; others have used up all but 50 of the 5000 of the one above."""
    files = {
        "a/memory.max": "5000\n",
        "a/memory.current": "4950\n",
        "a/b/memory.max": "1000\n",
        "a/b/memory.current": "100\n",
    }
    found = system("0::/a/b\n", files)
    assert (found.memory_limit, found.memory_used, found.memory_left) == (5000, 4950, 50)


def test_a_system_that_says_nothing(tmp_path):
    found = limits_here(tmp_path / "none", tmp_path / "none", tmp_path / "none")
    assert (found.cpu_quota, found.memory_limit) == (math.inf, math.inf)
    assert math.isnan(found.memory)
    assert math.isnan(found.available)
