"""A brain of neural masses in The Virtual Brain, some of whose regions are simulated elsewhere.

    dx_i/dt = f(x_i, u_i) + sqrt(2 D) xi_i(t)         in every region i of its own,      r_i = rate of x_i
        u_i = input of c_i + I_i(t),                  c_i(t) = G sum_j w_ij r_j(t - d_ij)

as participants.neural.mass, whose settings and fields it has, so that one can take the place of the other: without
noise both give the same numbers to round-off. Here TVB's models are f, and Heun's method, coupling and delays are its
own. xi white noise, of the potential v or of the share E of active cells, the same for the same seed.

TVB's rates of columns are replaced, in its history, by those that came from elsewhere (participants/neural/
virtual_brain.py). A window that is repeated begins again with TVB's state, history and random numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.case import Case
from adapters.participant import participant
from participants.neural import mass
from participants.neural.virtual_brain import VirtualBrain
from scalebridge.settings import setting


@dataclass(frozen=True)
class Settings(mass.Settings):
    """The brain, what it is made of, what stimulates it, and its noise."""

    noise: float = setting(0.0, "dispersion D of the noise: its variance per time is 2 D", unit="1/ms", minimum=0)


class Brain(mass.Brain):
    """All regions in TVB's simulator, with the rates of the columns put in their places."""

    def __init__(self, s: Settings, samples: int, seed: int) -> None:
        super().__init__(s, samples)
        rates = np.broadcast_to(np.array(s.initial_rate), (len(self.connectome.labels),))
        self.delays = self.simulator = VirtualBrain(
            self.connectome, s.speed, self.model, s.coupling, rates, dt=s.dt, samples=samples, noise=s.noise, seed=seed
        )

    def advance(self, first: int, count: int) -> None:
        self.simulator.advance(self.stimulus(first, count))

    def save(self) -> Any:
        return self.simulator.save()

    def restore(self, value: Any) -> None:
        self.simulator.restore(value)


def main(case: Case[Settings]) -> None:
    mass.main(case, lambda s, samples: Brain(s, samples, case.seed))


if __name__ == "__main__":
    participant(
        main,
        Settings,
        reads=mass.READS,
        writes=mass.WRITES,
        delay=mass.shortest_delay,
        time_scales=("tau",),
        sampling="dt",
    )
