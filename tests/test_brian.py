"""A Brian2 network that is run window by window does what it does in one run, from any of its states, in any batch."""

from dataclasses import replace

import brian2
import numpy as np
import pytest

from adapters import brian, micro
from adapters.spikes import Spikes
from adapters.wiring import CouplingError
from participants.neural import brunel
from participants.neural.leaky import Leaky, LeakyNeurons
from participants.neural.spiking import Quadratic, QuadraticNeurons
from scalebridge import treefile

SAMPLE = 1e-4  # s
POINTS = np.array([[17.0], [4.0], [63.0]])
QUADRATIC = Quadratic(neurons=150, dt=0.02, J=10.0, raster=5)
LEAKY = Leaky(neurons=100, background=0.0, connectivity=0.2, raster=5)
MODELS = {"quadratic": (QuadraticNeurons, QUADRATIC, 6.0), "leaky": (LeakyNeurons, LEAKY, 350.0)}


def made(kind, **changes):
    model, settings, _ = MODELS[kind]
    return model(replace(settings, **changes), seed=5)


def driven(kind, samples, columns=1):
    """Return a current (columns, samples) in the unit of the control, and afferent spikes (row, neuron, step)."""
    random = np.random.default_rng(3)
    current = MODELS[kind][2] * (1 + 0.5 * random.standard_normal((columns, samples)))
    model = made(kind)
    each = round(1e3 * SAMPLE / model.settings.dt)
    many = 2 * samples // 3
    step = 1 + np.sort(random.choice(samples * each - 1, many, replace=False))
    return current, (random.integers(0, columns, many), random.integers(0, model.neurons, many), step)


def windows(model, state, inputs, samples_each, begin=0, end=None):
    """Solve window by window; return the last state and who fired at the end of which step (row, neuron, step)."""
    current, (row, neuron, step) = inputs
    dt, fired = model.settings.dt / 1e3, []
    each = round(SAMPLE / dt)
    size = samples_each * each
    for first in range(begin, current.shape[1] if end is None else end, samples_each):
        now = (step >= first * each) & (step < first * each + size)
        times = (step[now] + 0.5 - first * each) * dt  # anywhere in the step
        given = Spikes.of(
            row[now], neuron[now], times, rows=len(current), neurons=model.neurons, duration=samples_each * SAMPLE
        )
        controls = {"current": current[:, first : first + samples_each], "spikes": given}
        state, seen = model.solve(state, controls, samples_each * SAMPLE)
        spikes = seen["spikes"]
        fired.append(np.column_stack([spikes.row, spikes.neuron, np.rint(spikes.time / dt).astype(int) + first * each]))
    found = np.concatenate(fired)
    return state, found[np.lexsort(found.T)]


def begun(kind, inputs, points=POINTS[:1]):
    model = made(kind)
    return model, model.start(points, {"current": inputs[0]})


# ---- the same network in plain Brian2, in one run


def alone(kind, state, inputs):
    """Return who fires at the end of which step in one run of Brian2 from the same start."""
    current, (_, neuron, step) = inputs
    settings, unit = MODELS[kind][1], 1 if kind == "quadratic" else brian2.pA
    dt = settings.dt * brian2.ms
    brian2.prefs.codegen.target = "numpy"
    clock = brian2.Clock(dt)
    signal = brian2.TimedArray(current.T * unit, dt=SAMPLE * brian2.second)
    neurons, jump, others = (plain_quadratic if kind == "quadratic" else plain_leaky)(settings, state, signal, clock)
    afferents = brian2.SpikeGeneratorGroup(settings.neurons, neuron, (step - 1) * dt, clock=clock)
    arrivals = brian2.Synapses(afferents, neurons, on_pre="v_post += jump", clock=clock, namespace={"jump": jump})
    arrivals.pre.when, arrivals.pre.order = "groups", 2  # of the step after that in which they are generated
    arrivals.connect(j="i")
    neurons.variables["v"].set_value(state["neurons"]["v"][0])
    neurons.variables["lastspike"].set_value(state["neurons"]["lastspike"][0])
    monitor = brian2.SpikeMonitor(neurons)
    brian2.Network(neurons, *others, afferents, arrivals, monitor).run(
        current.shape[1] * SAMPLE * brian2.second, namespace={}
    )
    steps = np.rint(np.asarray(monitor.t / dt)).astype(int) + 1
    found = np.column_stack([np.zeros(len(steps), dtype=int), monitor.i, steps])
    return found[np.lexsort(found.T)]


