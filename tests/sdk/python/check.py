"""The official Python SDK, unchanged, against `larkdeck sim`: calls, then its long-connection client."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

import lark_oapi as lark
from lark_oapi.api.application.v6 import ListScopeRequest
from lark_oapi.api.contact.v3 import (
    BatchGetIdUserRequest,
    BatchGetIdUserRequestBody,
    BatchUserRequest,
    GetUserRequest,
)
from lark_oapi.api.im.v1 import (
    CreateMessageReactionRequest,
    CreateMessageReactionRequestBody,
    CreateMessageRequest,
    CreateMessageRequestBody,
    DeleteMessageReactionRequest,
    DeleteMessageRequest,
    Emoji,
    GetChatMembersRequest,
    GetChatRequest,
    GetMessageRequest,
    ListChatRequest,
    ListMessageReactionRequest,
    ListMessageRequest,
    PatchMessageRequest,
    PatchMessageRequestBody,
    ReplyMessageRequest,
    ReplyMessageRequestBody,
)
from lark_oapi.event.callback.model.p2_card_action_trigger import (
    P2CardActionTrigger,
    P2CardActionTriggerResponse,
)

CARD = {
    "schema": "2.0",
    "header": {"title": {"tag": "plain_text", "content": "Deploy?"}},
    "body": {
        "elements": [
            {"tag": "markdown", "element_id": "md", "content": "v418"},
            {
                "tag": "button",
                "name": "ok",
                "text": {"tag": "plain_text", "content": "Approve"},
                "behaviors": [{"type": "callback", "value": {"op": "approve"}}],
            },
        ]
    },
}


def good(response):
    assert response.success(), (response.code, response.msg, response.get_log_id())
    assert response.get_log_id(), "no log id"
    return getattr(response, "data", None)


def until(what, seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            print("ok", what, flush=True)
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def desk(base, path, body=None):
    data = json.dumps(body or {}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{base}/_sim/{path}", data=data)) as answer:
        return json.load(answer)


def calls(access):
    client = (
        lark.Client.builder()
        .app_id(access["app_id"])
        .app_secret(access["app_secret"])
        .domain(access["base_url"])
        .build()
    )
    chats = good(client.im.v1.chat.list(ListChatRequest.builder().page_size(50).build())).items
    assert len(chats) >= 3, chats
    chat_id = chats[0].chat_id
    chat = good(client.im.v1.chat.get(GetChatRequest.builder().chat_id(chat_id).build()))
    assert chat.chat_status == "normal" and int(chat.user_count) > 0
    members = good(client.im.v1.chat_members.get(GetChatMembersRequest.builder().chat_id(chat_id).build())).items
    user = good(client.contact.v3.user.get(GetUserRequest.builder().user_id(members[0].member_id).build())).user
    assert user.name == members[0].name
    people = good(
        client.contact.v3.user.batch(BatchUserRequest.builder().user_ids([m.member_id for m in members[:3]]).build())
    ).items
    assert len(people) == 3
    found = good(
        client.contact.v3.user.batch_get_id(
            BatchGetIdUserRequest.builder()
            .request_body(
                BatchGetIdUserRequestBody.builder().emails([user.email, "nobody@ex.test"]).mobiles(["13800000000"]).build()
            )
            .build()
        )
    ).user_list
    assert found[0].user_id == members[0].member_id and not found[1].user_id and found[2].user_id, found
    scopes = good(client.application.v6.scope.list(ListScopeRequest.builder().build())).scopes
    assert any(s.scope_name == "im:chat" and s.grant_status == 1 for s in scopes)
    print("ok token, contacts, chats, scopes", flush=True)

    body = CreateMessageRequestBody.builder().receive_id(chat_id).msg_type("text")
    body = body.content(json.dumps({"text": f'<at user_id="{members[0].member_id}">x</at> hello'})).uuid("py-1").build()
    send = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body).build()
    message = good(client.im.v1.message.create(send))
    assert message.mentions[0].key == "@_user_1" and message.mentions[0].id == members[0].member_id
    assert good(client.im.v1.message.create(send)).message_id == message.message_id
    reply = good(
        client.im.v1.message.reply(
            ReplyMessageRequest.builder()
            .message_id(message.message_id)
            .request_body(
                ReplyMessageRequestBody.builder()
                .msg_type("post")
                .content(json.dumps({"zh_cn": {"title": "t", "content": [[{"tag": "text", "text": "a"}]]}}))
                .reply_in_thread(True)
                .build()
            )
            .build()
        )
    )
    assert reply.thread_id and reply.root_id == message.message_id
    assert good(client.im.v1.message.get(GetMessageRequest.builder().message_id(reply.message_id).build())).items
    seen, token = [], None
    while True:
        page = ListMessageRequest.builder().container_id_type("chat").container_id(chat_id).page_size(20)
        page = page.page_token(token) if token else page
        data = good(client.im.v1.message.list(page.build()))
        seen += [item.message_id for item in data.items]
        token = data.page_token
        if not data.has_more:
            break
    assert message.message_id in seen and reply.message_id not in seen and len(set(seen)) == len(seen)
    thread = ListMessageRequest.builder().container_id_type("thread").container_id(reply.thread_id).build()
    assert [m.message_id for m in good(client.im.v1.message.list(thread)).items] == [
        message.message_id,
        reply.message_id,
    ]
    reaction = good(
        client.im.v1.message_reaction.create(
            CreateMessageReactionRequest.builder()
            .message_id(message.message_id)
            .request_body(
                CreateMessageReactionRequestBody.builder()
                .reaction_type(Emoji.builder().emoji_type("THUMBSUP").build())
                .build()
            )
            .build()
        )
    )
    listed = good(
        client.im.v1.message_reaction.list(ListMessageReactionRequest.builder().message_id(message.message_id).build())
    )
    assert reaction.reaction_id in [item.reaction_id for item in listed.items]
    good(
        client.im.v1.message_reaction.delete(
            DeleteMessageReactionRequest.builder()
            .message_id(message.message_id)
            .reaction_id(reaction.reaction_id)
            .build()
        )
    )
    body = CreateMessageRequestBody.builder().receive_id(chat_id).msg_type("interactive").content(json.dumps(CARD))
    card = good(
        client.im.v1.message.create(
            CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body.build()).build()
        )
    )
    good(
        client.im.v1.message.patch(
            PatchMessageRequest.builder()
            .message_id(card.message_id)
            .request_body(PatchMessageRequestBody.builder().content(json.dumps(CARD)).build())
            .build()
        )
    )
    good(client.im.v1.message.delete(DeleteMessageRequest.builder().message_id(reply.message_id).build()))
    bad = client.im.v1.message.get(GetMessageRequest.builder().message_id("om_none").build())
    assert bad.code == 230001 and not bad.success()
    print("ok messages, threads, cards, reactions", flush=True)
    return chat_id, card.message_id


def live(access, chat_id, card_id):
    base = access["base_url"]
    messages, pressed = [], []

    def on_card(event: P2CardActionTrigger) -> P2CardActionTriggerResponse:
        pressed.append(event.event)
        return P2CardActionTriggerResponse({"toast": {"type": "success", "content": "done"}})

    handler = (
        lark.EventDispatcherHandler.builder("", "")
        .register_p2_im_message_receive_v1(lambda event: messages.append(event.event.message))
        .register_p2_card_action_trigger(on_card)
        .register_p2_im_message_reaction_created_v1(lambda _: None)
        .register_p2_im_message_recalled_v1(lambda _: None)
        .build()
    )
    client = lark.ws.Client(
        access["app_id"],
        access["app_secret"],
        event_handler=handler,
        log_level=lark.LogLevel.ERROR,
        domain=base,
    )
    threading.Thread(target=client.start, daemon=True).start()
    until("a message of the living scenario", 10, lambda: messages)
    until("a fragmented message", 25, lambda: any(len(m.content) > 1500 for m in messages))
    long = "长" * 9000
    told = desk(base, "say", {"chat": chat_id, "text": long, "fragments": 7})["ok"]
    until(
        "a message in seven fragments",
        10,
        lambda: any(m.message_id == told and json.loads(m.content)["text"] == long for m in messages),
    )
    until("a card press of the living scenario", 25, lambda: pressed)
    answer = desk(base, "press", {"message_id": card_id})["ok"]
    assert answer["code"] == 200 and answer["answer"]["toast"]["content"] == "done", answer
    assert pressed[-1].action.value == {"op": "approve"} and pressed[-1].context.open_message_id == card_id
    print("ok the answer to a card press", flush=True)
    desk(base, "drop")
    before = len(messages)
    until("messages after a drop", 30, lambda: len(messages) > before)


def main():
    sim = subprocess.Popen([os.environ["LARKDECK_BIN"], "sim", "--seed", "7"], stdout=subprocess.PIPE, text=True)
    try:
        access = json.loads(sim.stdout.readline())
        live(access, *calls(access))
    finally:
        sim.terminate()
        code = sim.wait(5)
    assert code in (143, -15, 0), code
    print("python SDK: all well", flush=True)
    # The SDK's client keeps its loop for ever.
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
