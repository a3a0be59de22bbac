//! The simulator's HTTP side, called with a bare HTTP client.

mod sim;

use serde_json::{Value, json};
use sim::{Desk, form};

use larkdeck::sim::{Fault, FaultKind, Scenario};

#[tokio::test]
async fn tokens_are_the_same_while_they_last_and_bad_ones_are_told_apart() {
    let desk = Desk::still().await;
    let again = desk.token().await;
    assert_eq!(desk.token().await, again);
    let wrong = json!({"app_id": desk.access.app_id, "app_secret": "no"});
    let answer = desk.post_raw("/open-apis/auth/v3/tenant_access_token/internal", &wrong).await;
    assert_eq!(answer["code"], 10015);
    let unknown = json!({"app_id": "cli_0000000000000000", "app_secret": "no"});
    let answer = desk.post_raw("/open-apis/auth/v3/tenant_access_token/internal", &unknown).await;
    assert_eq!(answer["code"], 10014);
    for (authorization, code) in [
        ("", 99_991_661),
        ("Bearer x", 99_991_671),
        ("Bearer t-unknown", 99_991_663),
        ("Bearer u-x", 99_991_663),
    ] {
        let answer = desk
            .http
            .get(format!("{}/open-apis/im/v1/chats", desk.access.base_url))
            .header("authorization", authorization)
            .send()
            .await
            .unwrap();
        assert!(!answer.headers()["x-tt-logid"].is_empty());
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], code, "{authorization:?}");
    }
}

#[tokio::test]
async fn people_are_found_by_the_keys_that_the_platform_takes() {
    let desk = Desk::still().await;
    let body = json!({
        "emails": ["WANG.WEI@lumenpay.example", "nobody@ex.test"],
        "mobiles": ["13800000000", "+8613800000000", "+14150000002"],
    });
    let answer = desk.post("/open-apis/contact/v3/users/batch_get_id", &body).await;
    let list = answer["data"]["user_list"].as_array().unwrap();
    let wei = list[0]["user_id"].as_str().unwrap();
    assert!(list[1].get("user_id").is_none());
    assert_eq!(list[2]["user_id"], wei);
    assert_eq!(list[3], json!({"mobile": "+8613800000000"}));
    assert!(list[4]["user_id"].is_string(), "{list:?}");
    let many: Vec<String> = (0..51).map(|no| format!("{no}@ex.test")).collect();
    let answer = desk.post("/open-apis/contact/v3/users/batch_get_id", &json!({"emails": many})).await;
    assert_eq!(answer["code"], 99_992_402);
    let answer =
        desk.get(&format!("/open-apis/contact/v3/users/batch?user_ids={wei}&user_ids=ou_none")).await;
    assert_eq!(answer["data"]["items"].as_array().unwrap().len(), 1);
    assert_eq!(answer["data"]["items"][0]["name"], "王伟");
    assert!(answer["data"]["items"][0].get("email").is_none(), "no scope, no email");
    let month = desk.sim.control().counters();
    assert_eq!((month.month_counted, month.month_exempt), (0, 3), "contact and token calls cost nothing");
}

#[tokio::test]
async fn the_demo_hides_whom_the_real_one_would_hide() {
    let desk = Desk::start(Scenario { room: Vec::new(), ..Scenario::demo().unwrap() }).await;
    let roster = larkdeck::sim::demo::roster();
    let open: Vec<_> = roster.iter().filter(|member| member.linked.is_none()).collect();
    let emails: Vec<_> = open.iter().filter_map(|member| member.email.clone()).collect();
    let strip = |phone: &String| phone.strip_prefix("+86").unwrap_or(phone).to_owned();
    let mobiles: Vec<_> = open.iter().filter_map(|member| member.phone.as_ref().map(strip)).collect();
    let answer = desk
        .post("/open-apis/contact/v3/users/batch_get_id", &json!({"emails": emails, "mobiles": mobiles}))
        .await;
    let found = answer["data"]["user_list"].as_array().unwrap();
    let known = |key: &str, value: &str| {
        found.iter().any(|entry| entry[key] == value && entry.get("user_id").is_some())
    };
    let linkable = open.iter().filter(|member| {
        member.email.as_ref().is_some_and(|email| known("email", email))
            || member.phone.as_ref().is_some_and(|phone| known("mobile", &strip(phone)))
    });
    // 26, one whose keys find two people, and one whose account another member has.
    assert_eq!(linkable.count(), 28);
    let linked = roster.iter().find_map(|member| member.linked.clone()).unwrap();
    let answer = desk.get(&format!("/open-apis/contact/v3/users/{linked}")).await;
    assert_eq!(answer["data"]["user"]["name"], "王伟");
}

