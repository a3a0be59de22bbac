//! Cards: what others read of them, what can be pressed, and changes by element.

use serde_json::{Map, Value, json};

/// A button that calls back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Button {
    /// Exactly as the behaviour has it: object or string.
    pub(super) value: Value,
    /// Name of the component.
    pub(super) name: String,
    /// Fields of the form around it: names of its inputs.
    pub(super) form_fields: Option<Vec<String>>,
}

/// The elements of a card, 1.0 or 2.0.
pub(super) fn elements(card: &Value) -> &[Value] {
    let list = card.pointer("/body/elements").or_else(|| card.get("elements"));
    list.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn elements_mut(card: &mut Value) -> Option<&mut Vec<Value>> {
    let key = if card.pointer("/body/elements").is_some() { "/body/elements" } else { "/elements" };
    card.pointer_mut(key).and_then(Value::as_array_mut)
}

/// What a reader gets instead of the card: `{"title","elements":[[…]]}`.
pub(super) fn simplified(card: &Value) -> Value {
    let title = card.pointer("/header/title/content").and_then(Value::as_str).unwrap_or_default();
    let mut lines = Vec::new();
    for element in elements(card) {
        let mut line = Vec::new();
        read_element(element, &mut line);
        if !line.is_empty() {
            lines.push(Value::Array(line));
        }
    }
    json!({"title": title, "elements": lines})
}

fn text_of(value: Option<&Value>) -> Option<&str> {
    let value = value?;
    value.as_str().or_else(|| value.get("content").and_then(Value::as_str)).filter(|text| !text.is_empty())
}

fn read_element(element: &Value, line: &mut Vec<Value>) {
    match element.get("tag").and_then(Value::as_str).unwrap_or_default() {
        "markdown" | "plain_text" | "lark_md" => {
            if let Some(text) = text_of(element.get("content")) {
                line.push(json!({"tag": "text", "text": text}));
            }
        }
        "div" => {
            if let Some(text) = text_of(element.get("text")) {
                line.push(json!({"tag": "text", "text": text}));
            }
            for field in element.get("fields").and_then(Value::as_array).into_iter().flatten() {
                if let Some(text) = text_of(field.get("text")) {
                    line.push(json!({"tag": "text", "text": text}));
                }
            }
        }
        "hr" => line.push(json!({"tag": "hr"})),
        "img" => line.push(json!({"tag": "img", "image_key": element.get("img_key")})),
        "button" => {
            let text = text_of(element.get("text")).unwrap_or_default();
            let kind = element.get("type").and_then(Value::as_str).unwrap_or("default");
            line.push(json!({"tag": "button", "text": text, "type": kind}));
        }
        _ => children(element).for_each(|child| read_element(child, line)),
    }
}

fn children(element: &Value) -> impl Iterator<Item = &Value> {
    ["elements", "columns", "actions"]
        .into_iter()
        .filter_map(|key| element.get(key).and_then(Value::as_array))
        .flatten()
}

/// All components of the card, those inside others too.
pub(super) fn count(card: &Value) -> usize {
    fn below(element: &Value) -> usize {
        1 + children(element).map(below).sum::<usize>()
    }
    elements(card).iter().map(below).sum()
}

/// The buttons that call back, in reading order.
pub(super) fn buttons(card: &Value) -> Vec<Button> {
    fn read(element: &Value, form: Option<&Vec<String>>, found: &mut Vec<Button>) {
        let tag = element.get("tag").and_then(Value::as_str).unwrap_or_default();
        let name = element.get("name").and_then(Value::as_str).unwrap_or_default();
        if tag == "button" {
            let callback = element
                .get("behaviors")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .find(|it| it.get("type").and_then(Value::as_str) == Some("callback"))
                .map(|it| it.get("value").cloned().unwrap_or_default());
            // Cards of the first version carry the value at the button itself.
            if let Some(value) = callback.or_else(|| element.get("value").cloned()) {
                found.push(Button { value, name: name.to_owned(), form_fields: form.cloned() });
            }
        }
        let fields = (tag == "form").then(|| {
            children(element)
                .filter(|child| child.get("tag").and_then(Value::as_str) != Some("button"))
                .filter_map(|child| child.get("name").and_then(Value::as_str).map(str::to_owned))
                .collect()
        });
        for child in children(element) {
            read(child, fields.as_ref().or(form), found);
        }
    }
    let mut found = Vec::new();
    elements(card).iter().for_each(|element| read(element, None, &mut found));
    found
}

/// Whether a form has a field without a name: clients refuse to send it.
pub(super) fn has_nameless_field(card: &Value) -> bool {
    fn below(element: &Value, is_in_form: bool) -> bool {
        let tag = element.get("tag").and_then(Value::as_str).unwrap_or_default();
        let is_field = matches!(tag, "input" | "checker" | "date_picker" | "picker_time" | "picker_datetime")
            || tag.starts_with("select_")
            || tag.starts_with("multi_select_");
        let is_named = element.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
        (is_in_form && is_field && !is_named)
            || children(element).any(|child| below(child, is_in_form || tag == "form"))
    }
    elements(card).iter().any(|element| below(element, false))
}

/// Whether streaming is switched on in the card's configuration.
pub(super) fn is_streaming(card: &Value) -> bool {
    card.pointer("/config/streaming_mode").and_then(Value::as_bool).unwrap_or(false)
}

/// Calls `act` with the list that holds the element `id` and its place there.
fn with_element<R>(
    list: &mut Vec<Value>,
    id: &str,
    act: &mut dyn FnMut(&mut Vec<Value>, usize) -> R,
) -> Option<R> {
    let here = list.iter().position(|it| it.get("element_id").and_then(Value::as_str) == Some(id));
    if let Some(at) = here {
        return Some(act(list, at));
    }
    for element in list {
        for key in ["elements", "columns", "actions"] {
            if let Some(inner) = element.get_mut(key).and_then(Value::as_array_mut)
                && let Some(result) = with_element(inner, id, act)
            {
                return Some(result);
            }
        }
    }
    None
}

/// The element `id`.
pub(super) fn element<'a>(card: &'a Value, id: &str) -> Option<&'a Value> {
    fn find<'a>(element: &'a Value, id: &str) -> Option<&'a Value> {
        if element.get("element_id").and_then(Value::as_str) == Some(id) {
            return Some(element);
        }
        children(element).find_map(|child| find(child, id))
    }
    elements(card).iter().find_map(|element| find(element, id))
}

