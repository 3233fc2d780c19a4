"""`nasbench bench`, its submissions and their check, the leaderboard, `cite` and the metadata of tables."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from chromium import Browser, find_chromium
from commands import nasbench as command

import nasbench
from nasbench.analysis.bench.leaderboard import REFERENCE, SUBMISSION, Source, leaderboard_files
from nasbench.api.benching import _labelled
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import read_runs, runs_bytes, write_runs
from nasbench.citing.bibtex import papers
from nasbench.errors import InputError
from nasbench.runners.bench.submissions import as_submission
from nasbench.runners.strategies import STRATEGIES
from nasbench.store.query import Results
from nasbench.tabular.catalogue import folder, shipped_tables
from nasbench.tabular.croissant import ENDING, croissant_text

HOSTILE = "<script>alert(1)</script>\x1b[31m"
TASKS = [task.name for task in load_benchmark("suite-v1").tasks]
TASK = TASKS[0]


@pytest.fixture(scope="module")
def submission(benched, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("submission") / "mine.npz"
    write_runs(path, as_submission(benched.runs, 2, "digits201, seeds 0 to 9", "Somebody", "2026-11-29", TASKS))
    return path


def test_a_strategy_in_a_file_is_compared_from_python(benched):
    assert benched.compared.mine == ("mine.py:Mine", "random")
    assert set(benched.summary["strategy"]) == {"mine.py:Mine", "random", "evolution", "local_search"}
    assert benched.reproduced == {"random": (6 * len(TASKS), 6 * len(TASKS))}
    assert set(benched.tests["first"]) == {"mine.py:Mine", "random"}
    with pytest.raises(InputError, match="is given twice"):
        nasbench.bench(["random", "random"], seeds=5, progress=False)


def test_the_command_writes_page_table_children_and_submission(mine, tmp_path):
    done = command(
        *("bench", f"{mine}:Mine", "--seeds", "5", "--against", "random", "-o", "a.h5", "--csv", "a.csv"),
        *("--submit", "a.npz", "--options-tried", "0"),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    assert "mine.py:Mine against random: " in done.out
    page = (tmp_path / "a.html").read_text()
    assert "default-src 'none'; style-src" in html.unescape(page)
    assert "<script" not in page
    assert "mine.py:Mine on suite-v1" in page
    with Results(str(tmp_path / "a.h5")) as results:
        runs = results.runs()
    assert runs["strategy"].tolist() == ["mine.py:Mine"] * 5 * len(TASKS)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 3
    found = read_runs(tmp_path / "a.npz")
    assert [entry.strategy for entry in found.entries] == ["mine.py:Mine"]
    assert found.about["submission"]["options_tried"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bench",), "Usage"),
        (("bench", "measure"), "name a strategy"),
        (("bench", "nothing"), "unknown strategy 'nothing'"),
        (("bench", "random", "--suite", "suite-v9"), "unknown benchmark suite"),
        (("bench", "random", "--seeds", "5", "--against", "nobody"), "unknown reference strategy 'nobody'"),
        (("bench", "random", "--submit", "a.npz"), "give --options-tried NUMBER"),
        (("bench", "random", "--submit", "a.npz", "--options-tried", "0", "--task", TASK), "leave --task out"),
        (("bench", "random", "--submit", "a.npz", "--options-tried", "3"), "say where with --tuned-on"),
        (("bench", "random", "--task", "nothing"), "unknown task of suite-v1 'nothing'"),
        (("bench", "pnas", "--seeds", "5"), "grows cells block by block"),
        (("bench", "check", "none.npz"), "there is no file of benchmark runs"),
        (("cite", "--strategy", "nothing"), "unknown strategy"),
        (("leaderboard", "--no-reference", "-o", "site"), "name files of runs"),
    ],
)
def test_mistakes_are_one_line(tmp_path, words, message):
    done = command(*words, cwd=tmp_path)
    assert message in done.err + done.out
    assert words == ("bench",) or (done.code, len(done.err.splitlines())) == (2, 1)


def test_code_of_a_submission_runs_only_when_it_is_allowed(submission):
    done = command("bench", "check", str(submission))
    assert (done.code, "read it with nasbench bench code FILE" in done.err) == (2, True)
    shown = command("bench", "code", str(submission))
    assert "class Mine(nasbench.Strategy):" in shown.out
    done = command("bench", "check", str(submission), "--run-code", "--sample", "2")
    assert done.code == 0
    assert done.out.count("reproduced, 2 of 2 searches equal") == 2 * len(TASKS)


def changed(submission: Path, **changes):
    runs = read_runs(submission)
    entry = runs.entries[1]  # random search, which is no code
    forged = {**entry.runs, TASK: replace(entry.runs[TASK], **changes)}
    return replace(runs, entries=(replace(entry, runs=forged),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: {"scores": runs.scores + 0.01}, "scores are not the table's"),
        (lambda runs: {"outcomes": runs.outcomes + 0.01}, "outcomes are not the table's"),
        (lambda runs: {"children": runs.children + 1}, "0 of 6 searches equal"),
        (lambda runs: {"spent": runs.spent * 9}, "of a budget of 400 s"),
        (lambda runs: {"codes": runs.codes + 20_000}, "architectures outside the table"),
        (lambda runs: {"seeds": runs.seeds * 0}, "a seed is there twice"),
    ],
)
def test_forged_numbers_are_not_reproduced(submission, tmp_path, change, message):
    runs = read_runs(submission).entries[1].runs[TASK]
    write_runs(tmp_path / "forged.npz", changed(submission, **change(runs)))
    done = command("bench", "check", str(tmp_path / "forged.npz"))
    assert (done.code, "NOT REPRODUCED" in done.out, message in done.out) == (1, True, True), done.out


def test_what_is_not_reproduced_may_be_of_other_versions(submission, tmp_path):
    runs = changed(submission, children=read_runs(submission).entries[1].runs[TASK].children + 1)
    made = {**runs.made, "packages": {**runs.made["packages"], "scikit-learn": "1.0"}}
    write_runs(tmp_path / "older.npz", replace(runs, made=made))
    done = command("bench", "check", str(tmp_path / "older.npz"))
    assert done.code == 1
    assert "note: made with scikit-learn 1.0 (here " in done.out + done.err


def test_forged_scales_and_code_are_found(submission, tmp_path):
    runs = read_runs(submission)
    scales = {**runs.scales, TASK: replace(runs.scales[TASK], best=0.99)}
    write_runs(tmp_path / "a.npz", replace(runs, scales=scales, entries=runs.entries[1:]))
    done = command("bench", "check", str(tmp_path / "a.npz"))
    assert (done.code, "best and mean scores of the table are not those stated" in done.out) == (1, True)
    other = replace(runs.entries[0], code=runs.entries[0].code.replace("mutate", "random"))
    write_runs(tmp_path / "b.npz", replace(runs, entries=(other,)))
    done = command("bench", "check", str(tmp_path / "b.npz"), "--run-code")
    assert (done.code, "has another digest than stated" in done.err) == (2, True)


def test_a_submission_states_where_options_were_tuned(benched):
    with pytest.raises(InputError, match="say where with --tuned-on"):
        as_submission(benched.runs, 3, " ", "", "now", TASKS)
    with pytest.raises(InputError, match="missing: another"):
        as_submission(benched.runs, 0, "", "", "now", [*TASKS, "another"])


@pytest.mark.parametrize("tried", [-3, "3", 1.5, True])
def test_a_number_of_options_tried_that_is_none_is_refused(submission, tmp_path, tried):
    runs = read_runs(submission)
    stated = {**runs.about["submission"], "options_tried": tried}
    write_runs(tmp_path / "a.npz", replace(runs, entries=runs.entries[1:], about={"submission": stated}))
    done = command("bench", "check", str(tmp_path / "a.npz"))
    assert (done.code, "a whole number of 0 or more" in done.err) == (2, True)


def test_labels_have_the_options_that_differ_from_the_defaults(benched):
    entry = replace(benched.runs.entries[0], strategy="evolution", options={"population": 20}, label="")
    plain = replace(entry, options={})
    labelled = _labelled([entry], [])
    assert [each.shown for each in labelled] == ["evolution:population=20"]
    assert [each.shown for each in _labelled([plain], [plain])] == ["evolution (new)"]


@pytest.fixture
def site(submission, benched, tmp_path) -> dict[str, bytes]:
    suite = load_benchmark("suite-v1")
    mine = read_runs(submission)
    hostile = replace(mine.entries[0], label=HOSTILE, code=f"# {HOSTILE}")
    own = replace(mine, entries=(hostile,))
    references = replace(mine, entries=benched.references, about={})
    sources = [
        Source("reference.npz", runs_bytes(references), references, REFERENCE, {}),
        Source(
            "mine.npz", runs_bytes(own), own, SUBMISSION, {"options_tried": 2, "name": HOSTILE, "tuned_on": HOSTILE}
        ),
    ]
    return leaderboard_files(suite, sources, "2026-11-29T00:00:00Z")


def test_a_leaderboard_is_static_and_escapes_what_others_wrote(site):
    pages = {name: content.decode() for name, content in site.items() if name.endswith(".html")}
    assert len(pages) == 4
    for name, page in pages.items():
        assert "default-src 'none'" in html.unescape(page)
        assert "<script>alert(1)" not in page
        assert "\x1b" not in page
        assert len(re.findall("<script", page)) == (name == "index.html")
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
        for target in re.findall(r'href="([^"#:]+)"', page):
            assert str(Path(name).parent / target).replace("strategies/../", "") in site
    assert "downloads/mine.npz" in site


def test_searches_of_a_reference_are_listed_once(submission, benched):
    runs = read_runs(submission)
    references = replace(runs, entries=(replace(runs.entries[1], label="random"),), about={})
    sources = [
        Source("reference.npz", runs_bytes(references), references, REFERENCE, {}),
        Source("mine.npz", runs_bytes(runs), runs, SUBMISSION, {}),
    ]
    index = leaderboard_files(load_benchmark("suite-v1"), sources, "2026-11-29")["index.html"].decode()
    assert "Left out, as these are the searches of reference runs again: random (mine)." in index


def test_the_command_writes_a_site_and_replaces_no_other_folder(submission, tmp_path):
    done = command("leaderboard", str(submission), "-o", str(tmp_path / "site"))
    assert done.code == 0, done.err
    assert (tmp_path / "site" / "downloads" / "mine.npz").read_bytes() == submission.read_bytes()
    again = command("leaderboard", str(submission), "-o", str(tmp_path / "site"), "--no-reference")
    assert again.code == 0, again.err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    done = command("leaderboard", str(submission), "-o", str(tmp_path / "other"))
    assert (done.code, "has files and is no leaderboard" in done.err) == (2, True)


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_the_site_works_in_a_browser(site, tmp_path, width, dark):
    for name, content in site.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    browser = Browser(find_chromium())
    try:
        page = browser.open(tmp_path / "index.html", width=width, dark=dark)
        assert page.complaints() == []
        assert page.requests() == [(tmp_path / "index.html").resolve().as_uri()]
        assert page.js("document.documentElement.scrollWidth") == width
        page.click("#words")
        page.type("evolu")
        assert page.js("document.getElementById('count').textContent") == "1 of 3 strategies"
        shown_rows = "[...document.querySelectorAll('tr[data-strategy]')].filter((row) => !row.hidden).length"
        assert page.js(shown_rows) == 1 + len(TASKS)  # over all tasks, and on each
        for other in sorted(tmp_path.glob("strategies/*.html")):
            shown = browser.open(other, width=width, dark=dark)
            assert shown.complaints() == []
            assert shown.js("document.documentElement.scrollWidth") == width
    finally:
        browser.close()


def test_papers_are_cited_by_suite_table_strategy_and_file(submission):
    assert (
        len(papers()) == Path(__file__).parents[2].joinpath("nasbench/citing/papers.bib").read_text().count("\n@") + 1
    )
    assert command("cite").out.startswith("@software{nasbench,")
    text = command("cite", "--strategy", "evolution", "--table", "digits201-2").out
    for key in ("@inproceedings{real2019regularized,", "@misc{nasbench-digits201-2,", "@misc{alpaydin1998digits,"):
        assert text.count(key) == 1
    text = command("cite", str(submission)).out
    assert "@misc{nasbench-suite-v1," in text
    assert "@inproceedings{zoph2018learning," in text  # of random search; the code of mine.py is not run
    assert text.count("{") == text.count("}")


def test_the_tables_of_a_results_file_are_cited_and_an_earlier_suite_is_not(benched, submission, tmp_path):
    done = command("bench", "random", "--seeds", "1", "--against", "none", "-o", "a.h5", cwd=tmp_path)
    assert done.code == 0, done.err
    text = command("cite", str(tmp_path / "a.h5")).out
    for name in TASKS:
        assert f"@misc{{nasbench-{name}," in text
    assert f"SHA-256 of {TASK}.npz {shipped_tables()[TASK].sha256}" in text
    write_runs(tmp_path / "old.npz", replace(read_runs(submission), digest="4a80fb53f77f30be"))
    for words in (("cite",), ("bench", "check"), ("leaderboard", "-o", str(tmp_path / "site"))):
        done = command(*words, str(tmp_path / "old.npz"))
        assert (done.code, "the suite has changed since; make the runs again" in done.err) == (2, True), words
    write_runs(tmp_path / "full.npz", replace(read_runs(submission), suite="suite-v1-full"))
    done = command("leaderboard", str(tmp_path / "full.npz"), "-o", str(tmp_path / "site"))
    assert (done.code, "give --suite suite-v1-full" in done.err) == (2, True)


def test_code_of_a_strategy_that_leaves_python_or_fails_at_its_start_is_one_line(tmp_path):
    bodies = {
        "Exits": "    def ask(self):\n        import sys; sys.exit(0)\n    def tell(self, outcome): pass\n",
        "Starts": "    def __init__(self, space, seed): pass\n    def ask(self): pass\n    def tell(self, outcome): pass\n",
    }
    text = "import nasbench\n" + "".join(f"class {name}(nasbench.Strategy):\n{body}" for name, body in bodies.items())
    (tmp_path / "bad.py").write_text(text)
    for name, said in (("Exits", "ask() called sys.exit(0)"), ("Starts", "its start raised TypeError")):
        done = command("bench", f"bad.py:{name}", "--seeds", "5", "--against", "none", cwd=tmp_path)
        assert (done.code, said in done.err, len(done.err.splitlines())) == (2, True, 1), done.err
        assert not (tmp_path / "bench.html").exists()


def test_searches_without_a_network_are_said(tmp_path):
    (tmp_path / "none.py").write_text(
        "import nasbench\nclass Nothing(nasbench.Strategy):\n    def ask(self): return None\n    def tell(self, outcome): pass\n"
    )
    done = command("bench", "none.py:Nothing", "--seeds", "5", "--against", "random", cwd=tmp_path)
    assert done.code == 0, done.err
    said = f"Searches without a trained network, whose score counts as 0: none.py:Nothing {5 * len(TASKS)} of {5 * len(TASKS)}."
    assert said in " ".join((done.out + done.err).split())
    assert said in html.unescape((tmp_path / "bench.html").read_text())


def test_the_strategies_that_were_asked_for_stand_out_on_the_page(tmp_path):
    words = ("--seeds", "5", "--against", "local_search")
    done = command("bench", "evolution", "random", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    page = (tmp_path / "bench.html").read_text()
    rows = re.findall(r'<tr( class="own")?>\s*<th scope="row" class="strategy">.*?</svg>(.*?)</th>', page, re.DOTALL)
    own, others = ({name.strip() for marked, name in rows if bool(marked) == each} for each in (True, False))
    assert {name.partition(":")[0] for name in own} == {"evolution", "random"}
    assert "local_search" in others
    assert sorted(re.findall(r"polyline\.s(\d)\{stroke-width", page)) == ["0", "1"]  # the first of all strategies


def test_settings_with_which_a_strategy_is_random_search_are_said(tmp_path):
    words = ("--seeds", "5", "--task", "conv-size-cifar16", "--against", "random")
    done = command("bench", "ppo:preset=paper", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    said = " ".join((done.out + done.err).split())
    assert "On conv-size-cifar16, ppo: its 5 updates at the learning rate 0.00035 hardly move the policy" in said
    assert "so this is nearly random search" in html.unescape((tmp_path / "bench.html").read_text())
    usual = command("bench", "ppo", *words, cwd=tmp_path)
    assert (usual.code, "random search;" in usual.out + usual.err) == (0, False)


def test_a_comma_within_the_options_of_a_reference_does_not_part_it(tmp_path):
    done = command("bench", "random", "--seeds", "2", "--against", "random,ppo:learning_rate=0.1,batch=3", cwd=tmp_path)
    assert done.code == 2
    assert "'ppo:learning_rate=0.1,batch=3'" in done.err


def test_every_builtin_strategy_has_papers_with_titles():
    for name in STRATEGIES:
        text = command("cite", "--strategy", name).out
        assert "look title and authors up" not in text, f"{name}: add its paper to nasbench/citing/papers.bib"


def test_metadata_of_the_tables_is_what_the_command_prints():
    for name, table in shipped_tables().items():
        text = (folder() / f"{name}{ENDING}").read_text(encoding="utf-8")
        assert text == croissant_text(table) == command("tables", "croissant", name).out
        found = json.loads(text)
        assert found["distribution"][0]["sha256"] == table.sha256


@pytest.mark.slow
def test_metadata_of_the_tables_is_valid_croissant():
    mlcroissant = pytest.importorskip("mlcroissant")
    for name in shipped_tables():
        metadata = mlcroissant.Dataset(jsonld=folder() / f"{name}{ENDING}").metadata
        assert metadata.name == name
        assert metadata.ctx.issues.errors == set()


def test_the_strategy_of_the_readme_is_the_one_that_is_tried_here(mine):
    root = Path(__file__).parents[2]
    body = mine.read_text().partition("class Mine")[2].strip()
    assert body in (root / "README.md").read_text()
    assert body in (root / "docs" / "benchmark.md").read_text()


@pytest.mark.parametrize("named", [(), ("--page", "mine.html")])
def test_a_page_of_others_is_refused_before_the_searches(tmp_path, named):
    there = tmp_path / (named[1] if named else "bench.html")
    there.write_text("<p>mine</p>")
    (tmp_path / "never.py").write_text(
        "import nasbench\nclass Never(nasbench.Strategy):\n    def ask(self): raise RuntimeError('searched')\n"
        "    def tell(self, outcome): pass\n"
    )
    done = command("bench", "never.py:Never", "--seeds", "5", "--against", "none", *named, cwd=tmp_path)
    assert done.code == 2
    assert "no earlier output" in done.err
    assert "searched" not in done.err
    assert there.read_text() == "<p>mine</p>"
