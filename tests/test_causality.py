"""A brain whose columns are simulated elsewhere does what the brain in one piece does, or refuses to.

Both solve the same equations in the same steps, so where nothing is iterated they agree to round-off.
"""

import numpy as np
import pytest
from coupled import ENGINE, participant, run

from adapters import ensemble
from participants.neural import column, mass
from participants.neural.column import Column, Mass
from participants.neural.mass import Brain, Settings

EXPLICIT = '<coupling-scheme:parallel-explicit><participants first="Brain" second="Column" />'
SERIAL = '<coupling-scheme:serial-explicit><participants first="{}" second="{}" />'
XML = """<precice-configuration>
<log><sink type="stream" output="stdout" filter="%Severity% &gt; info" enabled="true" /></log>
<data:scalar name="Afferent-Rate" /><data:scalar name="Stimulus" /><data:scalar name="Column-Rate" />
<mesh name="Column-Mesh" dimensions="2">
<use-data name="Afferent-Rate" /><use-data name="Stimulus" /><use-data name="Column-Rate" />
</mesh>
<participant name="Brain">
<provide-mesh name="Column-Mesh" />
<write-data name="Afferent-Rate" mesh="Column-Mesh" /><write-data name="Stimulus" mesh="Column-Mesh" />
<read-data name="Column-Rate" mesh="Column-Mesh" />
</participant>
<participant name="Column">
<receive-mesh name="Column-Mesh" from="Brain" api-access="true" />
<read-data name="Afferent-Rate" mesh="Column-Mesh" /><read-data name="Stimulus" mesh="Column-Mesh" />
<write-data name="Column-Rate" mesh="Column-Mesh" />
</participant>
<m2n:sockets acceptor="Brain" connector="Column" exchange-directory=".." />
SCHEME
<max-time value="TIME" /><time-window-size value="WINDOW" />
<exchange data="Afferent-Rate" mesh="Column-Mesh" from="Brain" to="Column" initialize="true" />
<exchange data="Stimulus" mesh="Column-Mesh" from="Brain" to="Column" initialize="true" />
<exchange data="Column-Rate" mesh="Column-Mesh" from="Column" to="Brain" />
END
</precice-configuration>"""
RATES = """<scaling precice-config="precice-config.xml">
<downscale data="Afferent-Rate" unit="Hz" to="afferent-rate" map="uniform" />
<downscale data="Stimulus" unit="1" to="stimulus" map="uniform" />
<upscale data="Column-Rate" unit="Hz" from="rate" map="volume-average" />
</scaling>"""
PAIR = {"pair_weight": 5.0, "pair_length": 6.0, "speed": 3.0, "J": 10.0, "dt": 0.1}  # a delay of 2 ms
PULSE = {"stimulus": 6.0, "stimulus_start": 3.03, "stimulus_stop": 13.0, "record": 0.1}


@participant(Settings, reads=mass.READS, writes=mass.WRITES)
def brain(case):
    mass.main(case)


@participant(Mass, reads=column.CONTROLS, writes=column.OBSERVABLES)
def columns(case):
    ensemble.run(case, ensemble.scaled(case, Column(case.settings, case.seed)))


def case(settings, *, window, time=40.0, scheme=EXPLICIT, more="", initial=12.0):
    """Return the configuration of a run to `time` in windows [ms], and its participants."""
    end = more + scheme[: scheme.index(">")].replace("<", "</") + ">"
    xml = XML.replace("SCHEME", scheme).replace("END", end)
    xml = xml.replace("TIME", repr(time / 1000)).replace("WINDOW", repr(window / 1000))
    all_of_it = {"initial_rate": [30.0, 12.0], **PAIR, **PULSE, **settings}
    masses = {name: value for name, value in all_of_it.items() if name in Mass.__dataclass_fields__}
    return xml, {"Brain": (brain, all_of_it), "Column": (columns, {**masses, "initial_rate": initial})}


