//! What is not the platform's, or not in order, is refused as early as it can be told.

use std::io::Write as _;

use serde_json::json;

use crate::{
    common::http,
    stand::{KEY, Request, Stand, message, pair},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_platforms_is_refused_and_counted() {
    let stand = Stand::new().await;
    let good = Request::event(KEY, &message(1));
    let refused = async |request: Request, status: u16, reason: &str| {
        let before = stand.refusals(reason).await;
        let answer = stand.send(&request).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str().unwrap()),
            (status, reason),
            "{request:?}"
        );
        assert_eq!(stand.refusals(reason).await, before + 1);
    };
    refused(Request::encrypted(KEY, &message(1)), 401, "signature_missing").await;
    refused(Request::encrypted(KEY, &message(1)).signed(&"0".repeat(64)), 401, "signature_wrong").await;
    refused(Request::event("another key", &message(1)), 401, "signature_wrong").await;
    refused(Request::encrypted("another key", &message(1)), 401, "undecipherable").await;
    refused(Request::clear(&message(1)), 401, "encryption").await;
    let mut foreign = message(1);
    foreign["header"]["token"] = json!("another");
    refused(Request::event(KEY, &foreign), 401, "token").await;
    for body in ["", "{", "\u{0}", "\"text\"", "{\"encrypt\":\"broken"] {
        refused(Request { body: body.into(), ..Request::clear(&json!({})) }, 400, "malformed").await;
    }
    for body in ["[]", "{}", "null", "{\"encrypt\":7}", "{\"encrypt\":\"\"}", "{\"encrypt\":\"AAAA\"}"] {
        let answer = stand.send(&Request { body: body.into(), ..Request::clear(&json!({})) }).await;
        assert!(matches!(answer.status, 400 | 401), "{body}: {answer:?}");
    }
    let card =
        json!({"open_id": "ou_1", "open_message_id": "om_1", "token": "c-1", "action": {"value": "ack"}});
    refused(Request::clear(&card), 401, "signature_missing").await;
    refused(Request::old_card("another", &card), 401, "signature_wrong").await;
    // Every single bit of the ciphertext's beginning, of the signature and of what is signed with it.
    for bit in (0..good.body.len().min(96) * 8).step_by(7) {
        let mut flipped = good.clone();
        flipped.body[bit / 8] ^= 1 << (bit % 8);
        let status = stand.send(&flipped).await.status;
        assert!(status == 401 || status == 400, "bit {bit}: {status}");
    }
    for header in 1..good.headers.len() {
        let mut flipped = good.clone();
        let value = &mut flipped.headers[header].1;
        let last = if value.pop().unwrap() == '0' { '1' } else { '0' };
        value.push(last);
        assert_eq!(stand.send(&flipped).await.status, 401);
    }
    assert!(stand.texts().await.is_empty(), "nothing of it was stored");
    assert_eq!(stand.send(&good).await.status, 200);
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_sizes_are_judged_before_the_body() {
    let stand = Stand::new().await;
    let good = Request::event(KEY, &message(1));
    let path = stand.path();
    let base = stand.base.clone();
    let id = stand.id.clone();
    tokio::task::spawn_blocking(move || {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = http::request(&base, method, &path, &[], b"");
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        }
        let status = |path: &str, headers: &[(&str, &str)]| {
            http::request(&base, "POST", path, headers, &good.body).status
        };
        assert_eq!(status(&path, &[("content-type", "text/plain")]), 415);
        assert_eq!(status(&path, &[("content-type", "application/x-www-form-urlencoded")]), 415);
        assert_eq!(status(&path, &[("content-type", "application/json"), ("content-encoding", "gzip")]), 415);
        for other in ["/i/nobody/event", "/i/%2e%2e/event", &format!("/i/{id}x/event")] {
            assert_eq!(status(other, &[("content-type", "application/json")]), 404, "{other}");
        }
        // By its head alone: the body is never sent.
        let head =
            http::head("POST", &path, &[("content-type", "application/json"), ("content-length", "1048577")]);
        let mut stream = http::connect(&base);
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(http::read(&mut stream).unwrap().status, 413);
        // Chunked, it is cut off when it is too much.
        let chunked = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
        let mut stream = http::connect(&base);
        stream.write_all(http::head("POST", &path, &chunked).as_bytes()).unwrap();
        let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        for _ in 0..17 {
            // Refused in the middle, the rest may not be taken any more.
            if stream.write_all(&piece).is_err() {
                break;
            }
        }
        assert_eq!(http::read(&mut stream).unwrap().status, 413);
        // Headers without end.
        let mut stream = http::connect(&base);
        _ = stream.write_all(format!("POST {path} HTTP/1.1\r\nx: {}", "y".repeat(64 * 1024)).as_bytes());
        assert!(http::read(&mut stream).is_none_or(|answer| answer.status == 431));
    })
    .await
    .unwrap();
    assert_eq!(stand.refusals("too_large").await, 2);
    assert!(stand.texts().await.is_empty());
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_chunked_and_truncated_bodies() {
    let stand = Stand::new().await;
    let path = stand.path();
    let base = stand.base.clone();
    let (one, two) = (Request::event(KEY, &message(1)), Request::event(KEY, &message(2)));
    tokio::task::spawn_blocking(move || {
        let headers = |request: &Request, more: &[(&str, &str)]| {
            let mut all: Vec<(String, String)> = request.headers.clone();
            all.extend(more.iter().map(|(name, value)| pair(name, value)));
            let all: Vec<(&str, &str)> =
                all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            http::head("POST", &path, &all)
        };
        // Byte by byte, two requests on one connection.
        let mut stream = http::connect(&base);
        for request in [&one, &two] {
            stream.write_all(headers(request, &[("transfer-encoding", "chunked")]).as_bytes()).unwrap();
            for piece in request.body.chunks(1) {
                stream.write_all(&[b"1\r\n", piece, b"\r\n"].concat()).unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
            assert_eq!(http::read(&mut stream).unwrap().status, 200);
        }
        // Half a body, and then nothing: refused in time, and other clients do not wait for it.
        let length = one.body.len().to_string();
        let mut slow = http::connect(&base);
        slow.write_all(headers(&one, &[("content-length", &length)]).as_bytes()).unwrap();
        slow.write_all(&one.body[..one.body.len() / 2]).unwrap();
        assert_eq!(http::get(&base, "/healthz").status, 200);
        assert_eq!(http::read(&mut slow).unwrap().status, 408);
        // Half a body, and then the end.
        let mut cut = http::connect(&base);
        cut.write_all(headers(&one, &[("content-length", &length)]).as_bytes()).unwrap();
        cut.write_all(&one.body[..one.body.len() / 2]).unwrap();
        cut.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(http::read(&mut cut).is_none_or(|answer| answer.status == 400));
        // Half a head, and then nothing.
        let mut head = http::connect(&base);
        head.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").unwrap();
        assert!(http::read(&mut head).is_none_or(|answer| answer.status == 408));
    })
    .await
    .unwrap();
    assert_eq!(stand.texts().await.len(), 2);
    assert_eq!(stand.refusals("too_slow").await, 1);
    stand.end().await;
}
