"""Runs the tests of one file: `@test` marks them, `run()` at the end of the file runs them in order."""
import os
import sys
import time
import traceback

from .scene import Scene

_tests = []


def test(function):
    """Marks `function(scene)` as a test. Its docstring, or else its name, is what is printed."""
    _tests.append(function)
    return function


def run() -> None:
    """Runs all tests of this file, or those whose name contains an argument; exits 1 if one failed."""
    wanted = sys.argv[1:]
    failed = ran = 0
    for function in _tests:
        if wanted and not any(w in function.__name__ for w in wanted):
            continue
        ran += 1
        began = time.monotonic()
        scene = Scene()
        try:
            with scene:
                function(scene)
            verdict = "ok  "
        except BaseException as error:
            failed += 1
            verdict = "FAIL"
            traceback.print_exc()
            for text in scene.story:
                print(text, file=sys.stderr)
            if isinstance(error, KeyboardInterrupt):
                sys.exit(130)
        title = (function.__doc__ or function.__name__).strip().splitlines()[0]
        print(f"{verdict} {time.monotonic() - began:5.2f} s  {title}", flush=True)
    if not ran:
        print("no test has run")
    sys.stdout.flush()
    sys.stderr.flush()
    # Daemon threads may still hold sockets; they must not keep the interpreter.
    os._exit(1 if failed or not ran else 0)
