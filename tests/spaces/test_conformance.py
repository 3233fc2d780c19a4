"""Every registered space, over several option sets, passes the conformance suite."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest

from nasbench.errors import InputError, UnknownName
from nasbench.spaces import SPACES, Architecture, from_json, get_space
from nasbench.spaces.conformance import check_architecture, check_decisions, check_network, check_space
from nasbench.spaces.nas import NasSpace
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.spaces.nasnet import NasNetSpace
from nasbench.structures import Scale

OPTION_SETS = [
    "amoebanet:blocks=1,operations=identity",
    "amoebanet:output=explicit",
    "enas-macro:layers=3,operations=conv_3x3",
    "enas-macro:layers=7",
    "enas-micro:blocks=2,operations=identity/max_pool_3x3",
    "nas:layers=1",
    "nas:layers=6",
    "nas:layers=6,chain=forced",
    "nas:layers=5,variant=v2",
    "nas:layers=4,variant=v2,strides=1/2,chain=forced",
    "nas:variant=v3,layers=13",
    "nas:variant=v3,layers=3,more_filters=40",
    "nas:layers=4,kernels=3/5,filters=8/16",
    "nasbench101:vertices=3",
    "nasbench101:vertices=5",
    "nasnet:blocks=1",
    "nasnet:blocks=3,output=explicit",
    "nasnet:blocks=2,combinations=add,operations=identity/sep_conv_3x3/max_pool_3x3",
    "nasnet:combinations=concat/add,output=explicit",
    "nasnet:blocks=2,output=all",
    "nasnet:blocks=2,output=unused_with_inputs",
    "pnas:blocks=2",
    "pnas:blocks=1,operations=identity/sep_conv_3x3",
]


@pytest.mark.parametrize("spec", sorted({*SPACES, *OPTION_SETS}))
def test_space_conforms(spec):
    check_space(get_space(spec), np.random.default_rng(1))


@pytest.mark.parametrize("spec", sorted({*SPACES, *OPTION_SETS}))
def test_built_network_has_the_counted_parameters(spec):
    space, rng = get_space(spec), np.random.default_rng(2)
    for _ in range(2):
        check_network(space.random(rng), Scale(cells=1, filters=8, image_size=16))


@pytest.mark.parametrize("spec", OPTION_SETS)
def test_spec_is_read_back_whatever_the_order_of_options(spec):
    space = get_space(spec)
    name, _, options = space.spec.partition(":")
    assert get_space(f"{name}:{','.join(reversed(options.split(',')))}") == space
    assert dataclasses.replace(space) == space


@dataclasses.dataclass(frozen=True)
class WrongHash(NasBench201Space):
    def form(self, architecture: Architecture) -> str:
        return str(architecture.choices)


@dataclasses.dataclass(frozen=True)
class WrongDecisions(NasBench201Space):
    @property
    def decisions(self):
        return (*super().decisions, super().decisions[0])


def test_suite_finds_a_hash_that_depends_on_the_spelling():
    spelled_twice = WrongHash().decode([0, 0, 0, 0, 0, 2])
    with pytest.raises(AssertionError):
        check_architecture(dataclasses.replace(spelled_twice, space=WrongHash()))


def test_suite_finds_repeated_decisions():
    with pytest.raises(AssertionError, match="share a name"):
        check_decisions(WrongDecisions())


BAD_SPECS = [
    ("nasnett", "did you mean 'nasnet'"),
    ("nasnet:block=3", "no option 'block', did you mean 'blocks'"),
    ("nasnet:blocks", "key=value; options of nasnet: blocks, operations, combinations, output"),
    ("nasbench201:x", "key=value; options of nasbench201: none"),
    ("nasnet:blocks=0", "from 1 to 50, got 0"),
    ("nasnet:blocks=three", "got 'three'"),
    ("nasnet:operations=sep_conv_3x4", "did you mean 'sep_conv_3x3'"),
    ("nasnet:operations=identity/identity", "different values"),
    ("nasnet:combinations=sum", "add, concat"),
    ("nasnet:output=al", "unused, explicit, all, unused_with_inputs, got 'al', did you mean 'all'"),
    ("pnas:output=all", "no option 'output'"),
    ("pnas:blocks=0", "from 1 to 50"),
    ("amoebanet:operations=none", "'none'"),
    ("enas-macro:layers=2", "from 3 to 200"),
    ("enas-macro:operations=conv_7x7", "did you mean 'conv_5x5'"),
    ("enas-micro:operations=sep_conv_9x9", "did you mean 'sep_conv_"),
    ("nas:variant=v4", "v1, v2, v3"),
    ("nas:chain=loose", "free, forced"),
    ("nas:layers=0", "from 1 to 200"),
    ("nas:variant=v3,layers=2", "from 3 to 200"),
    ("nas:kernels=0/3", "'kernels'"),
    ("nas:filters=8/8", "different values"),
    ("nas:filters=8/x", "got '8/x'"),
    ("nas:strides=1/2", "variant=v2"),
    ("nas:more_filters=-1", "from 0 to 4096"),
    ("nasbench101:vertices=8", "from 3 to 7, got 8"),
    ("nasbench201:nodes=4", "no option 'nodes'"),
]


@pytest.mark.parametrize(("spec", "message"), BAD_SPECS)
def test_bad_spec_is_one_clear_line(spec, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        get_space(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"operations": ["identity"]}, {"blocks": True}, {"blocks": 2.0}, {"operations": ()}]
)
def test_bad_python_options_of_nasnet(options):
    with pytest.raises(InputError):
        NasNetSpace(**options)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[1]", '{"space": "nasbench201"}', '{"space": "nasbench201", "choices": [1]}'),
        *('{"space": 5, "choices": []}', '{"space": ["nasbench201"], "choices": [0, 0, 0, 0, 0, 0]}'),
        *(
            f'{{"space": "nasbench201", "choices": {choices}}}'
            for choices in ("5", '"000000"', "[0, 0, 0, 0, 0, null]", '["0", 0, 0, 0, 0, 0]', "[1.5, 0, 0, 0, 0, 0]")
        ),
    ],
)
def test_bad_json(text):
    with pytest.raises(InputError):
        from_json(text)


def test_the_only_architecture_of_a_space_mutates_to_itself():
    space = get_space("nas:layers=1,kernels=3,filters=24")
    only = space.random(np.random.default_rng(0))
    assert space.mutate(only, np.random.default_rng(0)) == only
    assert list(space.neighbours(only)) == []


def test_unknown_space_in_json():
    with pytest.raises(UnknownName):
        from_json('{"space": "dirts", "choices": []}')


def test_raw_sizes():
    assert get_space("nasnet").size == (720**2 * 169**5 * 2**5) ** 2
    assert f"{get_space('nasnet').size:.1e}" == "5.2e+36"  # the paper's figure
    assert len(get_space("nasnet").decisions) == 50
    assert get_space("pnas:blocks=1").size == 256
    assert f"{get_space('pnas').size:.2e}" == "5.57e+14"
    assert get_space("amoebanet").size == get_space("pnas").size ** 2
    assert get_space("enas-micro").size == (720**2 * 25**5) ** 2
    assert get_space("enas-macro").size == 6**12 * 2**66  # the paper's 1.6e29
    assert NasSpace().size == 64**15 * 2**105
    assert get_space("nasbench201").size == 15_625


def test_importing_spaces_needs_no_heavy_package():
    code = (
        "import sys, nasbench.spaces as s; [s.get_space(n) for n in s.SPACES]; s.get_space('nasbench201').decode([1]*6).hash; "
        "print([m for m in ('torch', 'pandas', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