def coupled(folder, settings, *, fails=False, ranks=None, **more):
    """Run a case; return the rates of all regions at all samples, or how Brain ended, before it needs any column."""
    xml, mains = case(settings, **more)
    if fails:
        return run(folder, xml, {"Brain": mains["Brain"]}, fails=True, ranks=ranks)
    run(folder, xml, mains, scaling=RATES, ranks=ranks)
    with np.load(folder / "Brain" / "regions.npz", allow_pickle=False) as found:
        return found["rate"]


def alone(settings, time=40.0, samples=10):
    """Return the rates at all samples of the same brain in one piece."""
    values = {"initial_rate": (30.0, 12.0), **PAIR, **PULSE, **settings, "columns": ()}
    whole = Brain(Settings(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}), samples)
    rates = []
    for first in range(0, round(time / whole.s.dt), samples):
        whole.advance(first, samples)
        rates.append(whole.delays.rates(first + 1, samples))
    return np.concatenate(rates)


@pytest.mark.parametrize("window", [2.0, 0.5, 0.1])
def test_windows_within_the_delay_do_what_the_brain_in_one_piece_does(tmp_path, window):
    found, wanted = coupled(tmp_path, {"columns": ["B"]}, window=window), alone({})
    assert (np.ptp(wanted, axis=0) > 200).all()  # they drive each other through their delays
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("order", [("Brain", "Column"), ("Column", "Brain")])
def test_serial_schemes_do_the_same(tmp_path, order):
    found = coupled(tmp_path, {"columns": ["B"]}, window=2.0, scheme=SERIAL.format(*order))
    np.testing.assert_allclose(found, alone({}), rtol=1e-12)


def test_other_equations(tmp_path):
    """A column of excitatory and inhibitory cells in a brain of such regions; figure 11 of Wilson & Cowan (1972)."""
    rhythm = {"c_ee": 16.0, "c_ei": 12.0, "c_ie": 15.0, "c_ii": 3.0, "a_e": 1.3, "a_i": 2.0, "theta_e": 4.0}
    brain = {"model": "wilson-cowan", "theta_i": 3.7, "P": 1.0, **rhythm, "J": 15.0, "stimulus": 1.0}
    found, wanted = coupled(tmp_path, {**brain, "columns": ["A"]}, window=2.0, initial=30.0), alone(brain)
    assert (np.ptp(wanted, axis=0) > 200).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.fixture
def three(tmp_path):
    """Settings of three regions, of which each drives the others with other weights and delays."""
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "weights.txt").write_text("9 4 3\n2 9 5\n0 6 9\n")
    (tmp_path / "three" / "tract_lengths.txt").write_text("0 4.5 3.4\n4.7 0 6.1\n1 7.5 0\n")
    (tmp_path / "three" / "centres.txt").write_text("left 0 0 0\nmiddle 1 0 0\nright 2 0 0\n")
    return {"connectome": str(tmp_path / "three"), "initial_rate": [30.0, 12.0, 12.0]}


def test_two_columns_that_drive_each_other(tmp_path, three):
    """On a rank each. Rates pass through Brain, so windows may be half as long as the delays, 2 and 2.5 ms."""
    here = {**three, "columns": ["middle", "2"]}
    found = coupled(tmp_path, here, window=1.0, ranks={"Column": 2})
    np.testing.assert_allclose(found, alone(three), rtol=1e-12)


