use proptest::prelude::*;

use super::*;

fn mentions() -> Vec<Mention> {
    let mention = |n: usize, name: &str| Mention {
        key: format!("@_user_{n}"),
        id: format!("ou_{n}"),
        name: name.into(),
    };
    vec![mention(1, "Ann"), mention(12, "李娜"), mention(3, "")]
}

fn names(id: &str) -> Option<String> {
    (id == "ou_3" || id == "oc_1").then(|| format!("name of {id}"))
}

fn en(msg_type: &str, content: &str) -> String {
    readable(msg_type, content, &mentions(), &names, Lang::En)
}

#[test]
fn mention_keys_become_names() {
    assert_eq!(
        en(
            "text",
            r#"{"text":"@_user_1 and @_user_12, @_user_3; @_user_123 @_all a@b <at user_id=\"ou_9\">Bob</at> <at id=ou_3></at> 1<2"}"#
        ),
        "@Ann and @李娜, @name of ou_3; @_user_123 @all a@b @Bob @name of ou_3 1<2"
    );
    assert_eq!(readable("text", r#"{"text":"@_all"}"#, &[], &names, Lang::Zh), "@所有人");
}

#[test]
fn a_name_is_not_read_for_keys_again() {
    let tricky = [
        Mention { key: "@_user_1".into(), id: "ou_1".into(), name: "@_user_2".into() },
        Mention { key: "@_user_2".into(), id: "ou_2".into(), name: "Eve".into() },
    ];
    assert_eq!(readable("text", r#"{"text":"@_user_1"}"#, &tricky, &names, Lang::En), "@@_user_2");
}

#[test]
fn posts_read_as_lines() {
    let content = r#"{"title":"Rollback","content":[[{"tag":"text","text":"see "},{"tag":"a","text":"graph","href":"https://g"},{"tag":"at","user_id":"@_user_1","user_name":"Ann"}],[],[{"tag":"img","image_key":"i"},{"tag":"emotion","emoji_type":"OK"}],[{"tag":"code_block","language":"GO","text":"a\nb"}],[{"tag":"hr"}],[{"tag":"later","text":"new"}]]}"#;
    assert_eq!(
        en("post", content),
        "Rollback\nsee graph (https://g)@Ann\n\n[image][OK]\n    a\n    b\n\n────────\nnew"
    );
    let sent = r#"{"zh_cn":{"title":"标题","content":[[{"tag":"md","text":"**b**"}]]},"en_us":{"title":"Title","content":[]}}"#;
    assert_eq!(en("post", sent), "Title");
    assert_eq!(readable("post", sent, &[], &names, Lang::Zh), "标题\nb");
}

#[test]
fn cards_read_in_each_of_their_forms() {
    let simple = r#"{"title":"Deploy?","elements":[[{"tag":"text","text":"to prod "},{"tag":"at","user_id":"ou_3"}],[{"tag":"button","text":"Yes"}]]}"#;
    assert_eq!(en("interactive", simple), "Deploy?\nto prod @name of ou_3\n[Yes]");
    let v1 = r#"{"header":{"title":{"tag":"plain_text","content":"T"}},"elements":[{"tag":"div","text":{"tag":"lark_md","content":"body"},"fields":[{"text":{"content":"f"}}]},{"tag":"action","actions":[{"tag":"button","text":{"content":"A"}},{"tag":"button","text":{"content":"B"}}]},{"tag":"note","elements":[{"tag":"plain_text","content":"n"}]}]}"#;
    assert_eq!(en("interactive", v1), "T\nbody\nf\n[A] [B]\nn");
    let v2 = r#"{"schema":"2.0","header":{"title":{"content":"T"}},"body":{"elements":[{"tag":"markdown","content":"**x** <at id=ou_3></at>"},{"tag":"column_set","columns":[{"tag":"column","elements":[{"tag":"markdown","content":"c1"}]}]},{"tag":"form","elements":[{"tag":"input","placeholder":{"content":"Note"}}]}]}}"#;
    assert_eq!(en("interactive", v2), "T\nx @name of ou_3\nc1\n[Note]");
    assert_eq!(en("interactive", r#"{"type":"card","data":{"card_id":"7"}}"#), "[card]");
}

#[test]
fn things_are_put_in_words() {
    assert_eq!(en("file", r#"{"file_key":"k","file_name":"a.txt"}"#), "[file] a.txt");
    assert_eq!(en("audio", r#"{"file_key":"k","duration":61500}"#), "[audio] 1:02");
    assert_eq!(
        en("media", r#"{"file_key":"k","file_name":"v.mp4","duration":"5000"}"#),
        "[video] v.mp4 0:05"
    );
    assert_eq!(en("share_chat", r#"{"chat_id":"oc_1"}"#), "[shared chat] name of oc_1");
    assert_eq!(en("share_user", r#"{"user_id":"ou_7"}"#), "[shared contact] ou_7");
    assert_eq!(en("merge_forward", "Merged and Forwarded Message"), "[forwarded messages]");
    assert_eq!(
        en(
            "system",
            r#"{"template":"{from_user} invited {to_chatters} {x}{","from_user":["Ann"],"to_chatters":["B","C"]}"#
        ),
        "Ann invited B, C {x}{"
    );
    assert_eq!(
        en("location", r#"{"name":"HQ","longitude":"1.5","latitude":"2.5"}"#),
        "[location] HQ (2.5, 1.5)"
    );
    assert_eq!(en("vote", r#"{"topic":"Lunch","options":["a","b"]}"#), "[vote] Lunch\n- a\n- b");
    assert_eq!(en("text", "This message was recalled"), "This message was recalled");
    assert_eq!(en("text", r#"{"text":"  "}"#), "[empty message]");
    assert_eq!(en("hologram", "{}"), "[unsupported message: hologram]");
    assert_eq!(readable("image", "{}", &[], &names, Lang::Zh), "[图片]");
}

#[test]
fn attachments_are_found() {
    let found = attachments(
        "post",
        r#"{"content":[[{"tag":"img","image_key":"i"}],[{"tag":"media","file_key":"f"}]]}"#,
    );
    assert_eq!(found.iter().map(|a| a.key.as_str()).collect::<Vec<_>>(), ["i", "f"]);
    let file = attachments("file", r#"{"file_key":"k","file_name":"a.txt"}"#);
    assert_eq!(file[0].name.as_deref(), Some("a.txt"));
    assert!(attachments("text", "nonsense").is_empty());
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!(
        "{}{}{}",
        r#"{"elements":["#,
        r#"{"tag":"form","elements":["#.repeat(50),
        "]}".repeat(50) + "]}"
    );
    assert_eq!(en("interactive", &deep), "[card]");
    let deeper = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(!en("interactive", &deeper).is_empty());
    let long = serde_json::json!({"text": "长".repeat(MAX_BYTES)}).to_string();
    assert!(en("text", &long).len() <= MAX_BYTES);
}

fn json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "text",
        "title",
        "content",
        "elements",
        "tag",
        "body",
        "header",
        "columns",
        "actions",
        "fields",
        "user_id",
        "zh_cn",
        "template",
        "from_user",
        "file_name",
        "duration",
        "topic",
        "options",
        "summary",
        "alt",
        "href",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "@_user_1",
            "<at id=",
            "<at user_id=\"x\">",
            "{from_user}",
            "a",
            "at",
            "button",
            "markdown",
            "hr"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_reads_as_something(
        value in json(),
        kind in prop::sample::select(vec!["text", "post", "interactive", "system", "vote", "todo", "media", "location", "x"]),
    ) {
        let content = value.to_string();
        prop_assert!(!en(kind, &content).is_empty());
        attachments(kind, &content);
    }

    #[test]
    fn any_text_reads_as_something(content in "\\PC*", kind in "[a-z_]{0,12}") {
        prop_assert!(!en(&kind, &content).is_empty());
    }
}
