"""A worker process that tests start, stop and kill. Settings come from the environment.

It does not yield to others, or it would starve on a machine that tests alone keep busy.
"""

import threading

from app import worker

if __name__ == "__main__":
    worker.NICENESS = 0
    worker.run_worker(threading.Event())
