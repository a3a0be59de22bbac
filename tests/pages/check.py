"""The pages in a real browser: first visit and silent second visit, at the size of a phone and of a desk, light and
dark, Chinese and English. Leaves pictures in the folder of the first argument."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from urllib.parse import urlsplit

from webdriver import Browser, Driver, environment

LARKDECK = os.environ["LARKDECK_BIN"]
PICTURES = sys.argv[1]
PHONE, DESK = (360, 740), (1280, 900)
SCENARIO = """
name = "pages"

[app]
scopes = [
  "im:chat", "im:message", "im:message:send_as_bot", "im:message:update", "im:message.group_msg",
  "im:message.reactions:read", "im:message.reactions:write_only", "im:resource", "cardkit:card:write",
  "contact:user.id:readonly", "contact:contact.base:readonly", "contact:user.base:readonly",
  "contact:user.email:readonly", "contact:user.phone:readonly",
]
"""
ROSTER = """name,email,phone,team
王伟,wang.wei@lumenpay.example,,支付 SRE
Ann Lee,ann.lee@lumenpay.example,+14150000002,Payments SRE
Ben Okafor,,,Platform
"""


class Process:
    """A program of ours that goes on until it is ended; its first line says where it is."""

    def __init__(self, arguments, env):
        self.process = subprocess.Popen([LARKDECK, *arguments], env=env, stdout=subprocess.PIPE, text=True)
        self.says = json.loads(self.process.stdout.readline())

    def close(self):
        self.process.terminate()
        self.process.wait()


class Place:
    """The simulated platform, and a gateway on a store with a roster."""

    def __init__(self):
        self.home = tempfile.TemporaryDirectory(prefix="larkdeck-pages-")
        self.env = environment(self.home.name)
        scenario = os.path.join(self.home.name, "scenario.toml")
        with open(scenario, "w", encoding="utf-8") as file:
            file.write(SCENARIO)
        self.sim = Process(["sim", "--scenario", scenario], self.env)
        access = self.sim.says
        secrets = {
            "LARKDECK_APP_SECRET": access["app_secret"],
            "LARKDECK_ENCRYPT_KEY": access["encrypt_key"],
            "LARKDECK_VERIFICATION_TOKEN": access["verification_token"],
        }
        self.run("integration", "add", "ops-prod", "--app-id", access["app_id"], "--base-url", access["base_url"],
                 env=self.env | secrets)
        roster = os.path.join(self.home.name, "roster.csv")
        with open(roster, "w", encoding="utf-8") as file:
            file.write(ROSTER)
        self.run("member", "import", roster)
        self.gateway = Process(["serve", "--json", "--listen", "127.0.0.1:0", "--no-long-connection"], self.env)
        urls = self.gateway.says["integrations"][0]
        self.page = urls["web_config_url"]
        self.control("redirect", {"urls": [urls["redirect_url"]]})

    def run(self, *arguments, env=None, code=0):
        ran = subprocess.run([LARKDECK, *arguments], env=env or self.env, capture_output=True, text=True)
        assert ran.returncode == code, (arguments, ran)
        return ran.stdout

    def control(self, verb, body):
        request = urllib.request.Request(f"{self.sim.says['base_url']}/_sim/{verb}", json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            assert answer.status == 200

    def sits(self, who):
        self.control("sign_in", {"who": who})

    def invitation(self, member):
        out = self.run("link", "invite", member, "--json",
                       env=self.env | {"LARKDECK_SERVER_PUBLIC_URL": self.gateway.says["listening"]})
        return json.loads(out)["url"]

    def linked(self):
        rows = self.run("member", "list", "--filter", "linked", "--json").splitlines()
        return [json.loads(row)["name"] for row in rows]

    def close(self):
        self.gateway.close()
        self.sim.close()
        self.home.cleanup()


LAYOUT = """
const cut = [...document.querySelectorAll('main *')].filter(it => it.scrollWidth > it.clientWidth + 1
  && it.clientWidth > 0 && getComputedStyle(it).display !== 'inline'
  && [...it.childNodes].some(child => child.nodeType === 3 && child.textContent.trim())).map(it => it.outerHTML.slice(0, 80));
