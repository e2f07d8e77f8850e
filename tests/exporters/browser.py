"""A headless browser driven over the DevTools protocol, through a pipe.

No port is opened and no package is needed: messages are JSON, each ended by a
NUL, on the browser's descriptors 3 and 4.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ["chromium-headless-shell", "chromium", "google-chrome"]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe",
]
TIMEOUT_S = 60

KEY_CODES = {
    "Enter": 13, "Escape": 27, "Tab": 9, "Backspace": 8, "Home": 36,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}


def find_browser():
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    return None


class Browser:
    """One browser with one page; use it as a context manager."""

    def __init__(self, path, width=1200, height=800, dark=False):
        self.profile = tempfile.mkdtemp(prefix="watchfire-browser-")
        self.messages = []   # of the page's console, and its exceptions
        self.requests = []   # addresses the page asked for
        self.buffer = b""
        self.next_id = 0
        self._start(path)
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call(
            "Target.attachToTarget", targetId=target["targetId"],
            flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.page(domain + ".enable")
        self.resize(width, height)
        self.page("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])

    def _start(self, path):
        here_read, there_write = os.pipe()
        there_read, here_write = os.pipe()
        # Above 4, so that one dup2 does not close what the next one needs.
        pair = [os.dup(there_read), os.dup(there_write)]
        while min(pair) < 5:
            pair = [os.dup(fd) for fd in pair]

        def connect():
            os.dup2(pair[0], 3)
            os.dup2(pair[1], 4)

        self.process = subprocess.Popen(
            [path, *FLAGS, "--user-data-dir=" + self.profile, "about:blank"],
            preexec_fn=connect, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (there_read, there_write, *pair):
            os.close(fd)
        self.reader, self.writer = here_read, here_write

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
        except OSError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.reader)
        os.close(self.writer)
        shutil.rmtree(self.profile, ignore_errors=True)

    # ---- the protocol ----

    def _receive(self, timeout_s):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reader], [], [], timeout_s)
            if not ready:
                return None
            data = os.read(self.reader, 1 << 20)
            if not data:
                raise OSError("the browser is gone")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def _note(self, message):
        method = message.get("method")
        params = message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.messages.append(json.dumps(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.messages.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def call(self, method, session=None, **params):
        self.next_id += 1
        wanted = self.next_id
        message = {"id": wanted, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            answer = self._receive(1)
            if answer is None:
                continue
            if answer.get("id") != wanted:
                self._note(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                return answer["result"]
        raise TimeoutError(method)

    def page(self, method, **params):
        return self.call(method, session=self.session, **params)

    # ---- what a person does ----

    def wait_until(self, expression):
        """Until it is true of the page, be that another one by then."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                if self.run(expression):
                    return
            except RuntimeError: # asked while one page followed another
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(expression)
            time.sleep(0.02)

    def navigate(self, url):
        """The answer comes before the page does."""
        self.page("Page.navigate", url=url)
        self.wait_until(f"location.href === {json.dumps(url)} && "
                        "document.readyState === 'complete'")

    def load(self, path, fragment=""):
        self.navigate("about:blank")
        self.navigate("file://" + path + fragment)

    def open(self, path, fragment=""):
        self.load(path, fragment)
        self.settle()

    def run(self, expression):
        result = self.page(
            "Runtime.evaluate", expression=expression, returnByValue=True,
            awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    def settle(self):
        """Two frames later, layout and observers have run."""
        self.run("new Promise(done => requestAnimationFrame(() => "
                 "requestAnimationFrame(() => done(0))))")

    def resize(self, width, height):
        self.page("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=False)
        self.wait_until(f"innerWidth === {width} && innerHeight === {height}")

    def press(self, key, control=False, shift=False):
        text = key if len(key) == 1 and not control else ""
        if key == "Enter":
            text = "\r"
        event = {"key": key, "text": text,
                 "modifiers": 2 * control + 8 * shift,
                 "windowsVirtualKeyCode": KEY_CODES.get(key, ord(key[0]))}
        self.page("Input.dispatchKeyEvent", type="keyDown", **event)
        self.page("Input.dispatchKeyEvent", type="keyUp", **event)
        self.settle()

    def type(self, text):
        self.page("Input.insertText", text=text)
        self.settle()

    def move(self, x, y):
        self.page("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.page("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                      button="left", clickCount=1)
        self.settle()

    def screenshot(self, path):
        picture = self.page("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