def plain_quadratic(s, state, signal, clock):
    eta = s.eta + s.delta * np.tan(np.pi * (2 * np.arange(1, s.neurons + 1) - s.neurons - 1) / (2 * (s.neurons + 1)))
    names = {"J": s.J, "tau": s.tau * brian2.ms, "ts": s.synaptic_time * brian2.ms, "number": s.neurons, "I": signal}
    common = {"method": "euler", "clock": clock, "namespace": names}
    activity = brian2.NeuronGroup(1, "dr/dt = -r/ts : Hz\ninput = I(t, i) + J*tau*r : 1", order=1, **common)
    neurons = brian2.NeuronGroup(
        s.neurons,
        "dv/dt = (v**2 + eta + input)/tau : 1 (unless refractory)\neta : 1\ninput : 1 (linked)",
        threshold="v >= 100",
        reset="v = -1/(0.02 - 1/v)",
        refractory=(2 * s.tau / 100 + s.dt) * brian2.ms,
        **common,
    )
    neurons.eta = eta
    neurons.input = brian2.linked_var(activity, "input")
    activity.r = state["populations"]["r"][0] * brian2.Hz
    all_to_one = brian2.Synapses(neurons, activity, on_pre="r_post += 1/(number*ts)", clock=clock, namespace=names)
    all_to_one.connect()
    return neurons, brian2.Quantity(s.afferent_weight), (activity, all_to_one)


def plain_leaky(s, state, signal, clock):
    mV, ms = brian2.mV, brian2.ms
    names = {"tau": s.tau * ms, "C": s.capacitance * brian2.pF, "I": signal, "theta": s.threshold * mV}
    neurons = brian2.NeuronGroup(
        s.neurons,
        "dv/dt = -v/tau + now/C : volt (unless refractory)\nnow = I(t, 0) : amp (constant over dt)",
        threshold="v >= theta",
        reset="v = reset",
        refractory=(s.refractory + s.dt) * ms,
        method="exact",
        clock=clock,
        namespace={**names, "reset": s.reset * mV},
    )
    source, target = brunel.connections(s, POINTS[:1], seed=5)
    kinds = []
    for kind, weight in ((source < 80, s.weight * mV), (source >= 80, -s.inhibition * s.weight * mV)):
        synapses = brian2.Synapses(
            neurons, neurons, on_pre="v_post += w", delay=(s.delay - s.dt) * ms, clock=clock, namespace={"w": weight}
        )
        synapses.connect(i=source[kind], j=target[kind])
        synapses.pre.when, synapses.pre.order = "groups", 1
        kinds.append(synapses)
    return neurons, s.afferent_weight * mV, kinds


@pytest.mark.parametrize("kind", MODELS)
def test_window_by_window_the_spikes_are_those_of_one_run(kind):
    inputs = driven(kind, 300)
    model, state = begun(kind, inputs)
    expected = alone(kind, state, inputs)
    assert len(expected) > 100
    for samples_each in (1, 10, 300):
        _, found = windows(model, state, inputs, samples_each)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("samples_each", [1, 10])  # shorter and longer than delays are
@pytest.mark.parametrize("kind", MODELS)
def test_a_state_goes_on_bitwise_in_another_process(kind, samples_each, tmp_path):
    inputs = driven(kind, 60)
    model, state = begun(kind, inputs)
    middle, _ = windows(model, state, inputs, samples_each, end=30)
    last, fired = windows(model, middle, inputs, samples_each, begin=30)
    treefile.save(tmp_path / "state.npz", middle)
    other, found = windows(made(kind), treefile.load(tmp_path / "state.npz"), inputs, samples_each, begin=30)
    np.testing.assert_array_equal(found, fired)
    assert len(fired)
    same(other, last)


@pytest.mark.parametrize("kind", MODELS)
def test_a_window_is_repeated_bitwise_after_another_was_tried(kind):
    inputs = driven(kind, 60)
    model, state = begun(kind, inputs)
    middle, _ = windows(model, state, inputs, 10, end=30)
    kept = treefile_like(middle)
    first, fired = windows(model, middle, inputs, 10, begin=30)
    windows(model, middle, (2 * inputs[0], inputs[1]), 10, begin=30)
    again, found = windows(model, middle, inputs, 10, begin=30)
    np.testing.assert_array_equal(found, fired)
    same(again, first)
    same(middle, kept)  # has not been touched


@pytest.mark.parametrize("kind", MODELS)
def test_columns_in_one_batch_are_what_each_is_alone(kind):
    changes = {"background": 3000.0} if kind == "leaky" else {}
    current, (row, neuron, step) = driven(kind, 60, columns=3)
    together = made(kind, **changes)
    inputs = (current, (row, neuron, step))
    _, found = windows(together, together.start(POINTS, {"current": current}), inputs, 10)
    for column in range(3):
        mine = row == column
        single = (current[[column]], (row[mine] * 0, neuron[mine], step[mine]))
        model = made(kind, **changes)
        start = model.start(POINTS[[column]], {"current": single[0]})
        _, expected = windows(model, start, single, 20)
        assert len(expected)
        np.testing.assert_array_equal(found[found[:, 0] == column][:, 1:], expected[:, 1:])


