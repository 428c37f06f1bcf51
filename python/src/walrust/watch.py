"""The daemon as a supervised child process."""

import json
import os
import socket
import subprocess
import tempfile
import threading
import time
from types import TracebackType
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Type

from .errors import WalrustError, error_from_document
from .program import ended_unexpectedly

OnEvent = Callable[[Dict[str, Any]], None]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
#: Who ran this long was well: the next pause is short again.
_WELL_AFTER_S = 60.0
#: A mistake in the configuration is the same the next time.
_USAGE_EXIT_CODE = 2


class Watch:
    """A running ``walrust watch``: started again when it ends without being asked to.

    It ends with this process, also when that is killed. As a context manager it is stopped at the end.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], on_event: Optional[OnEvent]) -> None:
        self._command = list(command)
        self._env = dict(env)
        self._on_event = on_event or (lambda _event: None)
        self._stopping = threading.Event()
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self._lock = threading.Lock()
        self._error: Optional[WalrustError] = None
        self._thread = threading.Thread(target=self._supervise, name="walrust-watch", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> Optional[int]:
        """Of the daemon that runs now."""
        process = self._process
        return None if process is None else process.pid

    @property
    def ended(self) -> bool:
        """Whether it is over: after stop(), or since it cannot go on."""
        return not self._thread.is_alive()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until it is over; False if that takes longer than ``timeout`` seconds. Raises what it ended in."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        if self._error is not None:
            raise self._error
        return True

    def stop(self) -> None:
        """Publishes what is pending, and ends. Raises UNPUBLISHED when commits stay behind that storage does not have."""
        with self._lock:
            self._stopping.set()
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
        self.wait()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self.stop()
        except WalrustError:
            if error is None:
                raise

    def _supervise(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            started = time.monotonic()
            error = self._run_once()
            if self._stopping.is_set() or (error is not None and error.exit_code == _USAGE_EXIT_CODE):
                self._error = error
                return
            if time.monotonic() - started > _WELL_AFTER_S:
                pause = _FIRST_PAUSE_S
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _run_once(self) -> Optional[WalrustError]:
        # Node's own channel between parent and child: when it closes, the daemon knows that nobody wants it any more.
        ours, theirs = socket.socketpair()
        with ours, tempfile.TemporaryFile() as stderr:
            with theirs, self._lock:
                if self._stopping.is_set():
                    return None
                try:
                    process = subprocess.Popen(
                        self._command,
                        env={**self._env, "NODE_CHANNEL_FD": str(theirs.fileno())},
                        pass_fds=[theirs.fileno()],
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=stderr,
                    )
                except OSError as error:
                    return WalrustError(f"the program cannot be started: {error}")
                self._process = process
            told = self._read_events(process)
            if process.wait() == 0:
                return None
            if told is not None:
                return told
            stderr.seek(-min(2000, os.fstat(stderr.fileno()).st_size), os.SEEK_END)
            return ended_unexpectedly(process.returncode, stderr.read())

    def _read_events(self, process: "subprocess.Popen[bytes]") -> Optional[WalrustError]:
        told = None
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                document = json.loads(line)
                if "type" in document:
                    self._on_event(document)
                elif "error" in document:
                    told = error_from_document(document["error"])
        return told
