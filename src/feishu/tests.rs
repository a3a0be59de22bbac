//! The transport against a small server on loopback.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    testkit::{ASK, Answer, Notes, Server, answer, client, ok},
    *,
};
use crate::core::{
    error::{Kind, Problem},
    ids::{ChatId, OpenId},
    permit::{LimitScope, MonthClass, Outcome, Target},
};

const CHAT: &str = "im.chat.get";

fn chat_id() -> ChatId {
    "oc_1".parse().unwrap()
}

fn text(uuid: Option<&str>) -> SendMessage {
    SendMessage {
        receive_id: "oc_1".into(),
        receive_id_type: ReceiverKind::ChatId,
        msg_type: "text".into(),
        content: r#"{"text":"hi"}"#.into(),
        uuid: uuid.map(str::to_owned),
    }
}

#[tokio::test]
async fn calls_carry_the_token_and_settle_their_permit() {
    let server = Server::start([ok(r#"{"code":0,"data":{"chat_id":"oc_1","name":"N","user_count":"12","chat_status":"dissolved_save","tenant_key":"tk"}}"#)]).await;
    let notes = Arc::new(Notes::default());
    let client = server.client(&notes);
    let chat = client.chat(ASK, &chat_id()).await.unwrap();
    assert_eq!((chat.name.as_str(), chat.user_count, chat.chat_status.is_disbanded()), ("N", Some(12), true));
    assert_eq!(server.lines(), ["GET /open-apis/im/v1/chats/oc_1?user_id_type=open_id"]);
    let headers = server.seen.lock().unwrap()[0].headers.clone();
    assert_eq!(headers["authorization"], "Bearer t-1");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("larkdeck/"));
    assert_eq!(notes.outcomes(CHAT), [Outcome::Done]);
    assert_eq!(notes.outcomes("auth.tenant_token"), [Outcome::Done]);
    assert_eq!(notes.granted.lock().unwrap()[0].month, MonthClass::Exempt);
}

#[tokio::test]
async fn many_callers_fetch_one_token() {
    let server = Server::start([ok(r#"{"code":0,"data":{}}"#)]).await;
    let notes = Arc::new(Notes::default());
    let client = server.client(&notes);
    let calls = (0..20).map(|_| client.granted_scopes(ASK));
    for result in futures_util::future::join_all(calls).await {
        assert!(result.unwrap().is_empty());
    }
    assert_eq!(*server.tokens.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_replaced_once() {
    for code in [99_991_663, 99_991_664, 99_991_671] {
        let refused = format!(r#"{{"code":{code},"msg":"Invalid access token"}}"#);
        let server = Server::start([answer(400, &refused), ok(r#"{"code":0,"data":{}}"#)]).await;
        let notes = Arc::new(Notes::default());
        server.client(&notes).granted_scopes(ASK).await.unwrap();
        assert_eq!(*server.tokens.lock().unwrap(), 2);
        assert_eq!(server.seen.lock().unwrap()[1].headers["authorization"], "Bearer t-2");
        assert_eq!(notes.outcomes("application.scope.list"), [Outcome::Failed, Outcome::Done]);
    }
    let server = Server::start([answer(400, r#"{"code":99991663,"msg":"x"}"#)]).await;
    let error = server.client(&Arc::default()).granted_scopes(ASK).await.unwrap_err();
    assert_eq!((error.kind(), server.lines().len()), (Kind::Auth, 2));
}

#[tokio::test(start_paused = true)]
async fn too_fast_waits_as_told_and_takes_another_permit() {
    let limited = Answer {
        headers: vec![("x-ogw-ratelimit-reset", "7".into())],
        ..answer(429, r#"{"code":99991400,"msg":"request trigger frequency limit"}"#)
    };
    let server = Server::start([limited, ok(r#"{"code":0,"data":{}}"#)]).await;
    let notes = Arc::new(Notes::default());
    let started = tokio::time::Instant::now();
    server.client(&notes).granted_scopes(ASK).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(7));
    let wait = Duration::from_secs(7);
    let expected = [Outcome::Limited { scope: LimitScope::Endpoint, wait }, Outcome::Done];
    assert_eq!(notes.outcomes("application.scope.list"), expected);
}

#[tokio::test]
async fn impatience_ends_a_pause_before_it_begins() {
    let limited = Answer {
        headers: vec![("x-ogw-ratelimit-reset", "60".into())],
        ..answer(400, r#"{"code":99991400,"msg":"limit"}"#)
    };
    let server = Server::start([limited]).await;
    let ask = ASK.within(Duration::from_secs(5));
    let error = server.client(&Arc::default()).granted_scopes(ask).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::RateLimited { retry_at: Some(_) }), "{error}");
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receivers_limit_is_the_receivers() {
    let server = Server::start([
        answer(400, r#"{"code":230020,"msg":"frequency limit"}"#),
        ok(r#"{"code":0,"data":{"message_id":"om_1","create_time":"1700000000000","msg_type":"text","body":{"content":"x"},"sender":{"id":"cli_a","sender_type":"app"}}}"#),
    ])
    .await;
    let notes = Arc::new(Notes::default());
    let message = server.client(&notes).send(ASK, text(Some("u1"))).await.unwrap();
    assert_eq!((message.chat_id, message.message_id.as_str()), (chat_id(), "om_1"));
    assert!(matches!(
        notes.outcomes("im.message.create")[0],
        Outcome::Limited { scope: LimitScope::Target, .. }
    ));
    let granted = notes.granted.lock().unwrap();
    assert!(granted[1].is_send && granted[1].target == Some(Target::Receiver("oc_1".into())));
    let bodies: Vec<_> = server.seen.lock().unwrap().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies[0], bodies[1], "a retry has the same uuid");
    assert!(bodies[0].contains(r#""uuid":"u1""#));
}

#[tokio::test]
async fn the_months_end_stops_at_once() {
    let server = Server::start([answer(429, r#"{"code":99991403,"msg":"quota"}"#)]).await;
    let notes = Arc::new(Notes::default());
    let error = server.client(&notes).chat(ASK, &chat_id()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::QuotaExhausted, Some(99_991_403)));
    assert_eq!(notes.outcomes(CHAT), [Outcome::MonthExhausted]);
}

#[tokio::test]
async fn a_refusal_says_everything() {
    let refused = Answer {
        headers: vec![("X-Tt-Logid", "20261101AAAA".into())],
        ..answer(
            400,
            r#"{"code":99991672,"msg":"Access denied.","error":{"log_id":"other","permission_violations":[{"subject":"im:chat"}]}}"#,
        )
    };
    let server = Server::start([refused]).await;
    let error = server.client(&Arc::default()).chat(ASK, &chat_id()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.log_id()),
        (Kind::Permission, Some(99_991_672), Some("20261101AAAA"))
    );
    assert_eq!(error.missing_scopes(), ["im:chat"]);
    assert!(error.hint().unwrap().contains(&format!("{}/page/scope-apply", server.base_url)));
    // A business error may come as HTTP 200.
    let server = Server::start([ok(r#"{"code":232006,"msg":"bad chat"}"#)]).await;
    let notes = Arc::new(Notes::default());
    let error = server.client(&notes).chat(ASK, &chat_id()).await.unwrap_err();
    assert_eq!((error.kind(), notes.outcomes(CHAT)), (Kind::NotFound, vec![Outcome::Done]));
}

#[tokio::test]
async fn what_is_no_answer_is_said_to_be_none() {
    for (status, body, words) in [
        (200, "<html>Welcome to the hotel</html>", "a web page"),
        (200, r#"{"code":0,"data":{"chat"#, "its JSON is broken"),
        (200, "", "empty"),
        (200, "\u{1}\u{2}nonsense", "not JSON"),
        (200, r#"{"hello":1}"#, "no code"),
        (302, "", "sends us elsewhere"),
        (404, "<html>", "a web page"),
        (200, r#"{"code":0,"data":"x"}"#, "not an answer"),
    ] {
        let server = Server::start([answer(status, body)]).await;
        let error = server.client(&Arc::default()).chat(ASK, &chat_id()).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((error.kind(), server.lines().len()), (Kind::Remote, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_is_retried_only_where_that_is_safe() {
    let server = Server::start([answer(502, "<html>bad gateway")]).await;
    let notes = Arc::new(Notes::default());
    let error = server.client(&notes).chat(ASK, &chat_id()).await.unwrap_err();
    assert_eq!((error.kind(), server.lines().len()), (Kind::Offline, 4));
    assert_eq!(notes.outcomes(CHAT), [Outcome::Failed; 4]);

    let server = Server::start([answer(500, r#"{"code":1500,"msg":"internal"}"#)]).await;
    let error = server.client(&notes).send(ASK, text(None)).await.unwrap_err();
    assert_eq!(server.lines().len(), 1, "without a uuid it may be there twice");
    assert!(error.may_have_happened());
    let error = server.client(&notes).send(ASK, text(Some("u"))).await.unwrap_err();
    assert_eq!((error.kind(), server.lines().len()), (Kind::Offline, 5));
}

#[tokio::test]
async fn no_answer_is_unknown_and_nobody_is_refused() {
    let hangs = || Answer { hangs: true, ..ok("") };
    let server = Server::start([hangs(), hangs()]).await;
    let timeouts = Timeouts { connect: Duration::from_secs(5), answer: Duration::from_millis(100) };
    let network = Network::from_vars(|_| None, timeouts).unwrap();
    let notes = Arc::new(Notes::default());
    let client_of = |url: &str| client(url, &notes, &network);
    let error = client_of(&server.base_url).send(ASK, text(None)).await.unwrap_err();
    assert!(error.may_have_happened() && error.kind() == Kind::Offline, "{error}");
    assert_eq!(notes.outcomes("im.message.create"), [Outcome::Unknown]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ask = ASK.within(Duration::ZERO);
    let error = client_of(&nobody).chat(ask, &chat_id()).await.unwrap_err();
    assert!(!error.may_have_happened() && error.kind() == Kind::Offline, "{error}");
    assert!(notes.outcomes(CHAT).is_empty(), "no permit is taken for a host that is not there");
}

#[tokio::test]
async fn stale_permits_are_thrown_away() {
    let server = Server::start([ok(r#"{"code":0,"data":{"chat_id":"oc_1"}}"#)]).await;
    let notes = Arc::new(Notes::default());
    let client = server.client(&notes);
    client.granted_scopes(ASK).await.unwrap();
    *notes.stale.lock().unwrap() = 3;
    client.chat(ASK, &chat_id()).await.unwrap();
    let expected = [Outcome::Unused, Outcome::Unused, Outcome::Unused, Outcome::Done];
    assert_eq!(notes.outcomes(CHAT), expected);
}

#[tokio::test]
async fn a_call_given_up_half_way_settles_its_permit() {
    let server = Server::start([Answer { hangs: true, ..ok("") }]).await;
    let notes = Arc::new(Notes::default());
    let client = server.client(&notes);
    let id = chat_id();
    let mut call = Box::pin(client.chat(ASK, &id));
    while server.lines().is_empty() {
        tokio::select! {
            _ = &mut call => panic!("no answer can come"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(call);
    while notes.outcomes(CHAT).is_empty() {
        notes.told.notified().await;
    }
    assert_eq!(notes.outcomes(CHAT), [Outcome::Unknown]);
}

#[tokio::test]
async fn phones_change_at_the_border_only() {
    let server = Server::start([ok(
        r#"{"code":0,"data":{"user_list":[{"user_id":"ou_2","mobile":"13000000000"},{"email":"a@ex.test"}]}}"#,
    )])
    .await;
    let client = server.client(&Arc::default());
    let found = client.batch_get_id(ASK, &["a@ex.test".into()], &["+8613000000000".into()]).await.unwrap();
    assert_eq!(found[0].open_id, None);
    assert_eq!(found[1].key, LookupKey::Mobile("+8613000000000".into()));
    assert_eq!(found[1].open_id, Some("ou_2".parse::<OpenId>().unwrap()));
    let body = server.seen.lock().unwrap()[0].body.clone();
    assert!(body.contains(r#""mobiles":["13000000000"]"#), "{body}");
    let many = vec!["x".to_owned(); 51];
    assert!(client.batch_get_id(ASK, &many, &[]).await.is_err());
}

#[tokio::test]
async fn listings_ask_and_page() {
    let server = Server::start([ok(
        r#"{"code":0,"data":{"has_more":true,"page_token":"p 2","items":[{"message_id":"om_1","create_time":"1","deleted":true}]}}"#,
    )])
    .await;
    let client = server.client(&Arc::default());
    let mut listing = Listing::new(Container::Chat(chat_id()), Order::Ascending);
    listing.start_s = Some(1_700_000_000);
    listing.page_token = Some("a+b".into());
    let page = client.messages(ASK, listing).await.unwrap();
    assert_eq!((page.items.len(), page.page_token.as_deref()), (1, Some("p 2")));
    assert_eq!(
        server.lines(),
        [
            "GET /open-apis/im/v1/messages?container_id_type=chat&container_id=oc_1&sort_type=ByCreateTimeAsc&page_size=50&start_time=1700000000&page_token=a%2Bb"
        ]
    );
    let ids: Vec<OpenId> = vec!["ou_1".parse().unwrap(), "ou_2".parse().unwrap()];
    client.users(ASK, &ids).await.unwrap();
    assert!(server.lines()[1].ends_with("?user_id_type=open_id&user_ids=ou_1&user_ids=ou_2"));
}

/// A proxy that lets one connection through, and what it was asked.
async fn proxy_once(to: Option<String>) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(from.read_u8().await.unwrap());
        }
        match to {
            Some(to) => {
                let mut to = TcpStream::connect(to).await.unwrap();
                from.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            }
            None => from.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.unwrap(),
        }
        String::from_utf8(head).unwrap()
    });
    (address, task)
}

fn behind(proxy: &str) -> Network {
    let value = format!("http://user:p%40ss@{proxy}");
    Network::from_vars(
        |name| name.to_ascii_lowercase().ends_with("s_proxy").then(|| value.clone()),
        Timeouts::default(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let (proxy, task) = proxy_once(None).await;
    let notes = Arc::new(Notes::default());
    let client = client("https://open.feishu.cn", &notes, &behind(&proxy));
    let error = client.bot_info(ASK.within(Duration::ZERO)).await.unwrap_err();
    assert!(error.to_string().contains(&proxy) && error.to_string().contains("407"), "{error}");
    let asked = task.await.unwrap();
    assert!(asked.starts_with("CONNECT open.feishu.cn:443 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"), "{asked}");
    assert!(notes.settled.lock().unwrap().is_empty());
}

#[tokio::test]
async fn plain_requests_go_to_the_proxy_whole() {
    let proxy =
        Server::start([ok(r#"{"code":0,"bot":{"open_id":"ou_b","app_name":"Ops","activate_status":2}}"#)])
            .await;
    let address = proxy.base_url.strip_prefix("http://").unwrap();
    let value = format!("http://u:p@{address}");
    let network =
        Network::from_vars(|name| (name == "HTTP_PROXY").then(|| value.clone()), Timeouts::default())
            .unwrap();
    let client = client("http://platform.test:8080", &Arc::<Notes>::default(), &network);
    let bot = client.bot_info(ASK).await.unwrap();
    assert_eq!((bot.app_name.as_str(), bot.activate_status), ("Ops", 2));
    assert_eq!(proxy.lines(), ["GET http://platform.test:8080/open-apis/bot/v3/info"]);
    assert_eq!(proxy.seen.lock().unwrap()[0].headers["proxy-authorization"], "Basic dTpw");
    assert_eq!(proxy.seen.lock().unwrap()[0].headers["host"], "platform.test:8080");
}

#[tokio::test]
async fn a_wrong_secret_is_about_the_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(|| async { r#"{"code":10003,"msg":"invalid param"}"# });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let error =
        client(&base_url, &Arc::<Notes>::default(), &Network::direct()).bot_info(ASK).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Auth, Some(10_003)));
    assert!(!format!("{error:?}").contains("s3cret"));
    assert!(client_fails("ftp://x") && client_fails("nonsense"));
}

fn client_fails(base_url: &str) -> bool {
    let app = crate::core::integration::AppCredentials {
        key: crate::core::ids::AppKey { base_url: base_url.into(), app_id: "cli_1".parse().unwrap() },
        app_secret: crate::core::secret::Secret::new("x"),
        encrypt_key: None,
        verification_token: None,
    };
    Client::new(app, Arc::new(Notes::default()), &Network::direct(), Arc::new(crate::core::time::SystemClock))
        .is_err()
}

#[tokio::test]
async fn the_ledger_hears_when_a_request_left() {
    let server = Server::start([ok(r#"{"code":0,"data":{"chat_id":"oc_1"}}"#)]).await;
    let notes = Arc::new(Notes::default());
    let before = std::time::Instant::now();
    let client = server.client(&notes);
    for _ in 0..2 {
        client.chat(ASK, &chat_id()).await.unwrap();
    }
    let left: Vec<_> = notes.left.lock().unwrap().iter().map(|at| at.unwrap()).collect();
    assert_eq!(left.len(), 3, "the token and two calls");
    assert!(before <= left[0] && left.is_sorted() && left[1] < left[2], "each has an instant of its own");
}
