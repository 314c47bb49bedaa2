"""A NEST network that is run window by window does what it does in one run, and nothing reaches it early or late."""

import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if find_spec("nest") is None:
    pytest.skip("NEST is not installed (extra neural)", allow_module_level=True)

from adapters import nest_windows, seeds
from adapters.nest_windows import load
from adapters.spikes import Spikes
from adapters.wiring import CouplingError
from participants.neural import brunel
from participants.neural.brunel import Leaky
from participants.neural.leaky_nest import LeakyNeurons
from participants.neural.quadratic import Quadratic
from participants.neural.spiking_nest import QuadraticNeurons

nest = load()
STEP = 1e-4  # s
POINTS = np.array([[17.0], [4.0]])
SMALL = {"neurons": 100, "background": 0.0, "connectivity": 0.2, "raster": 0}
SINGLE = {"neurons": 3, "background": 0.0, "connectivity": 0.0, "raster": 0}
DECAY = math.exp(-0.1 / 20)


def driven(steps, neurons, current=350.0, rows=1):
    """Return a current (rows, steps), and afferent spikes (row, neuron, step): several may meet."""
    random = np.random.default_rng(3)
    many = 40 * steps
    spikes = (random.integers(0, rows, many), random.integers(0, neurons, many), random.integers(0, steps, many))
    return current * (1 + 0.5 * random.standard_normal((rows, steps))), spikes


def windows(model, inputs, steps_each, dt=STEP):
    """Solve window by window, a sample for each step; return who fired at the end of which step (row, neuron, step)."""
    current, (row, neuron, step) = inputs
    rows, steps, duration = *current.shape, steps_each * dt
    state, fired = model.start(POINTS[:rows], {"current": current, "spikes": Spikes.none(rows, model.neurons, 0.0)}), []
    for first in range(0, steps, steps_each):
        now = (step >= first) & (step < first + steps_each)
        times = (step[now] + 0.5 - first) * dt
        given = Spikes.of(row[now], neuron[now], times, rows=rows, neurons=model.neurons, duration=duration)
        controls = {"current": current[:, first : first + steps_each], "spikes": given}
        state, seen = model.solve(state, controls, duration)
        spikes = seen["spikes"]
        assert spikes.parts == steps_each
        fired.append(np.column_stack([spikes.row, spikes.neuron, np.rint(spikes.time / dt).astype(int) + first]))
    return ordered(np.concatenate(fired))


def ordered(fired):
    return fired[np.lexsort(fired.T)]