def test_other_seeds_and_places_are_other_networks():
    places = [brunel.connections(LEAKY, POINTS[[i]], seed=5)[0] for i in (0, 1)]
    other = brunel.connections(LEAKY, POINTS[:1], seed=6)[0]
    assert not np.array_equal(places[0], places[1])
    assert not np.array_equal(places[0], other)


def test_background_is_the_same_whatever_the_windows_and_has_its_rate():
    model = made("leaky", background=2000.0, threshold=1e6, neurons=400, weight=0.1, connectivity=0.0)
    state = model.start(POINTS[:1], {})
    state["neurons"]["v"][...] = 0
    inputs = (np.zeros((1, 400)), (np.zeros(0, dtype=int),) * 3)
    ends = [windows(model, state, inputs, each)[0] for each in (1, 400)]
    np.testing.assert_array_equal(ends[0]["neurons"]["v"], ends[1]["neurons"]["v"])
    # Campbell's theorem after 2 tau: mean w nu tau (1 - e^-2), variance w^2 nu tau (1 - e^-4) / 2
    v = ends[0]["neurons"]["v"][0] * 1e3
    mean, variance = 0.1 * 2 * 20 * (1 - np.exp(-2)), 0.1**2 * 2 * 20 * (1 - np.exp(-4)) / 2
    assert v.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 400))
    assert v.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 400))


def test_before_the_start_nobody_has_fired():
    model = made("leaky")
    state = model.start(POINTS, {"current": np.zeros((3, 10))})
    after, seen = model.solve(state, {"current": np.zeros((3, 10))}, 0.0)
    assert after is state
    assert seen["spikes"].duration == 0
    assert seen["spikes"].parts == 10
    assert seen["potential"].shape == (3, 10)


@pytest.mark.parametrize(
    ("dt", "window", "samples", "message"),
    [
        (0.03, 1e-3, 10, "dt 0.03 ms does not divide the 0.1 ms of a sample, of which a window of 1 ms has 10"),
        (0.03, 1e-3, 10, "expected 0.1 ms or a whole fraction of it, such as 0.025 ms"),
        (0.05, 1e-3, 40, "does not divide the 0.025 ms"),
    ],
)
def test_steps_have_to_divide_samples(dt, window, samples, message):
    model = made("quadratic", dt=dt)
    controls = {"current": np.zeros((1, samples))}
    with pytest.raises(CouplingError, match=message):
        model.solve(model.start(POINTS[:1], controls), controls, window)


def test_populations_of_one_batch_are_at_one_time():
    model = made("quadratic")
    controls = {"current": np.zeros((2, 10))}
    state = dict(model.start(POINTS[:2], controls)) | {"step": np.array([0, 100])}
    with pytest.raises(
        micro.MicroError, match=r"populations of one network at different times, after \[  0 100\] steps"
    ):
        model.solve(state, controls, 1e-3)


def test_compiled_steps_need_a_folder(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CouplingError, match=r"codegen: cython keeps what it compiles in .*brian, which cannot be made"):
        made("quadratic", codegen="cython").start(POINTS[:1], {})


def test_few_networks_are_kept():
    model = made("quadratic")
    for place in range(brian.NETWORKS + 2):
        model.start(np.array([[float(place)]]), {})
    assert len(model._networks) == brian.NETWORKS


def test_the_raster_of_a_run_goes_on_from_where_it_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    inputs = driven("leaky", 60, columns=2)
    model = made("leaky")
    states, every = [model.start(POINTS[:2], {"current": inputs[0]})], []
    for window in range(6):
        after, fired = windows(model, states[-1], inputs, 10, begin=10 * window, end=10 * window + 10)
        model.complete(after, window + 1)
        states.append(after)
        every.append(fired)
    text = (tmp_path / "raster.csv").read_text()
    rows = np.array([[float(x) for x in line.split(",")] for line in text.splitlines()[1:]])
    expected = np.concatenate(every)
    expected = expected[np.isin(expected[:, 1], [0, 25, 50, 74, 99])]
    assert len(expected)
    np.testing.assert_allclose(rows[:, 0], np.sort(expected[:, 2]) * 1e-4, rtol=1e-9)
    assert {tuple(r) for r in rows[:, 1:]} == {tuple(r) for r in expected[:, :2]}
    resumed = made("leaky")
    for window in (4, 5):
        resumed.complete(states[window + 1], window + 1)
    assert (tmp_path / "raster.csv").read_text() == text


def same(one, other):
    for (name, left), (_, right) in zip(micro.arrays(one), micro.arrays(other), strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


def treefile_like(state):
    return micro.apply(np.copy, state)
