"""Run a command and print what it took, as JSON: ``python run_measured.py COMMAND ...``.

Linux begins the peak memory of a process with what the process had that started it. So this one
starts it, which is small.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{sys.argv[1]} failed; its message is above.")
    result = {
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": time.perf_counter() - start,
        "peak_mb": used.ru_maxrss * 1.024e-3,  # of KiB
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
