//! Members of an event that are a text in one place and an object in another.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::Value;

use super::wire::Ids;

/// A message's content: JSON text, kept as it is. Where an object stands instead, its JSON is kept.
#[derive(Default)]
pub(super) struct Content(pub(super) String);

/// An id that is an object of ids in events and a plain text in REST; either is taken.
#[derive(Default)]
pub(super) struct AnyId(pub(super) String);

/// What to make of something that is no text.
trait Other {
    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<String, A::Error>;
    fn value(value: Value) -> String;
}

impl Other for Content {
    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<String, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(Self::value)
    }
    fn value(value: Value) -> String {
        value.to_string()
    }
}

impl Other for AnyId {
    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<String, A::Error> {
        Ids::deserialize(MapAccessDeserializer::new(map)).map(|ids| ids.best().to_owned())
    }
    fn value(_: Value) -> String {
        String::new()
    }
}

/// Reads a text as it is, and leaves anything else to `T`.
struct TextOr<T>(PhantomData<T>);

impl<'de, T: Other> Visitor<'de> for TextOr<T> {
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
        Ok(T::value(is.into()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(T::value(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(T::value(number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok(T::value(number.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<String, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(T::value)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
        T::object(map)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOr::<Self>(PhantomData)).map(Self)
    }
}

impl<'de> Deserialize<'de> for AnyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextOr::<Self>(PhantomData)).map(Self)
    }
}