/// Replaces the element `id` by none, one or several. False where it is not there.
pub(super) fn replace(card: &mut Value, id: &str, by: Vec<Value>) -> bool {
    let mut by = Some(by);
    elements_mut(card)
        .and_then(|list| {
            with_element(list, id, &mut |list, at| {
                list.splice(at..=at, by.take().unwrap_or_default());
            })
        })
        .is_some()
}

/// Puts elements before or after the element `id`, or, without one, at the end.
pub(super) fn insert(card: &mut Value, id: Option<&str>, is_after: bool, new: Vec<Value>) -> bool {
    let Some(list) = elements_mut(card) else { return false };
    let Some(id) = id else {
        list.extend(new);
        return true;
    };
    let mut new = Some(new);
    with_element(list, id, &mut |list, at| {
        let at = if is_after { at + 1 } else { at };
        list.splice(at..at, new.take().unwrap_or_default());
    })
    .is_some()
}

/// Lays `change` over `target`, objects member by member.
pub(super) fn merge(target: &mut Value, change: &Value) {
    if let (Value::Object(target), Value::Object(change)) = (&mut *target, change) {
        for (key, value) in change {
            merge(target.entry(key.clone()).or_insert(Value::Object(Map::new())), value);
        }
        return;
    }
    target.clone_from(change);
}

/// Whether an element_id stands twice.
pub(super) fn has_twins(card: &Value) -> bool {
    fn read<'a>(element: &'a Value, seen: &mut Vec<&'a str>) -> bool {
        if let Some(id) = element.get("element_id").and_then(Value::as_str) {
            if seen.contains(&id) {
                return true;
            }
            seen.push(id);
        }
        children(element).any(|child| read(child, seen))
    }
    let mut seen = Vec::new();
    elements(card).iter().any(|element| read(element, &mut seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Value {
        json!({
            "schema": "2.0",
            "config": {"streaming_mode": true},
            "header": {"title": {"tag": "plain_text", "content": "Deploy?"}},
            "body": {"elements": [
                {"tag": "markdown", "element_id": "md_1", "content": "hello"},
                {"tag": "column_set", "columns": [{"tag": "column", "elements": [
                    {"tag": "button", "name": "ok", "element_id": "b", "text": {"tag": "plain_text", "content": "Approve"},
                     "behaviors": [{"type": "callback", "value": {"op": "approve"}}]}]}]},
                {"tag": "form", "name": "f", "elements": [
                    {"tag": "input", "name": "note"},
                    {"tag": "button", "name": "go", "text": {"tag": "plain_text", "content": "Go"},
                     "behaviors": [{"type": "callback", "value": "go"}]}]},
            ]},
        })
    }

    #[test]
    fn a_card_is_read_as_text() {
        let read = simplified(&card());
        assert_eq!(read["title"], "Deploy?");
        assert_eq!(read["elements"][0][0]["text"], "hello");
        assert_eq!(read["elements"][1][0]["text"], "Approve");
        assert_eq!(count(&card()), 7);
    }

    #[test]
    fn buttons_keep_their_values_and_forms() {
        let found = buttons(&card());
        assert_eq!(found[0].value, json!({"op": "approve"}));
        assert_eq!(found[1].value, json!("go"));
        assert_eq!(found[1].form_fields, Some(vec!["note".to_owned()]));
    }

    #[test]
    fn elements_change_in_place() {
        let mut it = card();
        assert!(insert(&mut it, Some("b"), true, vec![json!({"tag": "hr", "element_id": "h"})]));
        assert!(element(&it, "h").is_some());
        assert!(replace(&mut it, "h", Vec::new()));
        assert!(element(&it, "h").is_none());
        assert!(!replace(&mut it, "none", Vec::new()));
        merge(&mut it, &json!({"config": {"streaming_mode": false}}));
        assert!(!is_streaming(&it));
        assert!(!has_twins(&it));
        assert!(insert(&mut it, None, true, vec![json!({"tag": "hr", "element_id": "b"})]));
        assert!(has_twins(&it));
    }
}
