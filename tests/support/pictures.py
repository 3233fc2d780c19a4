"""The pictures of README and documentation, all made anew: `make pictures`.

Those of the demonstration and of the report show one and the same run, which is made in a folder of its own where it is
not there yet. Data and captions of the plots stay in that folder; only the PNG files go to `docs/pictures`. The report's
picture takes an installed Chromium or Chrome. `surrogate-claim.png` is none of these: `benchmarks/surrogate_claim.py` draws it.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from chromium import Browser, find_chromium
from public_tables import FOLDER, table

from nasbench.cli.main import nasbench
from nasbench.errors import NasbenchError

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
WINDOW = (960, 1538)

# {demo}: results of the demonstration; {family}, {second}: replayed searches; {figures}: stem of the pictures
DEMO = "suite run default -o {demo}"
FAMILY = (
    "replay --table results/digits201.h5 --strategy random --strategy evolution:population=10,sample=3 "
    "--strategy local_search --strategy reinforce_logits --strategy reinforce:preset=auto --strategy ppo:preset=auto "
    "--strategy zero_cost:score=params "
    '--seeds 200 --budget "200 gpu-seconds" --jobs 2 -o {family} --plot {figures}/digits201-replay.png'
)
SECOND_EDITION = (
    "replay --table results/digits201-2.h5 --search-seeds 0 --report-seeds 1 --strategy random "
    "--strategy evolution:population=10,sample=3 --strategy local_search --strategy reinforce_logits "
    "--strategy reinforce:preset=auto --strategy ppo:preset=auto "
    '--strategy zero_cost:score=params --seeds 200 --budget "200 children" --jobs 2 -o {second} '
    "--plot {figures}/digits201-2-replay.png"
)
TASKS = "class_object,class_scene,jigsaw,room_layout,segmentsemantic,normal,autoencoder"
# Of a public table that does not ship: without it, its picture stays as it is.
TRANSNAS_TABLE = table("transnas_micro_zen.zip")
TRANSNAS = (
    f"import transnas {shlex.quote(str(TRANSNAS_TABLE))} -o {{transnas}}",
    f"replay --table {{transnas}} --search-on class_object --report-on {TASKS} --strategy random --strategy evolution "
    '--strategy local_search --strategy reinforce_logits --seeds 200 --budget "200 children" --jobs 2 '
    "--plot {figures}/transnas-tasks.png --panels",
)
COMMANDS = (
    "compare {demo} -o {figures}/demo-compare.png",
    "cost {demo} --target 0.9 -o {figures}/demo-cost.png",
    "pareto {demo} -o {figures}/demo-pareto.png",
    "curves {demo} -o {figures}/demo-curves.png",
    "report {demo} --target 0.9 -o {figures}/report.html",
    "pareto results/conv-size-cifar16.h5 -o {figures}/conv-size-pareto.png",
    "reproduce --figure 1 {demo} -o {figures}/figure-1.png",
    "reproduce --figure 2 -o {figures}/figure-2.png",
    "reproduce --figure 3 -o {figures}/figure-3.png",
    "reproduce --figure 4 -o {figures}/figure-4.png",
    "reproduce --figure 5 -o {figures}/figure-5.png",
    "reproduce --figure 6 {demo} -o {figures}/figure-6.png --aspect 16:9",
    "reproduce --figure 7 {demo} -o {figures}/figure-7.png --aspect 16:9",
    "draw nasnet-a -o {figures}/nasnet-a.png",
    "claims results/claims.h5 -o {figures}/claims.png",
    "ranks {family} --score test_acc -o {figures}/digits201-ranks.png",
    "targets {family} --table results/digits201.h5 --share-of-best 0.99 --score test_acc "
    "-o {figures}/digits201-targets.png",
    "pareto results/digits201.h5 --objectives error,latency --measurements results/digits201-latency.h5 "
    "-o {figures}/digits201-latency.png",
    "correlations results/digits201.h5 --of mult_adds,latency --measurements results/digits201-latency.h5 "
    "-o {figures}/digits201-mult-adds-latency.png",
)
# {tables}: folder of public tables that do not ship; without it this picture stays as it is
OF_NASBENCH201 = (
    "import nasbench201 {tables}/../nb201_tss.npz -o {nb201}",
    "import hw-latency {tables}/nb201_pixel3.pt -o {nb201}",
    "pareto {nb201} --score test_acc --objectives error,params --objectives error,latency[device=pixel3] "
    "-o {figures}/nb201-fronts.png",
)


def main(folder: Path) -> None:
    """Make the runs that are missing and all pictures.

    Args:
        folder: folder of the runs, the plots' data and their captions.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    names = ("demo", "family", "second", "transnas")
    places = {"figures": figures, **{name: folder / f"{name}.h5" for name in names}}
    replays = {"family": FAMILY, "second": SECOND_EDITION}
    first = [DEMO, *(command for name, command in replays.items() if not places[name].exists())]
    public = TRANSNAS if TRANSNAS_TABLE.exists() else ()
    if not public:
        print(f"no {TRANSNAS_TABLE.name} here: the picture of its tasks stays as it is")
    elif places["transnas"].exists():
        public = public[1:]
    places |= {"tables": FOLDER, "nb201": folder / "nb201.h5"}
    if not table("../nb201_tss.npz").exists():
        print("no nb201_tss.npz here: the picture of NAS-Bench-201's fronts stays as it is")
    else:
        public = (*public, *OF_NASBENCH201[2 * places["nb201"].exists() :])
    for command in (*first, *COMMANDS, *public):
        words = shlex.split(command.format(**places))
        print(f"nasbench {shlex.join(words)}", flush=True)
        nasbench.main(words, standalone_mode=False)
    program = find_chromium()
    if program is None:
        print("no Chromium or Chrome here: the report's picture stays as it is")
    else:
        take_picture(program, figures / "report.html", figures / "report.png")
    for path in sorted(figures.glob("*.png")):
        print(f"wrote {shutil.copyfile(path, PICTURES / path.name).relative_to(ROOT)}")


def take_picture(program: str, page: Path, picture: Path) -> None:
    """Save the head of a page as a browser shows it.

    Args:
        program: an installed browser.
        page: HTML file.
        picture: PNG file to write.
    """
    browser = Browser(program)
    try:
        browser.open(page, *WINDOW).picture(picture)
    finally:
        browser.close()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except NasbenchError as error:
        sys.exit(f"error: {error}")
