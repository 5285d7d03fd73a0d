"""A worker process that tests start, stop and kill. Settings come from the environment."""

import threading

from app.worker import run_worker

if __name__ == "__main__":
    run_worker(threading.Event())
