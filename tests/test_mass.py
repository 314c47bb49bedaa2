"""A brain of neural masses in one piece, and columns that are masses; in pieces it is tested in test_causality.py."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from coupled import ROOT

from adapters.micro import MicroError
from adapters.wiring import CouplingError
from participants.neural.column import Column, Mass
from participants.neural.connectome import pair
from participants.neural.mass import Brain, Settings, shortest_delay
from participants.neural.recording import Recording

HALF = {"J": 10.0, "pair_weight": 5.0}


def advanced(s, steps, samples=10):
    """Return the rates (steps, n) [Hz] of a brain from its start on."""
    brain = Brain(s, samples)
    found = []
    for first in range(0, steps, samples):
        brain.advance(first, samples)
        found.append(brain.delays.rates(first + 1, samples))
    return np.concatenate(found)


@pytest.mark.parametrize("length", [0.0, 6.0])
@pytest.mark.parametrize(("begin", "end"), [(8.0, 8.1134), (110.0, 103.0597)])
def test_two_halves_of_a_population(begin, end, length):
    """J = 10 and w = 5 have the fixed points of J = 15, whatever the delay: tau r = 0.081134 and 1.030597."""
    found = advanced(Settings(**HALF, pair_length=length, initial_rate=(begin,)), 4000)
    assert found[-1] == pytest.approx([end, end], abs=1e-3)


def test_half_of_what_connects_is_another_population():
    """With w = 4 the upper state is that of J = 14: 74.22 Hz, from 0 = 1 / (2 pi r)^2 + eta + J r - (pi r)^2."""
    roots = np.roots([-(np.pi**2), 14.0, -5.0, 0, 1 / (2 * np.pi) ** 2])
    upper = 100 * max(root.real for root in roots if abs(root.imag) < 1e-9)
    assert upper == pytest.approx(74.22, abs=5e-3)
    found = advanced(Settings(J=10.0, pair_weight=4.0, pair_length=0.0, initial_rate=(upper + 2,)), 4000)
    assert found[-1] == pytest.approx([upper, upper], abs=1e-3)
    strong = advanced(Settings(J=10.0, pair_weight=2.0, coupling=2.0, pair_length=0.0, initial_rate=(upper + 2,)), 4000)
    assert (strong == found).all()


def test_which_way_connections_lead(tmp_path):
    """weights[i, j] leads from j to i: what happens in the first region reaches the second, and after its delay."""
    (tmp_path / "weights.txt").write_text("0 0\n5 0\n")
    (tmp_path / "tract_lengths.txt").write_text("0 9\n6 0\n")
    (tmp_path / "centres.txt").write_text("A 0 0 0\nB 1 0 0\n")
    pulse = {"stimulus": 10.0, "stimulus_start": 1.0, "stimulus_stop": 2.0}
    s = {"connectome": str(tmp_path), "speed": 3.0, "dt": 0.1}
    quiet, found = (advanced(Settings(**s, **more), 100) for more in ({}, {**pulse, "stimulus_regions": ("A",)}))
    other = advanced(Settings(**s, **pulse, stimulus_regions=("1",)), 100)
    assert np.argmax(found[:, 0] != quiet[:, 0]) == 11 - 1  # sample 11, the first behind 1 ms that r has noticed
    assert np.argmax(found[:, 1] != quiet[:, 1]) == 11 - 1 + 20 + 1
    assert (other[:, 0] == quiet[:, 0]).all()
    assert (other[:, 1] != quiet[:, 1]).any()


def test_steps_at_once_and_one_by_one():
    s = Settings(**HALF, pair_length=3.0, initial_rate=(30.0, 12.0), stimulus=6.0, stimulus_stop=5.0)
    assert (advanced(s, 400, samples=20) == advanced(s, 400, samples=1)).all()


def test_stimulus_is_its_mean_over_each_step():
    s = Settings(dt=0.5, stimulus=4.0, stimulus_start=0.75, stimulus_stop=2.125, stimulus_regions=("B",))
    found = Brain(s, 1).stimulus(0, 6)
    assert found[:, 0].tolist() == [0] * 6
    assert found[:, 1] == pytest.approx([0, 2, 4, 4, 1, 0])
    assert Brain(Settings(stimulus=1.0, stimulus_stop=1.0), 1).stimulus(0, 1).tolist() == [[1.0, 1.0]]


def test_what_a_region_does_to_itself(tmp_path):
    """It is left to the model, or added to it where that is asked for: J = 10 and w = 5 are J = 15."""
    (tmp_path / "weights.txt").write_text("5\n")
    (tmp_path / "tract_lengths.txt").write_text("0\n")
    (tmp_path / "centres.txt").write_text("A 0 0 0\n")
    s = {"connectome": str(tmp_path), "initial_rate": (110.0,)}
    assert advanced(Settings(**s), 4000)[-1] == pytest.approx(103.0597, abs=1e-3)
    assert advanced(Settings(**s, J=10.0, self_connections=True), 4000)[-1] == pytest.approx(103.0597, abs=1e-3)
    assert shortest_delay(Settings(**s, columns=("A",))) is None
    assert shortest_delay(Settings(**s, columns=("A",), self_connections=True)) == 0.0


def test_rates_at_the_start_of_each_region():
    with pytest.raises(CouplingError, match="initial-rate: 3 rates for 2 regions; expected 1 or 2"):
        Brain(Settings(initial_rate=(1.0, 2.0, 3.0)), 1)


def asked(*arguments, given=None):
    command = [sys.executable, "-m", "participants.neural.mass", *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, text=True, capture_output=True, check=False)


def test_the_shortest_delay_is_told():
    described = json.loads(asked("--describe").stdout)
    assert described["delay"] == {"ask": True}
    assert described["sampling"] == "dt"
    assert described["time-scales"] == ["tau"]
    told = asked("--delay", given=json.dumps({"columns": ["B"], "pair_length": 6.0, "speed": 3.0}))
    assert float(told.stdout) == pytest.approx(0.002)


def test_recorded_rates(tmp_path):
    """Every third sample, in both parts of a run that went on from a checkpoint."""
    kept = {}
    coupling = SimpleNamespace(
        case=SimpleNamespace(output=Path(tmp_path)), remember=kept.__setitem__, keep_open=lambda file: file.__enter__()
    )
    rates = np.random.default_rng(0).random((12, 2))
    first, second = (Recording(coupling, pair(1.0, 2.0), dt=0.5, every=1.5) for _ in range(2))
    assert kept == {"rates of regions": second}
    first.add(1, rates[:5])
    second.restore(first.save())
    second.add(6, rates[5:])
    second.__exit__(None, None, None)
    with np.load(tmp_path / "regions.npz", allow_pickle=False) as found:
        assert found["time"].tolist() == [0.0015, 0.003, 0.0045, 0.006]
        assert (found["rate"] == rates[2::3]).all()
        assert found["label"].tolist() == ["A", "B"]
        assert found["centre"].tolist() == [[0, 0, 0], [2, 0, 0]]


@pytest.mark.parametrize("model", ["montbrio-pazo-roxin", "wilson-cowan"])
def test_a_column_takes_rates_or_currents(model):
    """A current of tau c (or of c times the refractory period, 2 ms) is what spikes at rate c over weight 1 make."""
    s = Mass(model=model, refractory=2.0 if model == "wilson-cowan" else 1.0)
    column, rng = Column(s, 0), np.random.default_rng(0)
    rates, stimulus, scale = rng.random((3, 8)) * 100, rng.random((3, 8)), 2.0 if model == "wilson-cowan" else 10.0
    found = []
    for controls in ({"afferent-rate": rates}, {"current": scale * rates / 1000}):
        begin = column.start(np.zeros((3, 2)), controls)
        state, seen = column.solve(begin, {**controls, "stimulus": stimulus}, 0.001)
        found.append((state["mass"], seen["rate"]))
        assert seen["rate"][:, -1] == pytest.approx(column.model.rate(state["mass"]))
    assert found[0][0] == pytest.approx(found[1][0])
    assert found[0][1] == pytest.approx(found[1][1])


def test_a_column_at_the_start():
    column = Column(Mass(initial_rate=20.0), 0)
    controls = {"afferent-rate": np.zeros((2, 4))}
    begin = column.start(np.zeros((2, 2)), controls)
    state, seen = column.solve(begin, controls, 0.0)
    assert seen["rate"] == pytest.approx(np.full((2, 4), 20.0))
    assert (state["mass"] == begin["mass"]).all()


def test_a_column_needs_the_rest_of_the_brain():
    with pytest.raises(MicroError, match="columns need the afferent-rate or the current that comes from the rest"):
        Column(Mass(), 0).start(np.zeros((2, 2)), {"stimulus": np.zeros((2, 4))})
