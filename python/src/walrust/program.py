"""Finds the program and runs it."""

import json
import os
import shutil
import subprocess
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from .errors import UsageError, WalrustError, error_from_document

#: A path or name, or a command with its first arguments.
Program = Union[str, Sequence[str]]

_ERROR_TEXT_LENGTH = 2000


def find_program(program: Optional[Program], env: Mapping[str, str]) -> List[str]:
    """The command that starts walrust: what is given, else ``WALRUST_BIN``, else ``walrust`` on the PATH."""
    if program is not None and not isinstance(program, str):
        return list(program)
    name = program or env.get("WALRUST_BIN") or "walrust"
    if name.endswith((".js", ".mjs")):
        return ["node", name]
    found = shutil.which(name, path=env.get("PATH"))
    if found is None:
        raise UsageError(
            f"the program {name} is not there",
            code="USAGE",
            exit_code=2,
            hint="Install it with `npm install -g walrust`, or name it in WALRUST_BIN.",
        )
    return [found]


def run_json(command: Sequence[str], env: Mapping[str, str]) -> Dict[str, Any]:
    """The one document that a command prints. Raises the error that it tells."""
    process = subprocess.Popen(
        command,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        stdout, stderr = process.communicate()
    except BaseException:
        # An orderly end, so that no temporary file stays behind.
        process.terminate()
        process.wait()
        raise
    document = _document_in(stdout)
    if document is None:
        raise ended_unexpectedly(process.returncode, stderr)
    if "error" in document:
        raise error_from_document(document["error"])
    return document


def ended_unexpectedly(returncode: int, stderr: bytes) -> WalrustError:
    text = stderr.decode("utf-8", "replace").strip()[-_ERROR_TEXT_LENGTH:]
    return WalrustError(f"the program ended with {returncode}: {text}")


def _document_in(stdout: bytes) -> Optional[Dict[str, Any]]:
    try:
        document = json.loads(stdout)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def environment(env: Optional[Mapping[str, str]]) -> Mapping[str, str]:
    return os.environ if env is None else env
