"""One file over HTTPS: capped in size, abandoned when it stalls, never written before it has been verified.

Pooch was considered: it has no size cap, no lock between processes and no fsync, and checks the checksum of
the compressed file, which differs between honest mirrors.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ..errors import ConfigError, DataError
from .catalog import Dataset
from .files import shown

TIMEOUT = 30.0
"""Seconds after which a mirror is given up if it does not answer, or sends less than ``LEAST_RATE``."""
LEAST_RATE = 1024  # bytes per second


def _allowed(url: str) -> bool:
    """HTTPS only; plain HTTP from this machine itself is for tests and for a teacher's own tunnel."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def mirrors_of(dataset: Dataset) -> list[str]:
    """Base URLs to try in order: the data set's own, or those of ``SCRATCHNET_MIRRORS`` instead.

    ``SCRATCHNET_MIRRORS`` holds one or more base URLs, separated by spaces or commas; each has a folder per
    data set (``BASE/fashion-mnist/train-images-idx3-ubyte.gz``). Only ``https://``, except on localhost.

    Raises
    ------
    ConfigError
        If one of them is not such a URL.
    """
    own = os.environ.get("SCRATCHNET_MIRRORS", "").replace(",", " ").split()
    for base in own:
        try:
            good = _allowed(base)
        except ValueError:
            good = False
        if not good:
            raise ConfigError(f"SCRATCHNET_MIRRORS: expected https:// URLs, got {shown(base)}")
    return [f"{base.rstrip('/')}/{dataset.name}/" for base in own] or list(dataset.mirrors)


def _opener() -> Any:
    from urllib.request import HTTPRedirectHandler, build_opener

    class SafeRedirects(HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            if not _allowed(newurl):
                raise DataError(f"redirects to {shown(newurl)}, which is not https://")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    opener = build_opener(SafeRedirects)
    opener.addheaders = [("User-Agent", "scratchnet")]
    return opener


class _Progress:
    """A counter on a terminal, redrawn at most ten times a second; elsewhere a single line."""

    def __init__(self, url: str) -> None:
        self._label, self._last = f"Downloading {shown(url)}", 0.0
        self._live = sys.stderr is not None and sys.stderr.isatty()
        if not self._live:
            print(self._label, file=sys.stderr, flush=True)

    def show(self, done: int, total: int | None, last: bool = False) -> None:
        now = time.monotonic()
        if self._live and (last or now - self._last > 0.1):
            self._last = now
            of = f" of {total / 1e6:.1f}" if total else ""
            end = "\n" if last else ""
            print(f"\r{self._label}  {done / 1e6:.1f}{of} MB", end=end, file=sys.stderr, flush=True)


def download(url: str, most: int) -> bytes:
    """The content behind ``url``, at most ``most`` bytes of it.

    Raises
    ------
    DataError
        One line that says why it cannot be fetched: the server's answer, a stall, too many bytes, too few.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    progress = _Progress(url)
    body = bytearray()
    try:
        with _opener().open(url, timeout=TIMEOUT) as response:
            promised: int | None = response.length
            if promised is not None and promised > most:
                raise DataError(f"expected at most {most:,} bytes, the server announces {promised:,}")
            since, before = time.monotonic(), 0
            while piece := response.read1(1 << 16):  # whatever has arrived: a slow server cannot block this
                body += piece
                if len(body) > most:
                    raise DataError(f"expected at most {most:,} bytes, more came")
                progress.show(len(body), promised)
                elapsed = time.monotonic() - since
                if elapsed > TIMEOUT:
                    if len(body) - before < LEAST_RATE * elapsed:
                        raise DataError(f"stalled at {len(body):,} bytes")
                    since, before = time.monotonic(), len(body)
    except HTTPError as error:
        error.close()
        raise DataError(f"HTTP {error.code} {shown(error.reason)}") from None
    except TimeoutError:
        raise DataError(f"no answer within {TIMEOUT:g} s, after {len(body):,} bytes") from None
    except URLError as error:
        raise DataError(shown(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{type(error).__name__}: {shown(error)}") from error
    finally:
        progress.show(len(body), None, last=True)
    if promised is not None and len(body) != promised:
        raise DataError(f"the connection broke after {len(body):,} of {promised:,} bytes")
    return bytes(body)
