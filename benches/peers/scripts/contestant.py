"""Python's ways to run functions in processes: spawn, forkserver, fork, executor, loky. Speaks what src/lib.rs describes."""

import multiprocessing
import os
import sys
import time
from collections import deque

WORKERS = 2
IN_FLIGHT = 8


def add_one(number):
    return number + 1


def answer_one(connection, number):
    connection.send(number + 1)


def work(micros):
    end = time.perf_counter_ns() + micros * 1000
    while time.perf_counter_ns() < end:
        pass
    return micros


def same(data):
    return data


class Processes:
    """`multiprocessing` with one of its start methods: `Process` for one call, `Pool` for many."""

    def __init__(self, method):
        self.context = multiprocessing.get_context(method)
        self.workers = None

    def start(self, number):
        here, there = self.context.Pipe(duplex=False)
        process = self.context.Process(target=answer_one, args=(there, number))
        process.start()
        there.close()

        def join():
            result = here.recv()
            process.join()
            return result

        return join

    def pool(self, micros, count):
        self.made().map(work, [micros] * count)
        return True

    def trip(self, number):
        return self.made().apply(add_one, (number,))

    def same(self, data):
        return self.made().apply(same, (data,))

    def made(self):
        self.workers = self.workers or self.context.Pool(WORKERS)
        return self.workers


class Executor:
    """`concurrent.futures`, or loky, which has the same interface."""

    def __init__(self, make):
        self.make, self.executor = make, None

    def start(self, number):
        return None

    def pool(self, micros, count):
        # Its documentation advises a large chunk for long iterables of short tasks.
        for _ in self.made().map(work, [micros] * count, chunksize=max(1, count // (WORKERS * 4))):
            pass
        return True

    def trip(self, number):
        return self.made().submit(add_one, number).result()

    def same(self, data):
        return self.made().submit(same, data).result()

    def made(self):
        self.executor = self.executor or self.make()
        return self.executor


def contestant(name):
    if name in ("spawn", "forkserver", "fork"):
        return Processes(name)
    if name == "executor":
        from concurrent.futures import ProcessPoolExecutor

        return Executor(lambda: ProcessPoolExecutor(WORKERS))
    from loky import get_reusable_executor

    return Executor(lambda: get_reusable_executor(max_workers=WORKERS, timeout=3600))


def timed(run):
    begin = time.perf_counter_ns()
    return None if run() is None else time.perf_counter_ns() - begin


def starts(own, count, in_flight):
    started = deque()
    for number in range(count):
        if len(started) == in_flight:
            started.popleft()()
        join = own.start(number)
        if join is None:
            return None
        started.append(join)
    while started:
        started.popleft()()
    return True


def trips(own, count):
    own.trip(0)
    return timed(lambda: all(own.trip(number) for number in range(count)))


def values(own, data, count):
    assert own.same(data) == data
    return timed(lambda: all(own.same(data) is not None for _ in range(count)))


def children_memory():
    shares = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) != os.getpid():
                    continue
            with open(f"/proc/{process}/smaps_rollup") as rollup:
                shares += [int(line.split()[1]) << 10 for line in rollup if line.startswith("Pss:")]
        except OSError:
            pass
    return sum(shares) // max(1, len(shares))


def main():
    own, kept = contestant(sys.argv[1]), []
    for line in sys.stdin:
        asked, *numbers = line.split()
        numbers = [int(number) for number in numbers]
        if asked == "heap":
            kept.append(bytearray(b"\x01") * (numbers[0] << 30))
            answer = 0
        elif asked == "start":
            answer = timed(lambda: starts(own, numbers[0], 1))
        elif asked == "burst":
            answer = timed(lambda: starts(own, numbers[0], IN_FLIGHT))
        elif asked == "pool":
            own.pool(0, 2 * WORKERS)
            answer = timed(lambda: own.pool(*numbers))
        elif asked == "trip":
            answer = trips(own, numbers[0])
        elif asked == "bytes":
            answer = values(own, bytes(7) * (numbers[0] // 7), numbers[1])
        elif asked == "floats":
            answer = values(own, [0.5] * (numbers[0] // 8), numbers[1])
        elif asked == "idle":
            own.trip(0)
            answer = children_memory()
        print("-" if answer is None else answer, flush=True)


if __name__ == "__main__":
    main()