const small = [...document.querySelectorAll('.button, main button, summary')]
  .filter(it => it.offsetParent && it.getBoundingClientRect().height < 44).map(it => it.textContent);
const outside = performance.getEntriesByType('resource').map(it => it.name).filter(it => !it.startsWith('data:'));
return { wide: document.documentElement.scrollWidth > innerWidth, cut, small, outside,
  scripts: document.scripts.length, styled: getComputedStyle(document.querySelector('main')).borderRadius };
"""

# Contrast of every text against what is behind it, as WCAG counts it.
CONTRAST = """
const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
const light = ([r, g, b]) => { const f = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
const behind = it => { for (let at = it; at; at = at.parentElement) {
  const colour = parse(getComputedStyle(at).backgroundColor); if (colour[3] === 1) return colour; } return [255, 255, 255, 1]; };
const faint = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) { const it = walk.currentNode.parentElement;
  if (!walk.currentNode.textContent.trim() || !it.offsetParent) continue;
  const [a, b] = [light(parse(getComputedStyle(it).color)), light(behind(it))];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) faint.push(`${walk.currentNode.textContent.trim()}: ${ratio.toFixed(2)}`); }
return faint;
"""


WRONG = []


def look(browser, name):
    """What holds for every page, and its picture. What is wrong is gathered: one run shows all of it."""
    layout = browser.run(LAYOUT)
    # A page of status 4xx is in the browser's console as such.
    complaints = [text for text in browser.complaints() if "Failed to load resource" not in text]
    for is_wrong, what in [
        (layout["wide"], "scrolls sideways"),
        (layout["cut"], f"is cut: {layout['cut']}"),
        (layout["small"], f"is too small for a thumb: {layout['small']}"),
        (layout["outside"] or layout["scripts"], f"loads or runs something: {layout}"),
        (layout["styled"] != "20px", "has no style: its policy refuses it"),
        (complaints, f"makes the browser complain: {complaints}"),
    ]:
        if is_wrong:
            WRONG.append(f"{name} {what}")
    faint = browser.run(CONTRAST)
    if faint:
        WRONG.append(f"{name} is too faint: {faint}")
    browser.picture(os.path.join(PICTURES, f"{name}.png"))
    print(f"  {name}", flush=True)


WORDS = {
    "en": {"linked": "You are linked", "unlinked": "You are not linked", "bye": "Signed out",
           "stranger": "You are not on the list of the team", "cookie": "Your browser kept no cookie",
           "guest": "Are you Ben Okafor?", "used": "This invitation was used already", "lang": "en"},
    "zh-CN": {"linked": "已关联", "unlinked": "尚未关联", "bye": "已退出登录", "stranger": "团队名单中没有找到你",
              "cookie": "浏览器没有保存 Cookie", "guest": "你是Ben Okafor吗？", "used": "邀请已使用过",
              "lang": "zh-CN"},
}


def journey(driver, place, size, lang, dark):
    """First visit, silent second visit, unlink, link again, sign out."""
    words = WORDS[lang]
    tag = f"{'phone' if size == PHONE else 'desk'}-{lang[:2]}-{'dark' if dark else 'light'}"
    who = "王伟" if lang == "zh-CN" else "Ann Lee"
    place.sits(who)
    browser = Browser(driver, *size, lang=lang, dark=dark)
    try:
        browser.open(place.page)
        browser.wait_text(words["linked"])
        assert urlsplit(browser.url()).path == urlsplit(place.page).path, browser.url()
        assert browser.run("return document.documentElement.lang") == words["lang"]
        assert who in place.linked()
        look(browser, f"linked-{tag}")

        # The platform would refuse a second login: a visit that asks it would not get through.
        place.control("sign_in", {"who": who, "refuses": True})
        before = {cookie["name"]: cookie["value"] for cookie in browser.cookies()}
        browser.open(place.page)
        browser.wait_text(words["linked"])
        after = {cookie["name"]: cookie for cookie in browser.cookies()}
        assert list(after) == ["larkdeck_session"], after
        session = after["larkdeck_session"]
        assert session["value"] != before["larkdeck_session"], "it rotates"
        assert session["httpOnly"] and session["sameSite"] == "Lax", session
        assert session["path"] == urlsplit(place.page).path, session
        assert browser.run("return document.cookie") == ""
        place.sits(who)

        for fold in browser.run("return document.querySelectorAll('details').length") * [None]:
            browser.run("document.querySelector('details:not([open])').open = true")
        look(browser, f"open-{tag}")
        browser.click("form[action=unlink] button")
        browser.wait_text(words["unlinked"])
        assert who not in place.linked()
        look(browser, f"unlinked-{tag}")
        browser.click("a.button")
        browser.wait_text(words["linked"])
        assert who in place.linked()
        browser.click("form[action=sign-out] button")
        browser.wait_text(words["bye"])
        assert browser.cookies() == []
        look(browser, f"bye-{tag}")
    finally:
        browser.close()
    place.run("unlink", who)


def others(driver, place, size, lang, dark):
    """Pages of what does not work, and an invitation."""
    words = WORDS[lang]
    tag = f"{'phone' if size == PHONE else 'desk'}-{lang[:2]}-{'dark' if dark else 'light'}"
    place.sits("Sofia Rossi")
    browser = Browser(driver, *size, lang=lang, dark=dark)
    try:
        browser.open(place.page)
        browser.wait_text(words["stranger"])
        look(browser, f"stranger-{tag}")
        place.sits("Ben Okafor")
        url = place.invitation("Ben Okafor")
        browser.open(url)
        browser.wait_text(words["guest"])
        look(browser, f"invitation-{tag}")
        browser.click("a.button")
        browser.wait_text(words["linked"])
        assert "Ben Okafor" in place.linked()
        browser.open(url)
        browser.wait_text(words["used"])
        look(browser, f"used-{tag}")
    finally:
        browser.close()
    place.run("unlink", "Ben Okafor")
    browser = Browser(driver, *size, lang=lang, dark=dark, cookies=False)
    try:
        browser.open(place.page)
        browser.wait_text(words["cookie"])
        look(browser, f"cookie-{tag}")
    finally:
        browser.close()


def side_by_side(driver, names, path):
    """The picture of the README: some pages beside each other, small."""
    browser = Browser(driver, 1600, 1000)
    try:
        browser.open("about:blank")
        for name in names:
            with open(os.path.join(PICTURES, f"{name}.png"), "rb") as file:
                data = base64.b64encode(file.read()).decode()
            browser.run(
                """document.body.style.cssText = 'margin: 0; display: flex; align-items: start; width: max-content';
                const it = document.createElement('img'); it.width = 300; it.src = 'data:image/png;base64,' + arguments[0];
                document.body.append(it);""",
                data,
            )
        browser.wait("pictures", lambda it: it.run("return [...document.images].every(it => it.complete && it.naturalWidth)"))
        size = browser.run("return [[...document.images].reduce((sum, it) => sum + it.width, 0), Math.min(...[...document.images].map(it => it.height))]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        taken = browser.devtools("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))
    finally:
        browser.close()


def main():
    os.makedirs(PICTURES, exist_ok=True)
    driver = Driver()
    place = Place()
    try:
        for size in (PHONE, DESK):
            for lang in ("en", "zh-CN"):
                for dark in (False, True):
                    journey(driver, place, size, lang, dark)
        others(driver, place, PHONE, "en", False)
        others(driver, place, DESK, "zh-CN", True)
        beside = ["linked-phone-en-light", "linked-phone-zh-dark", "invitation-phone-en-light"]
        side_by_side(driver, beside, os.path.join(PICTURES, "readme.png"))
    finally:
        place.close()
        driver.close()
    print(f"pictures: {PICTURES}")
    if WRONG:
        raise SystemExit("\n".join(WRONG))


main()
