"""scalebridge report: one page, well-formed, with nothing from elsewhere, and nothing of a run taken for a tag."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import invented
import numpy as np
import pytest

from scalebridge import checks, fallbacks
from scalebridge.fallbacks import Account, Use
from scalebridge.report import page
from scalebridge.report.html import VOID
from scalebridge.report.source import Source
from scalebridge.runs.place import RunFolderError

ROOT = Path(__file__).resolve().parents[1]
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&</title></style>\x1b[31m\0"
CHECKS = [
    {"by": "Macro", **checks.relative("heat", 1.02, 1.0, 0.05, source="a formula", unit="J").to_json()},
    {"by": "report", **checks.at_most("salt lost", 2e-3, 1e-3, source="a balance").to_json()},
]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


WORDS = (
    *("An invented run", "1 of 2", "a check failed", "heat", "a formula", "1 ± 5 %", "≤ 0.001"),
    *(
        "Force-1",
        "nearest-neighbor, conservative",
        "Residuals measured by Micro",
        "limit of Velocity-1",
        "did not converge",
    ),
    *("computing", "energy of everything", "participants.macro", "0.12 m", "numpy", "Micro.settings.cells=64"),
    *("Macro says hello", "Temperature", "phase"),
)
FILES = (
    *(
        "summary.json",
        "status.json",
        "usage.csv",
        "case.xml",
        "record.json",
        "Macro/progress.jsonl",
        "Macro/series.csv",
    ),
    *("Micro/precice-Micro-convergence.log", "Macro/precice-Macro-iterations.log"),
)


class Strict(HTMLParser):
    """Reads a page and refuses what is not well nested; keeps its elements, texts and addresses."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts, self.ids = [], [], [], []

    def handle_starttag(self, tag, attrs):
        names = [n for n, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.elements.append((tag, dict(attrs)))
        self.ids += [v for n, v in attrs if n == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag not in VOID
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self):
        return "\n".join(t for tag, t in self.texts if tag not in ("script", "style"))


def read(page_text):
    """Parse a page strictly and check what holds for every page."""
    parser = Strict()
    parser.feed(page_text)
    parser.close()
    assert parser.open == []
    assert page_text.startswith("<!DOCTYPE html>")
    assert len(parser.ids) == len(set(parser.ids))
    for tag, attributes in parser.elements:
        assert tag not in ("iframe", "object", "embed", "link", "base", "form")
        assert not [n for n in attributes if n.startswith("on")]
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            value = attributes.get(name)
            if value is not None:
                assert re.match(r"data:image/png;base64,|#|[\w.%/-]+$", value), value
                assert not re.match(r"[a-zA-Z][\w+.-]*:", value) or value.startswith("data:image/png")
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\((?!#)", page_text.split("</style>")[0])
    assert sum(tag == "script" and "type" not in a for tag, a in parser.elements) == 1
    for tag, text in parser.texts:
        if tag == "script" and text.startswith("{"):
            json.loads(text)
    return parser


@pytest.fixture
def folder(tmp_path):
    return invented.run(tmp_path / "run", checks=CHECKS)


def sections(parser):
    return [a["id"] for tag, a in parser.elements if tag == "section"]


def test_a_page_has_everything_that_a_run_left(folder):
    invented.snapshots(folder)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"more")
    (folder / "Macro" / "fields.pvd").touch()
    parser = read(page.page(Source(folder)))
    assert sections(parser) == [
        *("checks", "pictures", "coupling", "convergence", "time", "series", "snapshots"),
        *("participants", "files", "record", "output"),
    ]
    text = parser.text()
    for words in WORDS:
        assert words in text, words
    assert ("a", {"href": "Macro/fields.pvd"}) in parser.elements


def test_micro_simulations_that_failed_are_told(folder):
    use = Use(3, 2, 5, 1)
    Account(200, use, {"retry": use}, ("capsules/0.npz",)).save(folder / "Micro" / fallbacks.FILE_NAME)
    text = read(page.page(Source(folder))).text()
    assert "Micro: 3 of 200 micro simulations FAILED" in text
    assert "scalebridge replay" in text
    (folder / "Micro" / fallbacks.FILE_NAME).write_text("[7]")
    assert "micro simulations FAILED" not in read(page.page(Source(folder))).text()


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_any_number_of_participants(tmp_path, count):
    parser = read(page.page(Source(invented.run(tmp_path, count))))
    text = parser.text()
    for name in invented.names(count):
        assert name in text
    graph = next(a for tag, a in parser.elements if tag == "svg" and a.get("class") == "graph")
    width = float(graph["viewbox"].split()[2])
    assert width < 1180  # of the page
    if count > 2:
        assert "multi: all at once, Macro in control" in text


def test_a_failure_comes_first(tmp_path):
    parser = read(page.page(Source(invented.run(tmp_path, 3, fails="Micro"))))
    order = [t for tag, t in parser.texts if tag in ("strong", "h2", "b")]
    assert order[0].startswith("Micro failed first in time window 8, iteration 2")
    assert any(t == "✗ Micro" for _, t in parser.texts)
    opened = [a for tag, a in parser.elements if tag == "details" and "open" in a]
    assert opened


def test_programs_that_report_nothing(tmp_path):
    parser = read(page.page(Source(invented.run(tmp_path, foreign=True, implicit=False))))
    text = parser.text()
    assert "using the processor (a program that reports nothing)" in text
    assert "./solver --name Macro" in text
    assert "Convergence" not in text  # an explicit scheme
    assert "time" in sections(parser)


def test_a_run_that_goes_on_or_was_cut_off(folder):
    (folder / "summary.json").unlink()
    assert "cut off" in read(page.page(Source(folder))).text()
    told = json.loads((folder / "status.json").read_text())
    from scalebridge.runs import status

    told["hub"] = {"pid": os.getpid(), "started": status.started(os.getpid()), "host": __import__("platform").node()}
    (folder / "status.json").write_text(json.dumps(told))
    assert "still running" in read(page.page(Source(folder))).text()


def test_a_run_that_went_on_shows_its_last_part(folder):
    assert "The whole run" in page.page(Source(folder))
    file = folder / "Macro" / "progress.jsonl"
    first, *rest = file.read_text().splitlines()
    earlier = json.loads(first) | {"begun": json.loads(first)["begun"] - 1000.0}
    file.write_text("\n".join([json.dumps(earlier), first, *rest]) + "\n")
    text = page.page(Source(folder))
    assert "The run since it went on" in text
    lanes = [json.loads(t) for tag, t in read(text).texts if tag == "script" and '"kind":"lanes"' in t]
    assert lanes[0]["x"][0] == 0.0
    assert max(lanes[0]["lanes"][0]["shares"]["computing"]) > 0.9


def test_only_case_json(tmp_path):
    (tmp_path / "case.json").write_text('{"name": "bare", "participants": [{"name": "A"}]}')
    parser = read(page.page(Source(tmp_path)))
    assert "bare" in parser.text()
    (tmp_path / "case.json").write_text("7")
    with pytest.raises(RunFolderError, match="is not the record of a case"):
        Source(tmp_path)


def _poison(value):
    """Return the same JSON with every text made evil."""
    if isinstance(value, dict):
        return {
            (k if k in KEYS else k + EVIL): (v if k in ("name", "by", "kind") else _poison(v)) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_poison(v) for v in value]
    return value + EVIL if isinstance(value, str) else value


KEYS = {
    *("case", "variant", "title", "status", "ended", "begun", "wall", "engine", "versions", "platform", "participants"),
    *("checks", "Macro", "Micro", "name", "value", "reference", "tolerance", "kind", "source", "unit", "by", "passed"),
    *("module", "command", "settings", "units", "seed", "overrides", "version", "system", "coupling", "directory"),
}


def test_nothing_of_a_run_is_taken_for_a_tag(folder):
    harmless = read(page.page(Source(folder)))
    for name in ("case.json", "summary.json"):
        data = _poison(json.loads((folder / name).read_text()))
        data["coupling"] = "/x/case.xml"
        (folder / name).write_text(json.dumps(data))
    (folder / "record.json").write_text(json.dumps({"command": [EVIL], "files": {EVIL: EVIL}, "machine": {EVIL: EVIL}}))
    (folder / "Macro" / "output.log").write_text(EVIL + "\n")
    (folder / "Macro" / "series.csv").write_text('time,"' + EVIL.replace('"', '""').replace("\0", "") + '"\n1,2\n2,3\n')
    (folder / "<img src=x onerror=alert(3)>.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "Macro" / '"><b>.pvd').touch()
    parser = read(page.page(Source(folder)))
    assert "<script>alert(1)</script>" in parser.text()  # it is there, as text
    known = {tag for tag, _ in harmless.elements} | {
        "figure",
        "img",
        "button",
        "a",
        "ul",
        "li",
        "details",
        "dd",
        "small",
    }
    assert {tag for tag, _ in parser.elements} <= known
    assert "\x1b" not in parser.text()


def test_names_in_the_configuration_are_text(folder):
    text = (folder / "case.xml").read_text().replace("Force-1", "Force&lt;b&gt;1")
    (folder / "case.xml").write_text(text)
    assert "Force<b>1" in read(page.page(Source(folder))).text()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content", ["", "\0\xff garbage {", "[1, 2]", "null", "a,b\n1\n,,,\n", "time,x\nNaN,inf\n1e400,2\n"]
)
def test_files_that_hold_something_else_are_passed_over(folder, name, content):
    (folder / name).write_bytes(content.encode("latin-1"))
    read(page.page(Source(folder)))


@pytest.mark.parametrize(
    "key",
    ["participants", "checks", "engine", "versions", "platform", "overrides", "wall", "status", "ended", "time_scales"],
)
@pytest.mark.parametrize(
    "value", [None, 7, "text", [], [1], {}, {"Macro": 3}, {"Macro": {"wall": "x", "settings": 4, "status": "?"}}]
)
def test_a_summary_with_values_of_another_kind(folder, key, value):
    told = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(told | {key: value}))
    read(page.page(Source(folder)))


def test_windows_and_how_fast_things_happen(folder):
    told = json.loads((folder / "summary.json").read_text())
    scales = [
        {"window": 1e-3, "shortest": {"participant": "Column", "setting": "tau<b>", "seconds": 1e-2}, "sampled": None}
    ]
    broken = [{"window": "x", "shortest": {"participant": "a", "setting": "b", "seconds": 0}, "sampled": None}, 3]
    (folder / "summary.json").write_text(json.dumps(told | {"time_scales": [*broken, *scales]}))
    text = read(page.page(Source(folder))).text()
    assert "time window 1 ms = 0.1 of the shortest time scale (tau<b> of Column, 10 ms)" in text


def test_links_do_not_lead_out_of_the_run(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret\n")
    picture = tmp_path / "outside.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    (folder / "Macro" / "output.log").unlink()
    (folder / "Macro" / "output.log").symlink_to(secret)
    (folder / "picture.png").symlink_to(picture)
    (folder / "Macro" / "series.csv").unlink()
    (folder / "Macro" / "series.csv").symlink_to(secret)
    text = page.page(Source(folder))
    assert "the secret" not in text
    assert "pictures" not in sections(read(text))
    for name in ("report.html", ".report.html"):
        (folder / name).symlink_to(secret)
    page.write(folder)
    assert secret.read_text() == "the secret\n"
    assert not (folder / "report.html").is_symlink()


def test_arrays_that_would_fill_the_memory_are_not_read(folder, monkeypatch):
    from scalebridge.report import results

    invented.snapshots(folder)
    monkeypatch.setattr(results, "MOST_UNPACKED", 1000)
    assert "snapshots" not in sections(read(page.page(Source(folder))))


def test_snapshots_that_are_none(folder):
    (folder / "Micro" / "snapshots").mkdir()
    shots = folder / "Micro" / "snapshots"
    (shots / "0.npz").write_bytes(b"PK nothing")
    np.savez(shots / "1.npz", time=np.array([1.0, 2.0]), x=np.zeros(3), allow_pickle=False)
    np.savez(shots / "2.npz", time=np.array("now"), x=np.array(["a"]), allow_pickle=False)
    np.savez(
        shots / "3.npz",
        time=np.array(1.0),
        **{"fields/x": np.full((2, 3, 3), np.nan)},
        points=np.zeros((4, 2)),
        allow_pickle=False,
    )
    np.savez(
        shots / "4.npz",
        time=np.array(2.0),
        **{"fields/y": np.zeros((2, 3, 3, 3, 9))},
        volumes=np.array([7, 9]),
        allow_pickle=False,
    )
    assert "snapshots" in sections(read(page.page(Source(folder))))


def test_the_command(folder):
    command = [sys.executable, "-m", "scalebridge", "report"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=False, env=environment, cwd=folder.parent
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{folder / 'report.html'}\n")
    read((folder / "report.html").read_text())
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=False, env=environment, cwd=folder.parent
    )
    assert done.returncode == 4
    assert done.stderr == f"scalebridge: {folder / 'report.html'} cannot be written: Is a directory\n"
    done = subprocess.run(
        [*command, "nowhere"], capture_output=True, text=True, check=False, env=environment, cwd=folder.parent
    )
    assert done.returncode == 2


# ---- in a real browser, where there is one

OVERLAPS = """
const found = [];
for (const svg of document.querySelectorAll("svg")) {
  const texts = [...svg.querySelectorAll("text")].filter((t) => t.textContent.trim());
  const boxes = texts.map((t) => [t, t.getBoundingClientRect()]);
  const frame = svg.getBoundingClientRect();
  boxes.forEach(([t, a], i) => {
    if (a.left < frame.left - 1 || a.right > frame.right + 1) found.push("outside: " + t.textContent);
    boxes.slice(i + 1).forEach(([u, b]) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 3) found.push(t.textContent + " | " + u.textContent);
    });
  });
}
if (document.documentElement.scrollWidth > innerWidth + 1) found.push("the page is wider than the window");
const told = [];
const tip = document.getElementById("tip");
for (const svg of document.querySelectorAll(".chart svg")) {
  const box = svg.getBoundingClientRect();
  const at = { clientX: box.left + 0.6 * box.width, clientY: box.top + 0.4 * box.height, bubbles: true };
  svg.dispatchEvent(new PointerEvent("pointermove", at));
  told.push(tip.hidden ? "nothing" : tip.textContent);
  svg.dispatchEvent(new KeyboardEvent("keydown", { key: "End" }));
  svg.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
  told.push(tip.hidden ? "nothing" : tip.textContent);
  svg.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  if (!tip.hidden) found.push("the tip stays");
}
document.getElementById("theme").click();
document.body.dataset.told = JSON.stringify(told);
document.body.dataset.overlaps = JSON.stringify(found);
document.body.dataset.sliders = document.querySelectorAll("input[type=range]").length;
"""


def browse(file, folder, width=1280, *more):
    """Return what a browser makes of a page."""
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", *more]
    command += [f"--user-data-dir={folder / 'browser'}", "--enable-logging=stderr", "--dump-dom", f"file://{file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def probed(text, file):
    """Write the page with a script more that measures it, and so without its policy."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    file.write_text(text.replace("</body>", f"<script>{OVERLAPS}</script></body>"))


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
@pytest.mark.parametrize(("count", "width"), [(2, 1280), (12, 1280), (4, 800), (12, 420)])
def test_no_labels_overlap_in_a_browser(tmp_path, count, width):
    run = invented.run(tmp_path / "run", count, checks=CHECKS, title="A title with many words " * 6)
    invented.snapshots(run)
    probed(page.page(Source(run)), tmp_path / "page.html")
    dom, _ = browse(tmp_path / "page.html", tmp_path, width)
    found = re.search(r'data-overlaps="([^"]*)"', dom)
    assert found is not None, dom[-2000:]
    assert found[1] == "[]"
    assert 'data-sliders="1"' in dom
    assert re.search(r'<html lang="en" data-theme="(dark|light)"', dom)
    told = json.loads(html.unescape(re.search(r'data-told="([^"]*)"', dom)[1]))
    assert len(told) >= 8
    assert "nothing" not in told
    words = " ".join(told)
    for word in ("iteration since the start", "Velocity-1", "computing", "time window 11", "4", "did not converge"):
        assert word in words


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
def test_the_policy_of_the_page_lets_its_own_script_run_and_no_other(folder):
    invented.snapshots(folder)
    file = page.write(folder)
    dom, log = browse(file, folder)
    assert 'type="range"' in dom  # the script made a slider
    assert "Content Security Policy" not in log
    assert "Uncaught" not in log
    file.write_text(file.read_text().replace("</main>", "<script>document.title = 'owned'</script></main>"))
    dom, log = browse(file, folder)
    assert "<title>owned" not in dom
    assert "Content Security Policy" in log
