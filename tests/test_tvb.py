"""The Virtual Brain as the rest of a brain: it does what it does alone, and what our neural masses do."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

if importlib.util.find_spec("tvb") is None or importlib.util.find_spec("tvb_data") is None:
    pytest.skip("The Virtual Brain (tvb-library and tvb-data) is not installed", allow_module_level=True)

from coupled import environment, participant, run
from test_causality import RATES, case

from adapters.trees import tree, value
from participants.neural import mass, tvb
from participants.neural import virtual_brain as library
from participants.neural.tvb import Brain, Settings
from scalebridge import treefile

WHOLE = {"connectome": "tvb:connectivity_76", "coupling": 0.2, "J": 15.0, "initial_rate": [12.0] * 38 + [30.0] * 38}
PULSE = {"stimulus": 6.0, "stimulus_start": 3.03, "stimulus_stop": 13.0}
ODD = 17.0  # J of columns, so that TVB's own regions in their place would do something else
IMPLICIT = '<coupling-scheme:parallel-implicit><participants first="Brain" second="Column" />'
ITERATIONS = """<relative-convergence-measure limit="1e-12" data="Column-Rate" mesh="Column-Mesh" />
<relative-convergence-measure limit="1e-12" data="Afferent-Rate" mesh="Column-Mesh" />
<min-iterations value="2" /><max-iterations value="60" />"""


@participant(Settings, reads=mass.READS, writes=mass.WRITES)
def brain(case):
    tvb.main(case)


def settings(**given):
    return Settings(**{name: tuple(one) if isinstance(one, list) else one for name, one in given.items()})


def alone(given, windows=100, samples=10, kind=Brain, odd=(), **more):
    """Return the rates (m, n) at all samples of the brain in one piece, of which some regions have an odd J."""
    whole, found = kind(settings(**given), samples, **more), []
    if odd:
        J = np.full((len(whole.connectome.labels), 1), whole.model.J)
        J[list(odd)] = ODD
        whole.simulator.model.J = J
    for first in range(0, windows * samples, samples):
        whole.advance(first, samples)
        found.append(whole.delays.rates(first + 1, samples))
    return np.concatenate(found)


def coupled(folder, given, **more):
    """Return the rates of all regions at all samples of a run with odd columns, and how the brain ended."""
    xml, parts = case(given, **more)
    columns, others = parts["Column"]
    parts = {"Brain": (brain, parts["Brain"][1]), "Column": (columns, {**others, "J": ODD})}
    done = run(folder, xml, parts, scaling=RATES)
    with np.load(folder / "Brain" / "regions.npz", allow_pickle=False) as found:
        return found["rate"], done["Brain"]


def test_it_takes_the_place_of_our_masses_by_configuration_alone(tmp_path):
    """It has their settings, and noise; and says so without the library, which takes seconds to import."""
    told = []
    for module in ("participants.neural.mass", "participants.neural.tvb"):
        command = [sys.executable, "-X", "importtime", "-m", module, "--describe"]
        done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
        told.append(json.loads(done.stdout))
        assert "numba" not in done.stderr
    ours, theirs = told
    assert theirs["settings"].pop("noise")["unit"] == "1/ms"
    assert {**theirs, "module": "", "title": ""} == {**ours, "module": "", "title": ""}


@pytest.mark.parametrize("model", ["montbrio-pazo-roxin", "wilson-cowan"])
def test_it_does_what_our_masses_do(model):
    """Over 100 ms in 76 regions; both take what arrives at the start of a step."""
    given = {**WHOLE, **PULSE, "model": model}
    if model == "wilson-cowan":
        given |= {"J": 15.0, "P": 0.5, "theta_i": 3.7, "stimulus": 1.0}
    found, wanted = alone(given, seed=0), alone(given, kind=mass.Brain)
    assert np.median(np.ptp(wanted, axis=0)) > 100  # [Hz]: much happens
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_it_is_the_virtual_brain_as_its_users_know_it():
    """All of its own: file, units, strength and initial state; its history is in single precision."""
    connectivity = library.Connectivity.from_file("connectivity_76.zip")
    np.fill_diagonal(connectivity.weights, 0.0)
    connectivity.speed = np.array([3.0])
    connectivity.configure()
    connectivity.set_idelays(0.1)
    start = np.empty((connectivity.horizon, 2, 76, 1))
    start[:, 0, :, 0] = np.array(WHOLE["initial_rate"]) / 1000  # [1/ms]
    start[:, 1] = -1 / (2 * np.pi * 10 * start[:, 0])  # dr/dt = 0
    model = library.MontbrioPazoRoxin(tau=np.array([10.0]))
    simulator = library.Simulator(
        connectivity=connectivity,
        model=model,
        coupling=library.Linear(a=np.array([0.2 * 10.0])),
        integrator=library.HeunDeterministic(dt=0.1),
        initial_conditions=start,
        monitors=(importlib.import_module("tvb.simulator.monitors").Raw(),),
    ).configure()
    ((_, states),) = simulator.run(simulation_length=50.0)
    np.testing.assert_allclose(alone(WHOLE, 50, seed=0), 1000 * states[:, 0, :, 0], rtol=1e-4)


def test_columns_elsewhere_change_nothing(tmp_path, monkeypatch):
    """Two regions, 7.6 ms from each other, as columns; nothing is said of it, and nothing is left in the home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    given = {**WHOLE, **PULSE, "columns": ["rM1", "rS1"]}
    found, done = coupled(tmp_path, given, window=2.5, time=50.0)
    wanted = alone(given, 50, odd=(12, 28), seed=0)
    assert np.ptp(wanted[:, [12, 28]], axis=0).min() > 50
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    assert [line for line in done.text.splitlines() if "tvb" in line.lower() or "warning" in line.lower()] == []
    assert list((tmp_path / "home").iterdir()) == []


