//! What hangs on a message and could be fetched.

use serde_json::{Map, Value};

use super::{localized, text_of, whole};
use crate::core::lang::Lang;

/// What kind of thing hangs on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttachmentKind {
    /// A picture.
    Image,
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A voice message.
    Audio,
    /// A video.
    Video,
    /// A sticker; the platform does not let it be fetched.
    Sticker,
}

/// Something that hangs on a message and could be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// The platform's key of it. Foreign text.
    pub key: String,
    /// The file's name, where it has one. Foreign text.
    pub name: Option<String>,
    /// Length of a sound or video, milliseconds.
    pub duration_ms: Option<u64>,
}
/// What hangs on a message of type `msg_type` with the platform's `content`.
pub fn attachments(msg_type: &str, content: &str) -> Vec<Attachment> {
    let Ok(Value::Object(body)) = serde_json::from_str(content) else { return Vec::new() };
    let kind = match msg_type {
        "image" => AttachmentKind::Image,
        "file" => AttachmentKind::File,
        "folder" => AttachmentKind::Folder,
        "audio" => AttachmentKind::Audio,
        "media" => AttachmentKind::Video,
        "sticker" => AttachmentKind::Sticker,
        "post" => return post_attachments(&body),
        _ => return Vec::new(),
    };
    attachment(kind, &body).into_iter().collect()
}

fn attachment(kind: AttachmentKind, body: &Map<String, Value>) -> Option<Attachment> {
    let key = if kind == AttachmentKind::Image { "image_key" } else { "file_key" };
    let key = text_of(body, key).filter(|key| !key.is_empty())?;
    let duration_ms = body.get("duration").and_then(whole);
    Some(Attachment {
        kind,
        key: key.to_owned(),
        name: text_of(body, "file_name").filter(|name| !name.is_empty()).map(str::to_owned),
        duration_ms,
    })
}

fn post_attachments(body: &Map<String, Value>) -> Vec<Attachment> {
    let paragraphs = localized(body, Lang::En).get("content").and_then(Value::as_array);
    let tags = paragraphs.into_iter().flatten().filter_map(Value::as_array).flatten();
    let read = |tag: &Value| {
        let tag = tag.as_object()?;
        match text_of(tag, "tag")? {
            "img" => attachment(AttachmentKind::Image, tag),
            "media" => attachment(AttachmentKind::Video, tag),
            "file" => attachment(AttachmentKind::File, tag),
            _ => None,
        }
    };
    tags.filter_map(read).collect()
}
