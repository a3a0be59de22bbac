//! What an event costs: by webhook (verify, decrypt, parse) beside the bare ciphers, and by the long
//! connection (frame to event and ack).
//!
//! `cargo bench --bench feishu`; figures only, nothing is asserted.

use std::{
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use larkdeck::{
    core::secret::Secret,
    feishu::{
        event::{
            EventKeys, Signed,
            crypto::{CipherKey, event_signature},
            parse,
        },
        socket::{
            AckReply, Assembled, Assembler,
            frame::{DATA, Frame, Header},
        },
    },
};

const KEY: &str = "bench_encrypt_key_0001";
const TOKEN: &str = "bench_token_0001";

fn message(number: u64) -> String {
    format!(
        r#"{{"schema":"2.0","header":{{"event_id":"e{number:031}","event_type":"im.message.receive_v1","create_time":"1700000000123","token":"{TOKEN}","app_id":"cli_a000000000000001","tenant_key":"tk0000000000test"}},"event":{{"sender":{{"sender_id":{{"union_id":"on_00000000000000000000000000000001","user_id":"u0000001","open_id":"ou_00000000000000000000000000000001"}},"sender_type":"user","tenant_key":"tk0000000000test"}},"message":{{"message_id":"om_{number:032}","create_time":"1700000000000","update_time":"1700000000000","chat_id":"oc_00000000000000000000000000000001","chat_type":"group","message_type":"text","content":"{{\"text\":\"@_user_1 rolling back pay-gw, 网关 p99 到 4.2 s 了\"}}","mentions":[{{"key":"@_user_1","id":{{"union_id":"on_00000000000000000000000000000009","open_id":"ou_00000000000000000000000000000009"}},"mentioned_type":"user","name":"Ann","tenant_key":"tk0000000000test"}}]}}}}}}"#
    )
}

/// Runs `work` for about `budget` of this process's own CPU time and gives the CPU time of one: what else
/// runs on the machine does not count.
fn time_of(budget: Duration, mut work: impl FnMut(usize)) -> Duration {
    for round in 0..2000 {
        work(round);
    }
    let start = cpu_time();
    let mut rounds = 0_u32;
    while cpu_time().saturating_sub(start) < budget {
        for _ in 0..1000 {
            work(usize::try_from(rounds).unwrap_or_default());
            rounds += 1;
        }
    }
    cpu_time().saturating_sub(start) / rounds.max(1)
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.try_into().unwrap_or_default()
}

fn main() {
    let budget = Duration::from_millis(800);
    let cipher = CipherKey::new(KEY);
    let iv = *b"0123456789abcdef";
    let plains: Vec<String> = (0..64).map(message).collect();
    let bodies: Vec<String> = plains
        .iter()
        .map(|plain| format!(r#"{{"encrypt":"{}"}}"#, cipher.encrypt(plain.as_bytes(), &iv)))
        .collect();
    let signatures: Vec<String> =
        bodies.iter().map(|body| event_signature("1700000001", "nonce", KEY, body.as_bytes())).collect();
    let sealed: Vec<&str> = bodies
        .iter()
        .map(|body| body.trim_start_matches(r#"{"encrypt":""#).trim_end_matches(r#""}"#))
        .collect();
    let keys = EventKeys::new(Some(Secret::new(KEY)), Some(Secret::new(TOKEN)));

    let floor = time_of(budget, |round| {
        let at = round % bodies.len();
        if let (Some(body), Some(sealed)) = (bodies.get(at), sealed.get(at)) {
            black_box(event_signature("1700000001", "nonce", KEY, body.as_bytes()));
            black_box(cipher.decrypt(sealed).is_ok());
        }
    });
    let full = time_of(budget, |round| {
        let at = round % bodies.len();
        if let (Some(body), Some(signature)) = (bodies.get(at), signatures.get(at)) {
            let signed = Signed { timestamp: "1700000001", nonce: "nonce", signature };
            black_box(keys.open(signed, body.as_bytes()).is_ok());
        }
    });
    let frames: Vec<Bytes> = plains.iter().map(|plain| data_frame(plain)).collect();
    let mut assembler = Assembler::default();
    let socket = time_of(budget, |round| {
        let Some(bytes) = frames.get(round % frames.len()) else { return };
        let Ok(frame) = Frame::read(bytes.clone()) else { return };
        if let Assembled::Whole(payload) = assembler.take(&frame, Instant::now()) {
            black_box(parse(&payload).is_ok());
        }
        black_box(frame.into_ack(&AckReply::Ok, 0).written());
    });

    let per_second = |time: Duration| 1.0 / time.as_secs_f64();
    let mut out = std::io::stdout().lock();
    let size = plains.first().map_or(0, String::len);
    // A bench whose reader has gone has nobody to tell.
    let _ = writeln!(out, "event of {size} bytes, one core, CPU time");
    let _ = writeln!(
        out,
        "  bare SHA-256 + AES-256-CBC    {:>9.0} /s   the floor of this run",
        per_second(floor)
    );
    let _ = writeln!(
        out,
        "  verify + decrypt + parse      {:>9.0} /s   {:.0} % of the floor; goal 200,000",
        per_second(full),
        100.0 * floor.as_secs_f64() / full.as_secs_f64()
    );
    let _ = writeln!(out, "  frame to event and ack        {:>9.2} us   goal 5", socket.as_secs_f64() * 1e6);
}

fn data_frame(payload: &str) -> Bytes {
    let headers = [
        ("timestamp", "1700000000123"),
        ("type", "event"),
        ("message_id", "m-0001"),
        ("sum", "1"),
        ("seq", "0"),
        ("trace_id", "t0000000000000001"),
    ];
    let frame = Frame {
        seq_id: 7,
        log_id: 9_007_199_254_740_993,
        service: 33_554_678,
        method: DATA,
        headers: headers.iter().map(|(key, value)| Header::new(key, *value)).collect(),
        payload: Some(Bytes::copy_from_slice(payload.as_bytes())),
        ..Frame::default()
    };
    frame.written()
}
