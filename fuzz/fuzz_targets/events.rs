//! Bodies of the Message Card Request URL and payloads of the long connection, and what a person reads of
//! the messages in them.

#![cfg_attr(fuzzing, no_main)]

use larkdeck::{
    core::{
        lang::Lang,
        readable::{attachments, readable},
        secret::Secret,
    },
    feishu::event::{Event, EventKeys, Signed, parse},
};

larkdeck_fuzz::target!("events", work);

fn work(data: &[u8]) {
    let keys = EventKeys::new(Some(Secret::new("key")), Some(Secret::new("vtok")));
    let signed = Signed { timestamp: "1700000001", nonce: "n", signature: "" };
    let _ = keys.open(signed, data);
    let _ = EventKeys::new(None, None).open(Signed::default(), data);
    if let Ok(incoming) = parse(data)
        && let Event::Message { message, .. } = incoming.event
    {
        read(&message.msg_type, &message.content);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        for kind in ["text", "post", "interactive", "system"] {
            read(kind, text);
        }
    }
}

fn read(kind: &str, content: &str) {
    assert!(!readable(kind, content, &[], &|_| None, Lang::Zh).is_empty());
    attachments(kind, content);
}
