"""The page in a real browser: laid out at four widths in one go, light and dark, and measured from outside."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tevo.answer import Answer, Look
from tevo.report import write_report
from tevo.report.asked import Asked, render_asked
from tevo.structures import Span, TimedText
from tevo.video.info import probe

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
VIDEO = Path(__file__).parents[1] / "data" / "videos" / "made" / "events7_vfr.mp4"
WIDTHS = (1280, 768, 420, 360)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --enable-logging=stderr --dump-dom "
    "--virtual-time-budget=4000"
).split()
MEASURE = """
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, root = page.documentElement;
    const all = selector => [...page.querySelectorAll(selector)];
    const astray = all(".card").flatMap(card => {
      const strip = (card.querySelector("img, .lane:not(.frames) .track") || card.firstElementChild)
        .getBoundingClientRect();
      return [...card.querySelectorAll(".bar, .window, .axis .track span")].filter(bar => {
        const box = bar.getBoundingClientRect();
        return box.left < strip.left - 1 || box.right > strip.right + 1 || box.width < 2;
      }).map(bar => bar.outerHTML);
    });
    const wide = all("body *").filter(item => !item.closest(".scroll, pre, svg") &&
      item.getBoundingClientRect().right > root.clientWidth + 1).map(item => item.outerHTML.slice(0, 200));
    return {
      width: frame.contentWindow.innerWidth, overflow: root.scrollWidth - root.clientWidth, astray, wide,
      bars: all(".bar").length, cards: all(".card").length, charts: all(".plot polyline").length,
      blank: all("img").filter(image => !(image.complete && image.naturalWidth > 100)).length,
      outside: all("[src], [href], [srcset]").map(item => item.src || item.href || item.srcset)
        .filter(url => !url.startsWith("data:")),
      fetched: frame.contentWindow.performance.getEntriesByType("resource").map(item => item.name)
        .filter(url => !url.startsWith("data:")),
      scripts: all("script").length, paper: getComputedStyle(page.body).backgroundColor,
      title: all("h1")[0]?.textContent,
    };
  });
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = JSON.stringify(found);
});
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium to run this"),
]


def measure(page, folder, dark=False):
    """Lay the page out at every width; returns the measurements and what the browser's console said."""
    source = html.escape(page.read_text(), quote=True)
    frames = "".join(f'<iframe width="{w}" height="900" style="border:0" srcdoc="{source}"></iframe>' for w in WIDTHS)
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f"<!doctype html><meta charset=utf-8><script>{MEASURE}</script><body>{frames}</body>")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *FLAGS, scheme, profile, "--window-size=1400,900", wrapper.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the browser gave no measurements: {done.stdout[-500:]} {done.stderr[-2000:]}"
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found[1])), said


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_stands_at_every_width(run_dir, tmp_path, dark):
    found, said = measure(write_report(run_dir), tmp_path, dark)
    assert [page["width"] for page in found] == list(WIDTHS)
    assert said == []
    for page in found:
        assert page["title"] == "clip_tiny on train"
        assert page["overflow"] == 0
        assert page["wide"] == []
        assert page["astray"] == []
        assert page["blank"] == 0
        assert page["outside"] == page["fetched"] == []
        assert page["scripts"] == 0
        assert page["cards"] == 10  # one a video
        assert page["bars"] >= 2 * page["cards"]
        assert page["charts"] >= 14
    assert len({page["paper"] for page in found}) == 1
    brightness = sum(map(int, re.findall(r"\d+", found[0]["paper"])[:3]))
    assert brightness < 100 if dark else brightness > 650


def test_long_names_and_few_files_do_not_break_the_page(world, tmp_path):
    """What users have: names without a space, videos that are gone, no metrics at all."""
    run = tmp_path / "run"
    run.mkdir()
    name = "a" * 180 + ".mp4"
    row = {"qid": "1", "vid": name, "query": "W" * 150, "options": ["x" * 120, "y"], "pred_answer": "z" * 90}
    row |= {"pred_relevant_windows": [[1.0, 2.0, 0.5]], "answer": "y", "relevant_windows": [[3, 400.0]]}
    (run / "predictions.jsonl").write_text(json.dumps(row))
    (run / "bad_videos.jsonl").write_text(json.dumps({"path": "/" + "b" * 150, "reason": "not a video"}))
    (run / "config.yaml").write_text("key: " + "v" * 300)
    found, said = measure(write_report(run), tmp_path)
    assert said == []
    for page in found:
        assert (page["overflow"], page["wide"], page["astray"]) == (0, [], [])


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_an_answer_stands_at_every_width(tmp_path, dark):
    """With markup and endless words in the question and the options, many looks, and subtitles."""
    evil = "<script>document.title='x'</script>" + "W" * 90
    shown = Span(0.0, 23.0)
    looks = tuple(
        Look(f"chunk {n} of 20", (Span(float(n), n + 1.0),), evil, (Span(float(n), n + 0.5),), (0.5,), 0.4, {}, 9)
        for n in range(20)
    )
    answer = Answer(
        evil, (Span(3.0, 3.1), Span(22.0, 23.0)), (0.5, 0.4), 0.4, {evil: 0.4, "b": 0.3, "c": 0.3}, "p" * 80, True,
        evil, looks, (evil,), (TimedText(shown, evil),),
    )  # fmt: skip
    page = tmp_path / "page.html"
    page.write_text(render_asked(Asked(probe(VIDEO), evil, (evil, "b", "c"), answer, "m" * 90, 1.0)))
    found, said = measure(page, tmp_path, dark)
    assert said == []
    for measured in found:
        assert (measured["overflow"], measured["wide"], measured["astray"]) == (0, [], [])
        assert (measured["blank"], measured["outside"], measured["fetched"], measured["scripts"]) == (0, [], [], 0)
        assert measured["title"] == evil
        assert measured["bars"] >= 2 + 10 + 1 + 1


def test_the_measurements_can_fail(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        "<body><h1>bad</h1><div class='card'><div class='track' style='width:200px;height:9px'></div>"
        "<i class='bar' style='position:absolute;left:190px;width:30px;height:9px'></i></div>"
        "<img src='https://example.invalid/x.png'><div style='width:2000px'>wide</div></body>"
    )
    found, said = measure(page, tmp_path)
    for measured in found:
        assert measured["overflow"] > 0
        assert measured["wide"] and measured["astray"]
        assert measured["blank"] == 1
        assert measured["outside"] == ["https://example.invalid/x.png"]
    assert any("Content Security Policy" in line for line in said)