#[tokio::test]
async fn a_chat_is_opened_changed_and_disbanded() {
    let desk = Desk::still().await;
    let chats = desk.get("/open-apis/im/v1/chats?page_size=2").await;
    assert_eq!(chats["data"]["items"].as_array().unwrap().len(), 2);
    let token = chats["data"]["page_token"].as_str().unwrap();
    let rest = desk.get(&format!("/open-apis/im/v1/chats?page_size=2&page_token={token}")).await;
    assert_eq!(rest["data"]["has_more"], false);
    assert_eq!(rest["data"]["items"][0]["name"], "支付网关");

    let people = desk.people().await;
    let body = json!({"name": "Incident 42", "user_id_list": [people[0]]});
    let path = "/open-apis/im/v1/chats?uuid=u1";
    let chat = desk.post(path, &body).await["data"]["chat_id"].as_str().unwrap().to_owned();
    assert_eq!(desk.post(path, &body).await["data"]["chat_id"], chat.as_str(), "one chat for one uuid");
    let members = format!("/open-apis/im/v1/chats/{chat}/members");
    let unknown = json!({"id_list": [people[1], "ou_none"]});
    assert_eq!(desk.post(&members, &unknown).await["code"], 232_043);
    let answer = desk.post(&format!("{members}?succeed_type=1"), &unknown).await;
    assert_eq!(answer["data"]["not_existed_id_list"], json!(["ou_none"]));
    assert_eq!(desk.get(&members).await["data"]["member_total"], 2);
    let removed = desk.call("DELETE", &members, &json!({"id_list": [people[1]]})).await;
    assert_eq!(removed["data"]["invalid_id_list"], json!([]));
    let half = json!({"add_member_permission": "only_owner"});
    let chat_path = format!("/open-apis/im/v1/chats/{chat}");
    assert_eq!(desk.call("PUT", &chat_path, &half).await["code"], 232_001);
    assert_eq!(desk.call("PUT", &chat_path, &json!({"name": "renamed"})).await["code"], 0);
    let facts = desk.get(&chat_path).await;
    assert_eq!((&facts["data"]["name"], &facts["data"]["user_count"]), (&json!("renamed"), &json!("1")));
    assert!(desk.post(&format!("{chat_path}/link"), &json!({})).await["data"]["share_link"].is_string());
    assert_eq!(desk.call("DELETE", &chat_path, &Value::Null).await["code"], 0);
    assert_eq!(desk.get(&chat_path).await["data"]["chat_status"], "dissolved");
    assert_eq!(desk.send(&chat, "x").await["code"], 232_009);
    let foreign = desk.get("/open-apis/im/v1/chats/oc_none").await;
    assert_eq!(foreign["code"], 232_006);
}

