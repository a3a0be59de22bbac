//! Frames of the long connection: any bytes are a frame or an error, and what is a frame survives.

#![cfg_attr(fuzzing, no_main)]

use std::time::Instant;

use bytes::Bytes;
use larkdeck::feishu::socket::{AckReply, Assembler, frame::Frame};

larkdeck_fuzz::target!("frames", work);

fn work(data: &[u8]) {
    let Ok(frame) = Frame::read(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(Frame::read(frame.written()).as_ref(), Ok(&frame));
    let mut assembler = Assembler::default();
    for _ in 0..2 {
        assembler.take(&frame, Instant::now());
    }
    frame.into_ack(&AckReply::Ok, 1).written();
}