def test_windows_longer_than_the_delay_are_iterated(tmp_path):
    """Here there is none: both act on each other at once."""
    pair = {"connectome": "pair", "pair_length": 0.0, "columns": ["B"]}
    found, _ = coupled(tmp_path, pair, window=4.0, time=20.0, scheme=IMPLICIT, more=ITERATIONS)
    wanted = alone({**case(pair, window=4.0)[1]["Brain"][1], "columns": []}, 20, odd=(1,), seed=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_they_are_refused_where_nothing_is_iterated(tmp_path):
    xml, parts = case({"columns": ["B"]}, window=4.0)
    done = run(tmp_path, xml, {"Brain": (brain, parts["Brain"][1])}, fails=True)["Brain"]  # needs no column for that
    assert done.status == 1
    assert "a window of 4 ms is longer than 2 ms, the shortest delay across the coupling" in done.text


NOISE = {"noise": 0.01, "initial_rate": [30.0, 12.0]}


def test_the_same_seed_is_the_same_noise():
    first, again, other = (alone(NOISE, 20, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1.0


def test_noise_has_its_variance():
    """After one step of length h the variance of v is 2 D h, but for O(h^2)."""
    D, h, found = 1e-6, 0.1, []
    for seed in range(40):
        whole = Brain(settings(**WHOLE, noise=D, dt=h), 1, seed)
        whole.advance(0, 1)
        found.append(whole.simulator.current_state[1, :, 0])
    assert np.var(found, axis=0).mean() == pytest.approx(2 * D * h, rel=0.1)  # 3040 numbers: 2.6 %
    assert np.ptp(found, axis=0).min() > 0


def test_a_window_that_is_repeated_is_the_same(tmp_path):
    """From memory, and in another simulator from a file."""
    whole, other = (Brain(settings(**NOISE, pair_length=6.0), 10, seed) for seed in (1, 2))
    whole.advance(0, 10)
    saved = whole.save()
    treefile.save(tmp_path / "state.npz", tree(saved, "state"))
    rates = []
    for one in (whole, whole, other):
        held = saved if one is whole else value(treefile.load(tmp_path / "state.npz"), other.save(), "state")
        one.restore(held)
        one.advance(10, 10)
        one.advance(20, 10)
        rates.append((one.delays.rates(21, 10), one.delays.drive(31, 10)))
    for found in rates[1:]:
        np.testing.assert_array_equal(found, rates[0])
