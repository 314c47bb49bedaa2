"""Charts: axes with round ticks, escaped texts, thinned lines that keep their extremes."""

import json
import math
import re

import numpy as np
import pytest

from scalebridge.report import axes, charts
from scalebridge.report.axes import short
from scalebridge.report.charts import Line
from scalebridge.report.html import Markup, data, join, number, tag


@pytest.mark.parametrize(
    ("values", "ticks", "exponent"),
    [
        ([0.0, 1.0], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"], 0),
        ([3.0, 97.0], ["0", "20", "40", "60", "80", "100"], 0),
        ([0.0, 4.8e6], ["0", "1", "2", "3", "4", "5"], 6),
        ([-2e-4, 2e-4], ["−2", "−1", "0", "1", "2"], -4),
        ([0.0, 1.1], ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"], 0),
        ([5.0, 5.0], ["2", "3", "4", "5", "6", "7", "8"], 0),
        ([], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"], 0),
        ([math.nan, math.inf, 1.0, 2.0], ["1.0", "1.2", "1.4", "1.6", "1.8", "2.0"], 0),
    ],
)
def test_linear_ticks(values, ticks, exponent):
    axis = axes.linear(values, 0.0, 100.0)
    assert [label for _, label in axis.ticks] == ticks
    assert axis.exponent == exponent
    assert axis(axis.low) == 0.0
    assert axis(axis.high) == 100.0


def test_whole_numbers():
    axis = axes.linear([0.5, 4.5], 0.0, 100.0, most=9, tight=True, whole=True)
    assert [label for _, label in axis.ticks] == ["1", "2", "3", "4"]


def test_logarithmic_ticks_are_powers_of_ten_and_not_too_many():
    axis = axes.logarithmic([3e-3, 50.0, 0.0, -1.0, math.nan], 100.0, 0.0)
    assert [label for _, label in axis.ticks] == ["10⁻³", "10⁻²", "10⁻¹", "10⁰", "10¹", "10²"]
    assert axis(0.1) == pytest.approx(60.0)
    assert len(axes.logarithmic([1e-300, 1e300], 0.0, 1.0).ticks) <= 8
    assert axes.logarithmic([], 0.0, 1.0).high > 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.25, "0.25"), (-1234.5678, "−1234.6"), (1.5e-7, "1.5·10⁻⁷"), (2e9, "2·10⁹"), (math.nan, "nan")],
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_a_thinned_line_keeps_its_extremes():
    x = np.arange(100_000.0)
    y = np.sin(x / 1e4)
    y[77_777], y[33_333], y[50] = 9.0, -9.0, math.nan
    line = charts.thinned(Line("wave", x.tolist(), y.tolist()))
    assert len(line.x) < 2 * charts.MOST_POINTS
    assert (max(line.y), min(line.y), line.x[0], line.x[-1]) == (9.0, -9.0, 0.0, 99_999.0)
    short_line = Line("short", [1.0], [2.0])
    assert charts.thinned(short_line) is short_line


def test_a_chart_of_lines():
    drawn = [Line("<b>a</b>", [0, 1, 2], [1.0, math.nan, 3.0]), Line("limit", [0, 2], [2, 2], limit=True, color=0)]
    html = charts.lines("caption & more", drawn, x_label="time [s]", shades=[(0.0, 1.0)], note="a note")
    assert isinstance(html, Markup)
    assert "<b>" not in html
    assert "caption &amp; more" in html
    assert len(re.findall('class="curve', html)) == len(re.findall('class="limit', html)) == 1
    assert re.search(r'd="M[\d. ]+M[\d. ]+" class="curve c0"', html)  # a gap where there is NaN
    told = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html)[1])
    assert told["lines"][0]["y"] == [1.0, None, 3.0]
    assert (told["lines"][0]["name"], told["lines"][1]["limit"]) == ("<b>a</b>", True)


def test_zeros_on_a_logarithmic_axis_lie_at_its_end():
    html = charts.lines("c", [Line("r", [0, 1], [1e-2, 0.0])], x_label="i", log=True, height=260)
    bottom = 260 - charts.BOTTOM
    assert re.search(rf'd="M\d+ [\d.]+L\d+ {bottom}"', html)


def test_bars():
    html = charts.bars("c", [3, 0, 5], x_label="window", marked=[False, False, True], legends=("good", "bad"))
    assert html.count("V") == 4  # a bar for 3 and one for 5
    assert 'class="bar bad"' in html
    assert "good" in html


def test_texts_are_escaped_and_markup_is_not():
    assert tag("p", "<b>", tag("i", 1.5), None, ["a", ["&"]], class_="x", title='"<', hidden=True, open=False) == (
        '<p class="x" title="&quot;&lt;" hidden="">&lt;b&gt;<i>1.5</i>a&amp;</p>'
    )
    assert join("\0\x1b\r\ud800") == "\ufffd\ufffd\ufffd?"
    assert tag("br") == "<br>"
    assert number(-0.001) in ("0", "-0")


def test_data_cannot_end_its_block():
    html = data({"</script>": ["<!--", "&", math.inf, float(np.float64(0.1))]})
    assert html.count("<") == 2
    assert json.loads(html[html.index(">") + 1 : html.rindex("<")]) == {"</script>": ["<!--", "&", None, 0.1]}
