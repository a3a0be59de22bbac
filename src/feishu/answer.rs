//! Answers of the platform, read with tolerance: unknown members are ignored, numbers may be texts and the
//! other way round, and what is absent is absent.

use std::{borrow::Cow, fmt, str::FromStr};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::core::time::Timestamp;

use super::{client::Page, endpoint::EndpointSpec, error::FeishuError};

/// A member that should be a text: strings as they are, numbers and booleans as text; null, arrays and
/// objects count as absent.
#[derive(Debug, Default, Clone)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, unless it is absent or empty.
    pub(super) fn filled(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }

    /// The text; empty where it is absent.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The text as a value of its own; absent where it is not a valid one.
    pub(super) fn parse<T: FromStr>(&self) -> Option<T> {
        self.filled()?.parse().ok()
    }

    /// The text as an instant in milliseconds or microseconds.
    pub(super) fn time(&self) -> Option<Timestamp> {
        Timestamp::parse_platform(self.filled()?).filter(|at| at.ms() > 0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }
    fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text))))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }
    fn visit_bool<E>(self, is: bool) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(if is { "true" } else { "false" }))))
    }
    fn visit_none<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Text<'de>, D::Error> {
        from.deserialize_any(Self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

/// [`Text`] that owns its text.
#[derive(Debug, Default, Clone)]
pub(super) struct Loose(Option<String>);

impl Loose {
    pub(super) fn text(self) -> String {
        self.0.unwrap_or_default()
    }

    pub(super) fn filled(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
    }

    pub(super) fn parse<T: FromStr>(&self) -> Option<T> {
        self.0.as_deref().filter(|text| !text.is_empty())?.parse().ok()
    }

    pub(super) fn int(&self) -> Option<i64> {
        self.0.as_deref()?.trim().parse().ok()
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        Timestamp::parse_platform(self.0.as_deref()?).filter(|at| at.ms() > 0)
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self.0.as_deref(), Some("true" | "1"))
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Text::deserialize(from).map(|text| Self(text.0.map(Cow::into_owned)))
    }
}

/// A page as the platform writes it. Its items stay raw until each is read for itself: one that cannot be
/// read must not hide the others.
#[derive(Deserialize)]
pub(super) struct ListWire {
    #[serde(default)]
    items: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    page_token: Loose,
    #[serde(default)]
    has_more: Loose,
}

impl ListWire {
    pub(super) fn page<W: DeserializeOwned, T>(self, read: impl Fn(W) -> Option<T>) -> Page<T> {
        let mut items = Vec::new();
        for raw in self.items.unwrap_or_default() {
            match serde_json::from_str(raw.get()).ok().and_then(&read) {
                Some(item) => items.push(item),
                None => tracing::warn!(bytes = raw.get().len(), "an item of a list cannot be read"),
            }
        }
        let page_token = self.page_token.filled();
        let has_more = self.has_more.is_true() && page_token.is_some();
        Page { items, page_token: page_token.filter(|_| has_more), has_more }
    }
}

/// The part of an answer that says whether it is success.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// 0 is success; `None` where the body has none.
    pub(super) code: Option<i64>,
    pub(super) message: String,
    pub(super) error: Value,
}

#[derive(Deserialize)]
struct HeadWire<'a> {
    #[serde(borrow, default)]
    code: Text<'a>,
    #[serde(borrow, default)]
    msg: Text<'a>,
    /// In place of `msg` where a token is asked for (RFC 6749).
    #[serde(borrow, default)]
    error_description: Text<'a>,
    #[serde(default)]
    error: Value,
}

impl Head {
    /// Reads the head of `body`; `None` when that is not a JSON object.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let wire: HeadWire<'_> = serde_json::from_slice(body).ok()?;
        Some(Self {
            code: wire.code.filled().and_then(|code| code.parse().ok()),
            message: wire.msg.filled().unwrap_or(wire.error_description.as_str()).to_owned(),
            error: wire.error,
        })
    }

    pub(super) fn log_id(&self) -> Option<String> {
        self.error.get("log_id").and_then(Value::as_str).and_then(clean_log_id)
    }

    /// The scopes of which any one would have been enough.
    pub(super) fn missing_scopes(&self) -> Vec<String> {
        let violations = self.error.get("permission_violations").and_then(Value::as_array);
        let subjects = violations.into_iter().flatten().filter_map(|v| v.get("subject")?.as_str());
        let mut scopes: Vec<String> = subjects.filter(|s| is_scope(s)).map(str::to_owned).collect();
        if scopes.is_empty() && matches!(self.code, Some(99_991_672 | 99_991_679)) {
            let list = self.message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            let names = list.map(|(list, _)| list.split(',')).into_iter().flatten();
            scopes = names.map(str::trim).filter(|s| is_scope(s)).map(str::to_owned).collect();
        }
        scopes.truncate(20);
        scopes
    }

    /// The fields that the platform complains of.
    pub(super) fn fields(&self) -> Vec<String> {
        let fields = self.error.get("field_violations").and_then(Value::as_array);
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let line = |violation: &Value| {
            let field = text(violation, "field")?;
            Some(match text(violation, "description") {
                Some(why) if !why.is_empty() => format!("{field}: {why}"),
                _ => field,
            })
        };
        fields.into_iter().flatten().filter_map(line).take(5).collect()
    }
}

