//! Members of an event that are a text in one place and an object in another.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::Value;

/// A message's content: JSON text, kept as it is. Where an object stands instead, its JSON is kept.
#[derive(Default)]
pub(super) struct Content(pub(super) String);

/// An id that is an object of ids in events and a plain text in REST; either is taken.
#[derive(Default)]
pub(super) struct AnyId(pub(super) String);

/// Reads a text as it is, and hands anything else to `other`.
struct TextOr<F>(F);

impl<'de, F: FnOnce(Value) -> String> Visitor<'de> for TextOr<F> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_string<E>(self, text: String) -> Result<String, E> {
        Ok(text)
    }
    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }
    fn visit_bool<E>(self, is: bool) -> Result<String, E> {
        Ok((self.0)(is.into()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok((self.0)(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok((self.0)(number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok((self.0)(number.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<String, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(self.0)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(self.0)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOr(|other: Value| other.to_string())).map(Self)
    }
}

impl<'de> Deserialize<'de> for AnyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let best = |ids: Value| {
            let kinds = ["open_id", "app_id", "union_id", "user_id"];
            let mut known = kinds.iter().filter_map(|kind| ids.get(*kind)?.as_str());
            known.find(|id| !id.is_empty()).unwrap_or_default().to_owned()
        };
        from.deserialize_any(TextOr(best)).map(Self)
    }
}