def test_a_brain_of_76_regions(tmp_path):
    """That of The Virtual Brain, one side of which is stimulated, with columns on both sides."""
    columns = ["lPFCORB", "rPFCM"]
    here = {"connectome": "tvb:connectivity_76", "coupling": 0.05, "J": 15.0, "initial_rate": [12.0]}
    here |= {"stimulus_regions": ["rPFCM", "rV1", "3"]}
    wanted = alone(here, time=30.0)
    assert (np.ptp(wanted, axis=0) > 1).sum() > 40
    found = coupled(tmp_path, {**here, "columns": columns}, window=1.0, time=30.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


REFUSED = "longer than {:g} ms, the shortest delay across the coupling"


@pytest.mark.parametrize("scheme", [EXPLICIT, SERIAL.format("Column", "Brain")])
def test_longer_windows_are_refused(tmp_path, scheme):
    found = coupled(tmp_path, {"columns": ["B"]}, window=2.5, scheme=scheme, fails=True)["Brain"]
    assert found.status == 1
    assert "precice-config.xml: a window of 2.5 ms is " + REFUSED.format(2) in found.text
    assert "Traceback" not in found.text


def test_longer_windows_between_columns_are_refused(tmp_path, three):
    found = coupled(tmp_path, {**three, "columns": ["1", "2"], "dt": 0.3}, window=1.2, fails=True)["Brain"]
    assert "a window of 1.2 ms is " + REFUSED.format(1.05) in found.text  # half of 2.03 ms rounded to steps
    assert mass.shortest_delay(Settings(connectome=three["connectome"], columns=("1", "2"))) == pytest.approx(1e-3)
    assert mass.shortest_delay(Settings(connectome=three["connectome"], columns=("2",))) == pytest.approx(1.1e-3)
    assert mass.shortest_delay(Settings(connectome=three["connectome"], columns=())) is None
    assert mass.shortest_delay(Settings(columns=("1",), coupling=0.0)) is None


IMPLICIT = """<coupling-scheme:{}><participants first="Brain" second="Column" />
<min-iterations value="2" /><max-iterations value="60" />"""
MEASURES = """<relative-convergence-measure data="Afferent-Rate" mesh="Column-Mesh" limit="1e-9" strict="true" />
<relative-convergence-measure data="Column-Rate" mesh="Column-Mesh" limit="1e-9" strict="true" />"""
NEWTON = (
    MEASURES
    + """<acceleration:IQN-ILS><data name="Afferent-Rate" mesh="Column-Mesh" />
<data name="Column-Rate" mesh="Column-Mesh" /><initial-relaxation value="0.5" /><max-used-iterations value="20" />
<time-windows-reused value="0" /><filter type="QR2" limit="1e-6" /></acceleration:IQN-ILS>"""
)


@pytest.mark.parametrize(
    ("kind", "more", "length"),
    [
        ("parallel-implicit", MEASURES, 0.0),
        ("parallel-implicit", MEASURES, 0.9),
        ("serial-implicit", MEASURES, 0.0),
        ("parallel-implicit", NEWTON, 0.9),
    ],
)
def test_shorter_delays_are_iterated(tmp_path, kind, more, length):
    """Without a delay, or with one shorter than a window, the iterations end at the brain in one piece."""
    brain = {"pair_length": length}
    found = coupled(tmp_path, {**brain, "columns": ["B"]}, window=1.0, scheme=IMPLICIT.format(kind), more=more)
    wanted = alone(brain)
    assert (np.ptp(wanted, axis=0) > 200).all()
    assert np.abs(found - wanted).max() < 1e-8 * wanted.max()  # ten times what the iterations may leave


def test_a_window_is_made_of_steps(tmp_path):
    found = coupled(tmp_path, {"columns": ["B"], "dt": 0.3}, window=1.0, fails=True)["Brain"]
    assert "a window of 1 ms is not a multiple of dt, 0.3 ms" in found.text


def test_a_brain_without_columns_is_refused(tmp_path):
    found = coupled(tmp_path, {"columns": []}, window=1.0, fails=True)["Brain"]
    assert "columns: no region is simulated elsewhere; expected the label or number of at least one" in found.text


def test_a_brain_is_one_process(tmp_path):
    found = coupled(tmp_path, {"columns": ["B"]}, window=1.0, fails=True, ranks={"Brain": 2})["Brain"]
    assert "Brain is one process: start it on one rank" in found.text


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    """What is on the way through the connections goes on, too: every result is the same to the last byte."""
    from test_restart import resume  # brings much that the participants above do without

    slow = {"tau": 2500.0, "dt": 25.0, "initial_rate": [0.12, 0.05], "pair_length": 1500.0}
    xml, mains = case({**slow, "columns": ["B"]}, initial=0.05, window=250.0, time=1000.0)
    first, second = resume(tmp_path, xml, mains, scaling=RATES)
    names = [name for name in first if not name.startswith("checkpoints")]
    assert {"Brain/regions.npz", "Column/checks.json"} < set(names)
    assert [name for name in names if first[name] != second.get(name)] == []
