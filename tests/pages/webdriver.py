"""A browser over the WebDriver protocol: what the standard library needs to speak to chromedriver."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

PATIENCE_S = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def find_program(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise SystemExit(f"none of {', '.join(names)} is installed")


class Driver:
    """chromedriver in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen(
            [find_program("chromedriver"), "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for line in self.process.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                self.base = f"http://127.0.0.1:{found.group(1)}"
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise SystemExit("chromedriver did not start")

    def call(self, method, path, body=None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data=data, method=method)
        request.add_header("content-type", "application/json")
        # Never through a proxy: the driver is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{method} {path}: {value['error']}: {value['message']}") from None

    def close(self):
        self.process.terminate()
        self.process.wait()


class Browser:
    """One headless Chromium with a profile of its own."""

    def __init__(self, driver, width, height, lang="en", dark=False, cookies=True):
        self.driver = driver
        self.profile = tempfile.mkdtemp(prefix="larkdeck-pages-")
        preferences = {"intl.accept_languages": lang}
        if not cookies:
            preferences["profile.default_content_setting_values.cookies"] = 2
        arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            f"--user-data-dir={self.profile}",
            f"--accept-lang={lang}",
        ]
        options = {
            "binary": find_program("chromium", "chromium-browser", "google-chrome"),
            "args": arguments,
            "prefs": preferences,
        }
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        self.session = driver.call("POST", "/session", {"capabilities": wanted})["sessionId"]
        # The size of a phone is below the least size of a window: the device is emulated.
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 2 if width < 600 else 1, "mobile": width < 600},
        )
        scheme = "dark" if dark else "light"
        self.devtools(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )

    def call(self, method, path, body=None):
        return self.driver.call(method, f"/session/{self.session}{path}", body)

    def devtools(self, command, parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def url(self):
        return self.call("GET", "/url")

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self):
        return self.run("return document.body.innerText")

    def find(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.call("POST", f"/element/{self.find(selector)}/click")

    def cookies(self):
        return self.call("GET", "/cookie")

    def wait(self, what, is_true):
        """Until `is_true(self)`."""
        end = time.monotonic() + PATIENCE_S
        while not is_true(self):
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}\n{self.url()}\n{self.text()}")
            time.sleep(0.05)

    def wait_text(self, text):
        self.wait(repr(text), lambda browser: text in browser.text())

    def complaints(self):
        """What the console of the browser says: a refused style, a blocked request, a broken page."""
        return [
            entry["message"]
            for entry in self.call("POST", "/se/log", {"type": "browser"})
            if "favicon.ico" not in entry["message"]
        ]

    def picture(self, path):
        """The whole page, however long."""
        size = self.run("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        taken = self.devtools("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))

    def close(self):
        self.call("DELETE", "")
        shutil.rmtree(self.profile, ignore_errors=True)


def environment(home):
    """A home of its own, and nothing else of this machine that the program could read."""
    return {
        "HOME": home,
        "XDG_CONFIG_HOME": os.path.join(home, "config"),
        "XDG_DATA_HOME": os.path.join(home, "data"),
        "XDG_STATE_HOME": os.path.join(home, "state"),
        "PATH": os.environ.get("PATH", ""),
        "USER": "tester",
        "LANG": "C.UTF-8",
        "TZ": "Asia/Shanghai",
    }
