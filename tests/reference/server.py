"""Runs Python programs that couple with each other: reads a line of JSON per job, answers with a line of JSON.

    {"folder": FOLDER, "programs": {NAME: [PROGRAM.py, ARGUMENT, ...], ...}, "limit": SECONDS}

Every program becomes a process in FOLDER; what it prints goes to FOLDER/NAME.out. The answer holds for each the exit
status ("hung" if it had to be killed) and after how many seconds it ended. Processes are forked from this one, in
which the modules are imported already, so that a job costs milliseconds; with the environment variable ENGINE=precice
they are started anew, because libprecice does not like to be forked.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

FORK = os.environ.get("ENGINE") != "precice"

if FORK:
    import numpy  # noqa: F401
    import precice  # noqa: F401
    import scipy.linalg
    import scipy.sparse.linalg
    import scipy.spatial  # noqa: F401


def start(folder, name, program):
    """Start one program and return its process id."""
    output = open(Path(folder, name + ".out"), "w")  # noqa: SIM115
    if not FORK:
        return subprocess.Popen([sys.executable, *program], cwd=folder, stdout=output, stderr=output).pid
    pid = os.fork()
    if pid:
        output.close()
        return pid
    status = 1
    try:
        os.chdir(folder)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        sys.argv = list(program)
        runpy.run_path(program[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def run(folder, programs, limit):
    """Run all programs and return {name: [exit status, seconds]}."""
    began = time.monotonic()
    pids = {start(folder, name, program): name for name, program in programs.items()}
    results = {}
    while pids:
        pid, status = os.waitpid(-1, os.WNOHANG)
        passed = time.monotonic() - began
        if pid:
            results[pids.pop(pid)] = [os.waitstatus_to_exitcode(status), passed]
        elif passed > limit:
            for pid, name in pids.items():
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                results[name] = ["hung", passed]
            break
        else:
            time.sleep(0.002)
    return results


def main():
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
