"""A scripted participant: python partner.py MISDEED WINDOW [PAUSE]

MISDEED is what it does in that time window: none, raise, exit-early, sleep, spin (computes for ever), kill (itself),
say-nothing (never connects but ends well), hang-at-exit (raises, and takes its time to end).
"""

import os
import signal
import sys
import time

import numpy as np

NAME = os.environ["SCALEBRIDGE_PARTICIPANT"]


def misbehave(misdeed):
    if misdeed == "raise":
        raise ValueError("the brine boiled")
    if misdeed == "exit-early":
        sys.exit(0)
    if misdeed == "sleep":
        time.sleep(1000)
    while misdeed == "spin":
        pass
    if misdeed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if misdeed == "hang-at-exit":
        try:
            raise ValueError("the brine boiled")
        except ValueError:
            import traceback

            traceback.print_exc()
            os.close(2)
            time.sleep(1000)


def main(misdeed, window, pause):
    if misdeed == "say-nothing":
        return
    import precice

    me = precice.Participant(NAME, os.environ["SCALEBRIDGE_CONFIG"], 0, 1)
    if NAME == "Left":
        ids = me.set_mesh_vertices("Left-Mesh", np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]]))
        write, read = "Alpha", "Beta"
        me.initialize()
    else:
        me.set_mesh_access_region("Left-Mesh", np.array([-9.0, 9.0, -9.0, 9.0]))
        me.initialize()
        ids, _ = me.get_mesh_vertex_ids_and_coordinates("Left-Mesh")
        write, read = "Beta", "Alpha"
    done = 0
    while me.is_coupling_ongoing():
        if me.requires_writing_checkpoint():
            pass
        if done == window:
            misbehave(misdeed)
        dt = me.get_max_time_step_size()
        time.sleep(pause)
        values = me.read_data("Left-Mesh", read, ids, dt)
        me.write_data("Left-Mesh", write, ids, 0.5 * values + 1.0)
        me.advance(dt)
        if me.requires_reading_checkpoint():
            pass
        if me.is_time_window_complete():
            done += 1
    me.finalize()
    print(NAME, "is done after", done, "windows")


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
