"""Runs coupled cases for the tests: reads a line of JSON per case, answers with a line of JSON.

    {"folder": FOLDER, "case": CASE.json, "participants": [NAME, ...], "limit": SECONDS}

Every participant becomes a process in FOLDER that runs `participant.py`; what it sees goes to FOLDER/NAME.json, what
it prints to FOLDER/NAME.out. The answer holds the exit statuses. Processes are forked from this one, in which the
modules are imported already, so that a case costs milliseconds; with the environment variable ENGINE=precice they are
started anew, because libprecice does not like to be forked.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
FORK = os.environ.get("ENGINE") != "precice"

if FORK:
    import numpy  # noqa: F401
    import participant
    import precice  # noqa: F401
    import scipy.linalg
    import scipy.sparse.linalg
    import scipy.spatial  # noqa: F401


def start(folder, case, name):
    """Start one participant and return its process id."""
    output = open(Path(folder, name + ".out"), "w")  # noqa: SIM115
    if not FORK:
        command = [sys.executable, str(HERE / "participant.py"), case, name, name + ".json"]
        return subprocess.Popen(command, cwd=folder, stdout=output, stderr=output).pid
    pid = os.fork()
    if pid:
        output.close()
        return pid
    status = 1
    try:
        os.chdir(folder)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        participant.main(case, name, name + ".json")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run(folder, case, participants, limit):
    """Run all participants and return {name: exit status}; "hung" for those that had to be killed."""
    pids = {start(folder, case, name): name for name in participants}
    statuses = {}
    until = time.monotonic() + limit
    while pids:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            statuses[pids.pop(pid)] = os.waitstatus_to_exitcode(status)
        elif time.monotonic() > until:
            for pid, name in pids.items():
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                statuses[name] = "hung"
            break
        else:
            time.sleep(0.002)
    return statuses


def main():
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
