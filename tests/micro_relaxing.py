"""A class as the documentation of the preCICE Micro Manager 0.12 wants it: ds/dt = (strain - s) / tau, stress = E s."""

import numpy as np
from micro_manager import MicroSimulationInterface


class MicroSimulation(MicroSimulationInterface):
    def __init__(self, sim_id):
        self._sim_id = sim_id
        self._s = np.zeros(2)
        self._count = 0

    def initialize(self, initial_data=None):
        self._s = np.array([initial_data["Strain"], 0.5])
        return {"Stress": 3.0 * self._s[0]}

    def solve(self, macro_data, dt):
        self._s[0] = (self._s[0] + 2.0 * dt * macro_data["Strain"]) / (1.0 + 2.0 * dt)
        self._s[1] += dt * self._s[0]
        self._count += 1
        return {"Stress": 3.0 * self._s[0], "Unused": 1.0}

    def get_state(self):
        return {"s": self._s.copy(), "count": self._count}

    def set_state(self, state):
        self._s, self._count = state["s"], state["count"]

    def get_global_id(self):
        return self._sim_id

    def set_global_id(self, global_id):
        self._sim_id = global_id

    def output(self):
        with open(f"relaxing-{self._sim_id}.txt", "a") as file:
            file.write(f"{self._count}\n")
