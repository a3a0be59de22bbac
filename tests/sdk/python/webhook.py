"""The official Python SDK, unchanged, as receiver of what `larkdeck sim` pushes, and as client of its login."""

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lark_oapi as lark
from lark_oapi.api.authen.v1 import GetUserInfoRequest
from lark_oapi.api.im.v1 import CreateMessageRequest, CreateMessageRequestBody, ListChatRequest
from lark_oapi.core.exception import AccessTokenException
from lark_oapi.core.model import RawRequest
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTriggerResponse

CARD = {
    "schema": "2.0",
    "body": {
        "elements": [
            {
                "tag": "button",
                "name": "ok",
                "text": {"tag": "plain_text", "content": "Approve"},
                "behaviors": [{"type": "callback", "value": {"op": "approve"}}],
            }
        ]
    },
}
REDIRECT = "http://127.0.0.1:9/callback"


def until(what, seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            print("ok", what, flush=True)
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def desk(base, path, body):
    data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{base}/_sim/{path}", data=data)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read()) from error


def serve(doors):
    """A server that hands every POST to the SDK's handler of its path."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            raw = RawRequest()
            raw.uri = self.path
            raw.headers = dict(self.headers)
            raw.body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = doors[self.path].do(raw)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def client_of(access):
    return (
        lark.Client.builder()
        .app_id(access["app_id"])
        .app_secret(access["app_secret"])
        .domain(access["base_url"])
        .oauth_base_url(access["base_url"])
    )


def webhook(access, client):
    base = access["base_url"]
    messages, renamed, pressed, pressed_of_old = [], [], [], []

    def on_card(event):
        pressed.append(event.event)
        return P2CardActionTriggerResponse({"toast": {"type": "success", "content": "new"}})

    def on_old_card(card):
        pressed_of_old.append(card)
        return {"toast": {"type": "success", "content": "old"}}

    keys = (access["encrypt_key"], access["verification_token"])
    events = (
        lark.EventDispatcherHandler.builder(*keys)
        .register_p2_im_message_receive_v1(lambda event: messages.append(event.event.message))
        .register_p2_im_chat_updated_v1(lambda event: renamed.append(event.event))
        .register_p2_card_action_trigger(on_card)
        .build()
    )
    cards = lark.CardActionHandler.builder(*keys).register(on_old_card).build()
    here = serve({"/event": events, "/card": cards})

    # Setting the URLs succeeds only when both handlers answer their challenge.
    desk(base, "webhook", {"plan": {"mode": "webhook", "url": f"{here}/event"}})
    told = desk(base, "say", {"chat": "alpha", "text": "hello 你好 / \u2028"})["ok"]
    until("a message over the webhook", 10, lambda: any(m.message_id == told for m in messages))
    desk(base, "rename", {"chat": "alpha", "name": "renamed"})
    until("a change of a chat", 10, lambda: any(e.after_change.name == "renamed" for e in renamed))
    chat_id = client.im.v1.chat.list(ListChatRequest.builder().build()).data.items[0].chat_id
    body = CreateMessageRequestBody.builder().receive_id(chat_id).msg_type("interactive").content(json.dumps(CARD))
    send = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body.build()).build()
    card_id = client.im.v1.message.create(send).data.message_id
    seen = desk(base, "press", {"message_id": card_id})["ok"]
    assert (seen["code"], seen["error"], seen["toast"]["content"]) == (200, None, "new"), seen
    assert pressed[-1].token == seen["token"] and pressed[-1].action.value == {"op": "approve"}
    print("ok the new card callback", flush=True)

    desk(base, "webhook", {"plan": {"mode": "webhook", "event_url": f"{here}/event", "card_url": f"{here}/card"}})
    seen = desk(base, "press", {"message_id": card_id})["ok"]
    assert (seen["code"], seen["error"], seen["toast"]["content"]) == (200, None, "old"), seen
    assert pressed_of_old[-1].action.value == {"op": "approve"} and len(pressed) == 1
    print("ok the old card callback", flush=True)

    # Its complaint is what is wanted here, and need not be read.
    token = access["verification_token"]
    wrong = lark.EventDispatcherHandler.builder("another key", token, lark.LogLevel.CRITICAL).build()
    elsewhere = serve({"/event": wrong})
    try:
        desk(base, "webhook", {"plan": {"mode": "webhook", "url": f"{elsewhere}/event"}})
    except AssertionError as error:
        assert b"not verified" in error.args[0], error
    else:
        raise AssertionError("a handler with another key was verified")


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def code_of(access, **more):
    query = {"client_id": access["app_id"], "response_type": "code", "redirect_uri": REDIRECT, "state": "s"} | more
    url = f"{access['base_url']}/open-apis/authen/v1/authorize?{urllib.parse.urlencode(query)}"
    try:
        urllib.request.build_opener(Stay()).open(url)
    except urllib.error.HTTPError as answer:
        assert answer.code == 302, answer.read()
        return urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["code"][0]
    raise AssertionError("the page asks, although the request says who is there")


def login(access, client):
    desk(access["base_url"], "scope", {"scope": "offline_access"})
    code = code_of(access, sim_person="王伟", scope="offline_access")
    token = client.access_token.retrieve_by_authorization_code(code, redirect_uri=REDIRECT)
    assert token.refresh_token and token.expires_in == 7200, token
    option = lark.RequestOption.builder().user_access_token(token.access_token).build()
    person = client_of(access).enable_set_token(True).build()
    info = person.authen.v1.user_info.get(GetUserInfoRequest.builder().build(), option)
    assert info.success() and info.data.name == "王伟" and info.data.tenant_key, (info.code, info.msg)
    again = client.access_token.refresh(token.refresh_token)
    assert again.access_token != token.access_token
    try:
        client.access_token.retrieve_by_authorization_code(code, redirect_uri=REDIRECT)
    except AccessTokenException as error:
        assert "20065" in str(vars(error)), vars(error)
    else:
        raise AssertionError("a code was good for two tokens")
    print("ok login, user_info, refresh", flush=True)


def main():
    command = [os.environ["LARKDECK_BIN"], "sim", "--scenario", "still", "--seed", "7", "--redirect", REDIRECT]
    sim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        access = json.loads(sim.stdout.readline())
        webhook(access, client_of(access).build())
        login(access, client_of(access).build())
    finally:
        sim.terminate()
        sim.wait(5)
    print("python SDK, receiving: all well", flush=True)


if __name__ == "__main__":
    main()
