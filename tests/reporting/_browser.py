"""Chromium without a screen, over its DevTools protocol: what a page says and complains of."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

QUIET = ("gpu", "quic", "background-networking", "component-update", "sync", "dev-shm-usage")


def found_program(*names: str) -> str:
    """Path of the first of these programs; the test is skipped without it, and fails in CI."""
    for name in names:
        if path := shutil.which(name):
            return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{names[0]} is missing, and CI must have it")
    pytest.skip(f"{names[0]} is not installed")


class Page:
    """One page. complaints: console errors and warnings, uncaught exceptions, failed requests."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wire: Any) -> None:
        self.loop, self.wire = loop, wire
        self.number = 0
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its result."""
        return self.loop.run_until_complete(self._call(method, params))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        await self.wire.send_json({"id": self.number, "method": method, "params": params})
        while True:
            message = json.loads((await self.wire.receive(timeout=60)).data)
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        kind = message.get("method")
        if kind == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            said = " ".join(str(a.get("value", a.get("description"))) for a in told["args"])
            self.complaints.append(f"console {told['type']}: {said}")
        elif kind == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {told['exceptionDetails']}")
        elif kind == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"log: {told['entry']['text']} {told['entry'].get('url', '')}")

    def open(self, url: str) -> None:
        """Load a page to its end."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def says(self, script: str) -> Any:
        """The value of an expression on the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str, seconds: float = 45) -> Any:
        """The value of an expression as soon as it is true; AssertionError after `seconds`."""
        end = time.monotonic() + seconds
        while not (value := self.says(script)):
            assert time.monotonic() < end, f"never came true: {script}\n{self.text()[:2000]}"
            time.sleep(0.1)
        return value

    def follow(self, part: str) -> None:
        """Go where the first link goes whose address holds `part`, once there is one."""
        find = f"Array.from(document.links).find((a) => a.href.includes({json.dumps(part)}))"
        self.until(f"Boolean({find})")
        self.says(f"void (location.href = {find}.href)")

    def wait_for(self, text: str) -> None:
        """Wait until a text is shown."""
        self.until(f"document.body && document.body.innerText.includes({json.dumps(text)})")

    def text(self) -> str:
        """All the text that is shown."""
        return self.says("document.body ? document.body.innerText : ''")

    def size(self, width: int, height: int) -> None:
        """A window of this size, in pixels; narrow ones are phones."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def shoot(self, path: Path) -> Path:
        """A picture of the window as PNG."""
        found = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))
        return path


@contextlib.contextmanager
def browsing(folder: Path, browser: str) -> Iterator[Page]:
    """A fresh page of a fresh browser that keeps its files in `folder`."""
    profile = folder / "chromium"
    flags = [f"--disable-{name}" for name in QUIET]
    # a profile used before holds the port of the browser that is gone
    (profile / "DevToolsActivePort").unlink(missing_ok=True)
    process = subprocess.Popen(
        [
            *(browser, "--headless", "--no-sandbox", "--no-first-run", *flags),
            *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    loop = asyncio.new_event_loop()
    session: aiohttp.ClientSession | None = None
    try:
        port = _port(profile / "DevToolsActivePort")
        session, page = loop.run_until_complete(_connect(loop, port))
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        yield page
    finally:
        if session is not None:
            loop.run_until_complete(session.close())
        loop.close()
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def inspect_view(logs: Path, env: dict[str, str] | None = None) -> Iterator[str]:
    """The address of an `inspect view` of a folder of logs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = (sys.executable, "-m", "inspect_ai", "view", "start")
    server = subprocess.Popen(
        [*command, "--log-dir", str(logs), "--port", port],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        end = time.monotonic() + 300
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(url):
                break
            assert server.poll() is None, "inspect view has ended"
            assert time.monotonic() < end, "inspect view does not answer"
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _port(file: Path) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if file.is_file() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError("the browser does not answer")


async def _connect(
    loop: asyncio.AbstractEventLoop, port: int
) -> tuple[aiohttp.ClientSession, Page]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        targets = await answer.json()
    url = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
    return session, Page(loop, await session.ws_connect(url, max_msg_size=0))
