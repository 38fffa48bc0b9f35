"""Headless Chromium over its debugging pipe: what a reader of a page sees, without a package."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Names under which Chromium is installed.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: Seconds that one answer may take.
PATIENCE = 60


def find_chromium() -> str | None:
    """Find the program, or return None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab of Chromium. Use `open_browser`."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._rest = write, read, b""
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], PATIENCE)
            data = os.read(self._read, 1 << 20) if ready else b""
            if not data:
                raise RuntimeError("Chromium ended, or did not answer.")
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def show(self, path: Path | str, width: int = 1280, height: int = 900) -> None:
        """Load a page at a width in CSS pixels; narrow ones are shown as on a phone."""
        self.events.clear()
        self.resize(width, height)
        url = path if isinstance(path, str) else path.resolve().as_uri()
        self.call("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._receive())
        self.settle()

    def settle(self) -> None:
        """Wait until the layout does not change; scripts of the page may be switched off."""
        size = "[innerWidth, document.documentElement.scrollWidth, document.body.scrollHeight]"
        last = None
        for _ in range(40):
            time.sleep(0.05)
            now = self.run(size)
            if now == last:
                return
            last = now

    def resize(self, width: int, height: int = 900) -> None:
        """Change the size of the window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def media(self, kind: str = "", **features: str) -> None:
        """Emulate a medium: "print", or "" for the screen."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", media=kind, features=listed)

    def run(self, script: str) -> Any:
        """Evaluate JavaScript in the page; promises are awaited."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", found))
        return found["result"].get("value")

    @property
    def complaints(self) -> list[str]:
        """What was written to the console, and errors, since the page was loaded."""
        self.run("0")
        said = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.consoleAPICalled":
                said.append(" ".join(str(a.get("value", a)) for a in params["args"]))
            elif method == "Runtime.exceptionThrown":
                said.append(json.dumps(params["exceptionDetails"].get("exception", params)))
            elif method == "Log.entryAdded":
                said.append(params["entry"]["text"])
        return said

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was loaded, but for data in the page."""
        asked = [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith(("data:", "blob:", "about:"))]

    def picture(self, path: Path, *, part: str = "") -> Path:
        """Write a PNG of the window, or of the first element of a selector."""
        clip: dict[str, Any] = {}
        if part:
            box = self.run(
                f"(e => {{ const b = e.getBoundingClientRect(); return [b.x + scrollX, b.y + "
                f"scrollY, b.width, b.height]; }})(document.querySelector({json.dumps(part)}))"
            )
            clip = {"clip": dict(zip(("x", "y", "width", "height"), box, strict=True))}
            clip["clip"]["scale"] = 1
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=bool(part), **clip)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def strips(self, folder: Path, name: str, height: int = 3000) -> list[Path]:
        """Write the whole page as PNGs from top to bottom; one picture has at most 16384 pixels."""
        width, whole = self.run("[innerWidth, document.documentElement.scrollHeight]")
        paths = []
        for k in range(-(-whole // height)):
            top = k * height
            size = {"width": width, "height": min(height, whole - top), "scale": 1}
            shot = self.call(
                "Page.captureScreenshot",
                captureBeyondViewport=True,
                clip={"x": 0, "y": top, **size},
            )
            paths.append(folder / f"{name}-{k + 1:02}.png")
            paths[-1].write_bytes(base64.b64decode(shot["data"]))
        return paths

    def print_pdf(self, path: Path, **options: Any) -> Path:
        """Print the page on A4."""
        size = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": False}
        shot = self.call("Page.printToPDF", printBackground=True, **size, **options)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def download_to(self, folder: Path) -> None:
        """Let downloads go to a folder."""
        session, self._session = self._session, None
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self._session = session


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium without a window, and end it."""
    program = find_chromium()
    if program is None:
        raise RuntimeError("Chromium is not installed.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        to_read, write = os.pipe()
        read, to_write = os.pipe()
        arguments = [
            *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            # WebGL without a graphics card.
            *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run"),
            *("--disable-background-networking", "--disable-dev-shm-usage", "--disable-extensions"),
        ]
        # The protocol reads from descriptor 3 and writes to 4.
        command = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        process = subprocess.Popen(
            ["bash", "-c", command, "bash", *arguments],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        try:
            yield Browser(write, read)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(write)
            os.close(read)