/// Scope names end up in a link: nothing else may.
fn is_scope(text: &str) -> bool {
    text.len() <= 100
        && text.contains(':')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'_' | b'-'))
}

/// A log id fit for a line of text.
pub(super) fn clean_log_id(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| text.to_owned())
}

/// An answer that says success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) spec: &'static EndpointSpec,
    pub(super) host: String,
    pub(super) status: u16,
    pub(super) log_id: Option<String>,
    pub(super) body: Bytes,
}

#[derive(Deserialize)]
struct DataWire<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

impl Answer {
    /// What stands under `data`; an absent one reads as an empty object.
    pub(super) fn data<T: DeserializeOwned>(&self) -> Result<T, FeishuError> {
        let wire: DataWire<'_> = serde_json::from_slice(&self.body).map_err(|e| self.malformed(e))?;
        serde_json::from_str(wire.data.map_or("{}", RawValue::get)).map_err(|e| self.malformed(e))
    }

    /// What stands under `name`, for the few calls without `data`.
    pub(super) fn member<T: DeserializeOwned>(&self, name: &str) -> Result<T, FeishuError> {
        let mut body: Value = serde_json::from_slice(&self.body).map_err(|e| self.malformed(e))?;
        let member = body.get_mut(name).map(Value::take).unwrap_or_else(|| Value::Object(Default::default()));
        serde_json::from_value(member).map_err(|e| self.malformed(e))
    }

    /// The whole body, for the calls whose answer is flat.
    pub(super) fn flat<T: DeserializeOwned>(&self) -> Result<T, FeishuError> {
        serde_json::from_slice(&self.body).map_err(|e| self.malformed(e))
    }

    /// The error of an answer that says success and is of no use.
    pub(super) fn malformed(&self, reason: impl fmt::Display) -> FeishuError {
        FeishuError::NotPlatform {
            action: self.spec.action,
            host: self.host.clone(),
            status: self.status,
            reason: reason.to_string(),
            log_id: self.log_id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_from_the_violations_or_from_the_words() {
        let head = Head::read(
            br#"{"code":99991672,"msg":"Access denied. x","error":{"log_id":"20261101","permission_violations":[{"subject":"im:chat"},{"subject":"im:chat:readonly"},{"subject":"\u001b[2J:"}],"field_violations":[{"field":"a","description":"b"}]}}"#,
        )
        .unwrap();
        assert_eq!(head.missing_scopes(), ["im:chat", "im:chat:readonly"]);
        assert_eq!(head.log_id().as_deref(), Some("20261101"));
        assert_eq!(head.fields(), ["a: b"]);
        let head = Head::read(
            br#"{"code":"99991672","msg":"Access denied. One of the following scopes is required: [im:chat, im:chat:readonly]. x"}"#,
        )
        .unwrap();
        assert_eq!(head.missing_scopes(), ["im:chat", "im:chat:readonly"]);
    }

    #[test]
    fn loose_members_take_what_comes() {
        let read = |json: &str| serde_json::from_str::<Loose>(json).unwrap();
        assert_eq!(read("\"12\"").int(), Some(12));
        assert_eq!(read("12").int(), Some(12));
        assert_eq!(read("null").filled(), None);
        assert_eq!(read("[1,{\"a\":2}]").filled(), None);
        assert_eq!(read("{\"a\":[1]}").filled(), None);
        assert!(read("true").is_true() && read("1").is_true());
        assert_eq!(read("\"a\\u0041\"").text(), "aA");
    }

    #[test]
    fn an_item_that_cannot_be_read_hides_no_other() {
        let list: ListWire =
            serde_json::from_str(r#"{"items":[{"a":"1"},7,{"a":"2"}],"has_more":true,"page_token":"p"}"#)
                .unwrap();
        #[derive(Deserialize)]
        struct Item {
            a: Loose,
        }
        let page = list.page(|item: Item| item.a.int());
        assert_eq!((page.items, page.page_token.as_deref()), (vec![1, 2], Some("p")));
        let list: ListWire =
            serde_json::from_str(r#"{"items":null,"has_more":true,"page_token":""}"#).unwrap();
        assert!(!list.page(|item: Item| item.a.int()).has_more);
    }
}