def plain(settings, seed, inputs):
    """Return who fires in the same network of leaky neurons, written in plain PyNEST, in one run.

    A value of a step current acts from the second step on. So the current has to begin with two steps of zero.
    """
    current, (row, neuron, step) = inputs
    s, (rows, steps) = settings, current.shape
    assert not current[:, :2].any()
    chance = [seeds.generator(point, seed).random(s.neurons) for point in POINTS[:rows]]
    source, target = brunel.connections(settings, POINTS[:rows], seed)
    nest.ResetKernel()
    nest.resolution = 0.1
    cells = nest.Create("iaf_psc_delta", rows * s.neurons, params={"E_L": 0.0, "tau_m": 20.0, "C_m": 250.0})
    cells.set(V_th=20.0, V_reset=10.0, t_ref=2.0)
    cells.V_m = list(20.0 * np.concatenate(chance))
    excitatory = source % s.neurons < 0.8 * s.neurons
    for pre, post, first in zip(source.tolist(), target.tolist(), excitatory.tolist(), strict=True):
        nest.Connect(cells[pre], cells[post], syn_spec={"weight": 0.5 if first else -2.5, "delay": 1.5})
    afferents = nest.Create("spike_generator", len(cells))
    for cell in range(len(cells)):
        mine = np.sort(step[row * s.neurons + neuron == cell])
        afferents[cell].set(spike_times=(mine + 1) * 0.1)
    nest.Connect(afferents, cells, "one_to_one", syn_spec={"weight": 0.5 * DECAY, "delay": 0.1})
    for population in range(rows):
        generator = nest.Create("step_current_generator")
        times = 0.1 * np.arange(1, steps - 1)
        generator.set(amplitude_times=times, amplitude_values=current[population, 2:])
        own = cells[population * s.neurons : (population + 1) * s.neurons]
        nest.Connect(generator, own, syn_spec={"delay": 0.1})
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder)
    nest.Simulate(0.1 * steps)
    who = np.asarray(recorder.events["senders"]) - 1
    at = np.rint(np.asarray(recorder.events["times"]) / 0.1).astype(int)
    return ordered(np.column_stack([who // s.neurons, who % s.neurons, at]))


@pytest.fixture(scope="module")
def one_run():
    """Inputs of 60 ms for two networks, and the spikes that plain PyNEST makes of them."""
    settings = Leaky(**SMALL)
    inputs = driven(600, settings.neurons, rows=2)
    inputs[0][:, :2] = 0.0
    return inputs, plain(settings, 5, inputs)


@pytest.mark.parametrize("steps_each", [1, 10, 600])
@pytest.mark.parametrize("kept", [20, 10**6])
def test_window_by_window_the_spikes_are_those_of_plain_nest(one_run, steps_each, kept, monkeypatch):
    """Also where NEST is asked to forget spikes on the way."""
    monkeypatch.setattr(nest_windows, "KEPT", kept)
    inputs, expected = one_run
    assert len(expected) > 500
    np.testing.assert_array_equal(windows(LeakyNeurons(Leaky(**SMALL), seed=5), inputs, steps_each), expected)


@pytest.mark.parametrize("steps_each", [1, 3, 20])
def test_quadratic_neurons_have_a_clock_of_their_own(steps_each):
    """Windows may end within a synaptic time, of 5 steps here."""
    settings = Quadratic(neurons=150, J=10.0, dt=0.02, raster=0)
    inputs = driven(600, settings.neurons, current=6.0)
    expected = windows(QuadraticNeurons(settings, seed=5), inputs, 600, dt=2e-5)
    assert len(expected) > 100
    found = windows(QuadraticNeurons(settings, seed=5), inputs, steps_each, dt=2e-5)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("steps_each", [1, 2, 7])
def test_a_current_acts_in_the_very_step_that_it_is_for(steps_each):
    """V -> V exp(-dt / tau) + I tau / C (1 - exp(-dt / tau)), from the first step of the first window on."""
    current = np.random.default_rng(1).uniform(-200, 200, (2, 28))
    model = LeakyNeurons(Leaky(**SINGLE), seed=1)
    state = model.start(POINTS, {"current": current})
    nest.NodeCollection([1, 4]).V_m = [0.0, 0.0]
    expected = np.zeros(2)
    for first in range(0, 28, steps_each):
        now = current[:, first : first + steps_each]
        state, _ = model.solve(state, {"current": now / 4, "stimulus": 3 * now / 4}, steps_each * STEP)
        for I_now in now.T:
            expected = expected * DECAY + I_now * 20 / 250 * (1 - DECAY)
        np.testing.assert_allclose(nest.NodeCollection([1, 4]).V_m, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps_each", [1, 2, 5])
def test_an_afferent_spike_is_a_jump_of_the_potential_felt_in_the_next_step(steps_each):
    model = LeakyNeurons(Leaky(**SINGLE, afferent_weight=2.0), seed=1)
    state = model.start(POINTS, {"spikes": Spikes.none(2, 3, 0.0)})
    every = nest.NodeCollection(range(1, 7))
    every.V_m = [0.0] * 6
    arrivals = [(0, 1, 0.3), (0, 1, 0.301), (0, 1, 0.36), (1, 0, 0.5), (1, 2, 1.0)]  # row, neuron, ms
    traces = []
    for first in range(0, 20, steps_each):
        now = [(r, i, (t - first / 10) / 1e3) for r, i, t in arrivals if first / 10 < t <= (first + steps_each) / 10]
        row, neuron, time = np.array(now).reshape(-1, 3).T
        spikes = Spikes.of(row, neuron, time, rows=2, neurons=3, duration=steps_each * STEP)
        state, _ = model.solve(state, {"spikes": spikes}, steps_each * STEP)
        traces.append(every.V_m)
    time = np.arange(steps_each, 21, steps_each) / 10
    expected = np.zeros((len(time), 6))
    for row, neuron, arrival in arrivals:
        end = math.ceil(10 * arrival - 1e-9) / 10  # of the step in which it falls
        expected[:, 3 * row + neuron] += np.where(time > end + 0.01, 2 * np.exp(-(time - end) / 20), 0)
    np.testing.assert_allclose(traces, expected, atol=1e-12)


def test_the_same_seed_and_place_are_the_same_run():
    inputs = driven(300, 100, rows=2)

    def found(seed, **changes):
        return windows(LeakyNeurons(Leaky(**{**SMALL, "background": 2500.0, **changes}), seed), inputs, 100).tolist()

    assert found(5) == found(5)
    assert found(5) != found(6)
    first, second = ([spike[1:] for spike in found(5) if spike[0] == row] for row in (0, 1))
    assert first != second


def test_it_refuses_to_go_back():
    model = LeakyNeurons(Leaky(**SINGLE), seed=1)
    start = model.start(POINTS, {})
    state, seen = model.solve(start, {}, 0.0)
    assert seen["spikes"].time.size == 0
    state, _ = model.solve(state, {}, 1e-3)
    state, _ = model.solve(state, {}, 1e-3)
    with pytest.raises(CouplingError, match="stands at 2 ms with 2 populations and cannot go back to 2 at 0 ms"):
        model.solve(start, {}, 1e-3)
    with pytest.raises(CouplingError, match=r"cannot go back to 1 at 2 ms; expected what it has handed out last"):
        model.solve({name: values[:1] for name, values in state.items()}, {}, 1e-3)
    model.solve(state, {}, 1e-3)
    again = LeakyNeurons(Leaky(**SINGLE), seed=1).start(POINTS, {})
    with pytest.raises(CouplingError, match="this is not the one that was started last"):
        model.solve(again, {}, 1e-3)
    assert not LeakyNeurons.repeatable


@pytest.mark.parametrize(
    ("window", "samples", "message"),
    [
        (1e-3, 4, r"dt 0.1 ms does not divide the 0.25 ms of a sample, .* 4; .* such as 0.0833333 ms"),
        (5e-5, 1, r"dt 0.1 ms does not divide the 0.05 ms .* expected 0.05 ms"),
    ],
)
def test_steps_have_to_divide_samples(window, samples, message):
    model = LeakyNeurons(Leaky(**SINGLE), seed=1)
    controls = {"current": np.zeros((1, samples))}
    with pytest.raises(CouplingError, match=message):
        model.solve(model.start(POINTS[:1], controls), controls, window)


def test_afferents_have_to_be_there_from_the_start():
    model = LeakyNeurons(Leaky(**SINGLE), seed=1)
    spikes = Spikes.of([0], [0], [1e-4], rows=1, neurons=3, duration=1e-3)
    with pytest.raises(CouplingError, match="started without any: its neurons have no afferents"):
        model.solve(model.start(POINTS[:1], {}), {"spikes": spikes}, 1e-3)


def test_the_raster_has_every_spike_of_the_neurons_that_are_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = LeakyNeurons(Leaky(**{**SMALL, "raster": 7}), seed=5)
    model.first_row = 3
    controls = {"current": np.full((2, 1), 350.0)}
    state, expected = model.start(POINTS, controls), []
    for window in range(40):
        state, seen = model.solve(state, controls, 1e-3)
        model.complete(state, window + 1)
        spikes = seen["spikes"]
        shown = np.isin(spikes.neuron, [0, 16, 33, 50, 66, 82, 99])
        times = spikes.time[shown] + 1e-3 * window
        expected.append(np.column_stack([times, spikes.row[shown] + 3, spikes.neuron[shown]]))
    expected = np.concatenate(expected)
    found = np.loadtxt("raster-3.csv", delimiter=",", skiprows=1)
    assert len(found) > 20
    assert (np.diff(found[:, 0]) >= 0).all()
    np.testing.assert_allclose(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)], atol=1e-9)


# ---- NEST as a module


def program(text, *command):
    """Run Python that begins with the import of what is tested."""
    root = Path(__file__).resolve().parent.parent
    line = [*command, sys.executable, "-c", f"import sys, os, signal\nfrom adapters.nest_windows import load\n{text}"]
    return subprocess.run(line, cwd=root, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_nest_is_quiet_and_leaves_the_process_as_it_was():
    text = """
before = sys.getdlopenflags(), signal.getsignal(signal.SIGINT), dict(os.environ)
nest = load()
assert (sys.getdlopenflags(), signal.getsignal(signal.SIGINT), dict(os.environ)) == before
nest.Create("iaf_psc_delta")
nest.Simulate(1.0)
"""
    ended = program(text)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_simulators_do_without_each_other():
    """What populations have in common brings neither; on starting, Brian2 alone would cost more than NEST."""
    text = """
from participants.neural import leaky_nest, spiking_nest
assert "brian2" not in sys.modules
assert "nest" not in sys.modules  # before a network is started
"""
    assert program(text).returncode == 0


def test_several_ranks_are_refused():
    mpiexec = Path(sys.executable).with_name("mpiexec")
    if not mpiexec.exists():
        pytest.skip("there is no mpiexec in this environment")
    ended = program("load()", str(mpiexec), "-n", "2")
    assert ended.returncode != 0
    assert "NEST runs on one rank, and this is one of 2: give this participant ranks: 1" in ended.stderr


def test_nest_has_to_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "nest", None)
    with pytest.raises(
        CouplingError, match=r"NEST is not installed; it comes with pip install 'scalebridge\[neural\]'"
    ):
        load()