#[tokio::test]
async fn history_comes_in_pages_by_the_second() {
    let desk = Desk::still().await;
    let chat = desk.chat("alpha").await;
    let control = desk.sim.control();
    let speech =
        |text: &str| larkdeck::sim::Speech { chat: chat.clone(), text: text.into(), ..Default::default() };
    let ids: Vec<String> = (0..45).map(|no| control.say(&speech(&no.to_string())).unwrap()).collect();
    let reply =
        larkdeck::sim::Speech { reply_to: Some(ids[0].clone()), in_thread: true, ..speech("in a thread") };
    let reply = control.say(&reply).unwrap();
    let list = format!("/open-apis/im/v1/messages?container_id_type=chat&container_id={chat}");
    for (order, first) in [("ByCreateTimeAsc", &ids[0]), ("ByCreateTimeDesc", &ids[44])] {
        let (mut seen, mut token): (Vec<String>, _) = (Vec::new(), String::new());
        loop {
            let page = desk.get(&format!("{list}&sort_type={order}&page_size=20&page_token={token}")).await;
            let items = page["data"]["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["message_id"].as_str().unwrap().to_owned()));
            if page["data"]["has_more"] == false {
                break;
            }
            token = page["data"]["page_token"].as_str().unwrap().to_owned();
            let other = if order == "ByCreateTimeAsc" { "ByCreateTimeDesc" } else { "ByCreateTimeAsc" };
            let mixed = desk.get(&format!("{list}&sort_type={other}&page_token={token}")).await;
            assert_eq!(mixed["code"], 230_001, "the order must stay the same");
        }
        assert_eq!(seen.len(), 45, "replies in threads are not listed");
        assert_eq!(&seen[0], first);
    }
    let now_s = control.now_ms() / 1000;
    let later = desk.get(&format!("{list}&start_time={}", now_s + 60)).await;
    assert_eq!(later["data"]["items"], json!([]));
    let in_ms = desk.get(&format!("{list}&start_time={}", now_s * 1000)).await;
    assert_eq!(in_ms["code"], 99_992_402, "seconds, not milliseconds");
    let message = desk.get(&format!("/open-apis/im/v1/messages/{reply}")).await;
    let thread = message["data"]["items"][0]["thread_id"].as_str().unwrap();
    let thread =
        desk.get(&format!("/open-apis/im/v1/messages?container_id_type=thread&container_id={thread}")).await;
    assert_eq!(thread["data"]["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn messages_are_sent_once_edited_and_recalled() {
    let desk = Desk::still().await;
    let chat = desk.chat("alpha").await;
    let sent = desk.send(&chat, "hello").await;
    let id = sent["data"]["message_id"].as_str().unwrap();
    let path = format!("/open-apis/im/v1/messages/{id}");
    let body = json!({"receive_id": chat, "msg_type": "text", "content": "{\"text\":\"x\"}", "uuid": "same"});
    let create = "/open-apis/im/v1/messages?receive_id_type=chat_id";
    let first = desk.post(create, &body).await;
    assert_eq!(desk.post(create, &body).await["data"]["message_id"], first["data"]["message_id"]);
    let edit = json!({"msg_type": "text", "content": "{\"text\":\"edited\"}"});
    assert_eq!(desk.call("PUT", &path, &edit).await["data"]["updated"], true);
    let thumb = json!({"reaction_type": {"emoji_type": "THUMBSUP"}});
    let reactions = format!("{path}/reactions");
    let reaction = desk.post(&reactions, &thumb).await;
    assert_eq!(desk.post(&reactions, &thumb).await["data"], reaction["data"]);
    assert_eq!(
        desk.post(&reactions, &json!({"reaction_type": {"emoji_type": "thumbsup"}})).await["code"],
        231_001
    );
    let id = reaction["data"]["reaction_id"].as_str().unwrap();
    assert_eq!(desk.call("DELETE", &format!("{reactions}/{id}"), &Value::Null).await["code"], 0);
    assert_eq!(desk.get(&reactions).await["data"]["items"], json!([]));
    assert_eq!(desk.call("DELETE", &path, &Value::Null).await["code"], 0);
    assert_eq!(desk.get(&path).await["code"], 230_110);
    let list =
        desk.get(&format!("/open-apis/im/v1/messages?container_id_type=chat&container_id={chat}")).await;
    assert_eq!(list["data"]["items"][0]["deleted"], true);
    for (content, code) in [("no json", 230_001), ("{}", 230_001), ("{\"text\":\"\"}", 230_001)] {
        let body = json!({"receive_id": chat, "msg_type": "text", "content": content});
        assert_eq!(desk.post(create, &body).await["code"], code, "{content}");
    }
    let wrong = json!({"receive_id": chat, "msg_type": "text"});
    assert_eq!(desk.post(create, &wrong).await["error"]["field_violations"][0]["field"], "content");
}

#[tokio::test]
async fn a_card_entity_obeys_its_sequence() {
    let desk = Desk::still().await;
    let chat = desk.chat("alpha").await;
    let card = json!({
        "schema": "2.0", "config": {"streaming_mode": true},
        "body": {"elements": [{"tag": "markdown", "element_id": "md", "content": ""}]},
    });
    let made = desk
        .post("/open-apis/cardkit/v1/cards", &json!({"type": "card_json", "data": card.to_string()}))
        .await;
    let card_id = made["data"]["card_id"].as_str().unwrap();
    let content = json!({"type": "card", "data": {"card_id": card_id}}).to_string();
    let body = json!({"receive_id": chat, "msg_type": "interactive", "content": content});
    let create = "/open-apis/im/v1/messages?receive_id_type=chat_id";
    let sent = desk.post(create, &body).await;
    assert_eq!(sent["code"], 0);
    assert_eq!(desk.post(create, &body).await["code"], 230_099, "an entity is sent once");
    let text = format!("/open-apis/cardkit/v1/cards/{card_id}/elements/md/content");
    for (sequence, code) in [(1, 0), (1, 300_317), (5, 0), (4, 300_317)] {
        let answer = desk.call("PUT", &text, &json!({"content": "growing", "sequence": sequence})).await;
        assert_eq!(answer["code"], code, "{sequence}");
    }
    let off = json!({"settings": "{\"config\":{\"streaming_mode\":false}}", "sequence": 6});
    assert_eq!(
        desk.call("PATCH", &format!("/open-apis/cardkit/v1/cards/{card_id}/settings"), &off).await["code"],
        0
    );
    let closed = desk.call("PUT", &text, &json!({"content": "more", "sequence": 7})).await;
    assert_eq!(closed["code"], 300_309);
    let id = sent["data"]["message_id"].as_str().unwrap();
    let read = desk.get(&format!("/open-apis/im/v1/messages/{id}")).await;
    assert!(read["data"]["items"][0]["body"]["content"].as_str().unwrap().contains("growing"));
    let original =
        desk.get(&format!("/open-apis/im/v1/messages/{id}?card_msg_content_type=user_card_content")).await;
    assert!(original["data"]["items"][0]["body"]["content"].as_str().unwrap().contains("element_id"));
}

#[tokio::test]
async fn files_go_up_and_come_down_through_their_message() {
    let desk = Desk::still().await;
    let chat = desk.chat("alpha").await;
    let (kind, body) = form(&[("file_type", "stream"), ("file_name", "日志.txt")], "file", b"line 1\n");
    let answer: Value = desk
        .request("POST", "/open-apis/im/v1/files")
        .header("content-type", kind)
        .body(body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let key = answer["data"]["file_key"].as_str().unwrap();
    let content = json!({"file_key": key}).to_string();
    let body = json!({"receive_id": chat, "msg_type": "file", "content": content});
    let sent = desk.post("/open-apis/im/v1/messages?receive_id_type=chat_id", &body).await;
    assert!(sent["data"]["body"]["content"].as_str().unwrap().contains("日志.txt"));
    let id = sent["data"]["message_id"].as_str().unwrap();
    let path = format!("/open-apis/im/v1/messages/{id}/resources/{key}");
    let file = desk.request("GET", &format!("{path}?type=file")).send().await.unwrap();
    assert_eq!(file.bytes().await.unwrap().as_ref(), b"line 1\n");
    assert_eq!(desk.get(&format!("{path}x?type=file")).await["code"], 234_003);
}

#[tokio::test]
async fn limits_scopes_and_the_month_refuse_with_their_own_codes() {
    let desk = Desk::still().await;
    let chat = desk.chat("alpha").await;
    let sends = futures_util::future::join_all((0..9).map(|_| desk.send(&chat, "x"))).await;
    let count = |code: i64| sends.iter().filter(|answer| answer["code"] == code).count();
    assert_eq!((count(0), count(230_020)), (5, 4), "{sends:?}");
    let burst = (0..70).map(|_| desk.request("GET", "/open-apis/bot/v3/info").send());
    let answers = futures_util::future::join_all(burst).await;
    let limited: Vec<_> =
        answers.into_iter().map(Result::unwrap).filter(|answer| answer.status() == 429).collect();
    assert!(limited.len() >= 20, "{}", limited.len());
    assert_eq!(limited[0].headers()["x-ogw-ratelimit-limit"], "50");
    assert_eq!(limited[0].headers()["x-ogw-ratelimit-reset"], "1");
    let counters = desk.sim.control().counters();
    let bot = counters.kinds.iter().find(|kind| kind.name == "bot.info").unwrap();
    assert_eq!(bot.calls, 70);
    assert!(counters.over >= 24);

    let desk = Desk::still().await;
    let control = desk.sim.control();
    control.set_scope("contact:user.id:readonly", false);
    let answer = desk.post("/open-apis/contact/v3/users/batch_get_id", &json!({"emails": ["a@b.c"]})).await;
    assert_eq!(answer["code"], 99_991_672);
    assert_eq!(answer["error"]["permission_violations"][0]["subject"], "contact:user.id:readonly");
    control.set_month(9_999, Some(10_000));
    assert_eq!(desk.get("/open-apis/im/v1/chats/oc_none").await["code"], 232_006);
    assert_eq!(desk.get("/open-apis/im/v1/chats").await["code"], 0, "a failed call costs nothing");
    let out = desk.request("GET", "/open-apis/im/v1/chats").send().await.unwrap();
    assert_eq!(out.status(), 429);
    assert_eq!(out.json::<Value>().await.unwrap()["code"], 99_991_403);
}

#[tokio::test]
async fn faults_strike_as_often_as_they_are_told_to() {
    let desk = Desk::still().await;
    let chat = desk.chat("alpha").await;
    let control = desk.sim.control();
    let path = "/open-apis/im/v1/chats";
    control.set_fault(Fault::on("im.chat.list", FaultKind::Html { status: 502 }).times(1));
    let page = desk.request("GET", path).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.text().await.unwrap().contains("<html>")), (502, true));
    control.set_fault(Fault::on("im.chat.*", FaultKind::HalfJson).times(1));
    let half = desk.request("GET", path).send().await.unwrap();
    assert!(half.json::<Value>().await.is_err());
    control.set_fault(Fault::on("*", FaultKind::CutAnswer).times(1));
    let cut = desk.request("GET", path).send().await.unwrap();
    assert!(cut.bytes().await.is_err());
    control.set_fault(Fault::on("*", FaultKind::Drop).times(1));
    assert!(desk.request("GET", path).send().await.is_err());
    control.set_fault(Fault::on("im.message.create", FaultKind::LoseAnswer).times(1));
    let body = json!({"receive_id": chat, "msg_type": "text", "content": "{\"text\":\"x\"}", "uuid": "lost"});
    let create = "/open-apis/im/v1/messages?receive_id_type=chat_id";
    assert!(desk.request("POST", create).body(body.to_string()).send().await.is_err());
    assert_eq!(desk.post(create, &body).await["code"], 0);
    assert_eq!(control.messages("alpha").len(), 1, "the lost answer's message was not sent twice");
    control.set_fault(Fault::on("im.chat.list", FaultKind::RevokeToken).times(1));
    assert_eq!(desk.get(path).await["code"], 99_991_663);
    control.clear_faults();
    assert_eq!(desk.request("GET", "/open-apis/nothing").send().await.unwrap().status(), 404);
}
