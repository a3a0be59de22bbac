//! Images and files: up, down, and out of a message.

use bytes::Bytes;
use serde_json::json;

use super::{Call, Refusal, Reply, Spec, refuse};
use crate::sim::world::{Actor, Resource, World};

const UP: &[&str] = &["im:resource", "im:resource:upload"];
const OWN: &[&str] = &["im:resource"];
const READ: &[&str] = &["im:message", "im:message:readonly", "im:message.history:readonly"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("im.image.create", "POST", "im/v1/images", UP, put_image),
    Spec::new("im.image.get", "GET", "im/v1/images/:image_key", OWN, get),
    Spec::new("im.file.create", "POST", "im/v1/files", UP, put_file),
    Spec::new("im.file.get", "GET", "im/v1/files/:file_key", OWN, get),
    Spec::new(
        "im.message.resource",
        "GET",
        "im/v1/messages/:message_id/resources/:file_key",
        READ,
        of_message,
    ),
];

const IMAGE_BYTES: usize = 10 * 1024 * 1024;
const FILE_BYTES: usize = 30 * 1024 * 1024;

/// A part of a multipart form.
struct Part<'a> {
    name: &'a str,
    data: &'a [u8],
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}

/// The value of a parameter in a header such as `form-data; name="file"`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

fn parts<'a>(body: &'a [u8], content_type: &str) -> Vec<Part<'a>> {
    let Some(boundary) = parameter(content_type, "boundary") else { return Vec::new() };
    let mark = format!("--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(start) = find(rest, &mark) {
        let after = rest.get(start + mark.len()..).unwrap_or_default();
        let end = find(after, &mark).unwrap_or(after.len());
        let part = after.get(..end).unwrap_or_default();
        rest = after;
        let Some(split) = find(part, b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(part.get(..split).unwrap_or_default()).unwrap_or_default();
        let data = part.get(split + 4..).unwrap_or_default();
        let data = data.strip_suffix(b"\r\n").unwrap_or(data);
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition"));
        if let Some(name) = line.and_then(|line| parameter(line, "name")) {
            parts.push(Part { name, data });
        }
    }
    parts
}

fn text<'a>(parts: &[Part<'a>], name: &str) -> &'a str {
    let part = parts.iter().find(|part| part.name == name);
    part.and_then(|part| std::str::from_utf8(part.data).ok()).unwrap_or_default()
}

fn image_kind(data: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (b"\x89PNG", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"RIFF", "image/webp"),
        (b"BM", "image/bmp"),
        (b"II*\0", "image/tiff"),
        (b"\0\0\x01\0", "image/x-icon"),
    ];
    KINDS.iter().find(|(magic, _)| data.starts_with(magic)).map(|(_, kind)| *kind)
}

impl World {
    /// Keeps an image or a file; the answer is its key.
    pub(in crate::sim) fn keep_resource(&mut self, resource: Resource) -> String {
        let prefix = if resource.kind == "image" { "img_v3_02" } else { "file_v3_00" };
        let key = self.new_id(prefix);
        self.resources.insert(key.clone(), resource);
        key
    }
}

fn put_image(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 234_001)?;
    let parts = parts(&call.raw, &call.content_type);
    if !matches!(text(&parts, "image_type"), "message" | "avatar") {
        return Err(refuse(234_001));
    }
    let image = parts.iter().find(|part| part.name == "image").ok_or_else(|| refuse(234_001))?;
    match image.data.len() {
        0 => return Err(refuse(234_010)),
        size if size > IMAGE_BYTES => return Err(refuse(234_006)),
        _ => {}
    }
    let content_type = image_kind(image.data).ok_or_else(|| refuse(234_011))?;
    let key = world.keep_resource(Resource {
        owner: Actor::App(call.app),
        name: String::new(),
        kind: "image".to_owned(),
        content_type,
        data: Bytes::copy_from_slice(image.data),
        duration_ms: None,
    });
    Ok(Reply::Data(json!({"image_key": key})))
}

fn put_file(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 234_001)?;
    let parts = parts(&call.raw, &call.content_type);
    let kind = text(&parts, "file_type");
    let name = text(&parts, "file_name");
    if !matches!(kind, "opus" | "mp4" | "pdf" | "doc" | "xls" | "ppt" | "stream") || name.is_empty() {
        return Err(refuse(234_001));
    }
    let file = parts.iter().find(|part| part.name == "file").ok_or_else(|| refuse(234_001))?;
    match file.data.len() {
        0 => return Err(refuse(234_010)),
        size if size > FILE_BYTES => return Err(refuse(234_006)),
        _ => {}
    }
    let key = world.keep_resource(Resource {
        owner: Actor::App(call.app),
        name: name.to_owned(),
        kind: kind.to_owned(),
        content_type: "application/octet-stream",
        data: Bytes::copy_from_slice(file.data),
        duration_ms: text(&parts, "duration").parse().ok(),
    });
    Ok(Reply::Data(json!({"file_key": key})))
}

fn give(resource: &Resource) -> Reply {
    Reply::Bytes {
        content_type: resource.content_type,
        name: resource.name.clone(),
        data: resource.data.clone(),
    }
}

fn get(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let resource = world.resources.get(call.param(0)).ok_or_else(|| refuse(234_001))?;
    if resource.owner == Actor::App(call.app) { Ok(give(resource)) } else { Err(refuse(234_008)) }
}

fn of_message(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.message_of(call).map_err(|refusal| match refusal.code {
        230_001 => refuse(234_001),
        230_002 => refuse(234_004),
        _ => refusal,
    })?;
    let key = call.param(1);
    let message = world.messages.get(no).ok_or_else(|| refuse(234_001))?;
    if matches!(message.msg_type.as_str(), "interactive" | "sticker" | "merge_forward") {
        return Err(refuse(234_043));
    }
    let resource =
        world.resources.get(key).filter(|_| message.content.contains(key)).ok_or_else(|| refuse(234_003))?;
    match call.query("type") {
        "image" if resource.kind == "image" => Ok(give(resource)),
        "file" if resource.kind != "image" => Ok(give(resource)),
        _ => Err(refuse(234_001)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_taken_apart() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"image_type\"\r\n\r\nmessage\r\n--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\r\nxx\r\n--b--\r\n";
        let all = parts(body, "multipart/form-data; boundary=b");
        assert_eq!(text(&all, "image_type"), "message");
        assert_eq!(all[1].data, b"\x89PNG\r\n\r\nxx");
        assert!(parts(b"x", "multipart/form-data").is_empty());
        assert!(parts(b"--b", "multipart/form-data; boundary=b").is_empty());
    }
}
