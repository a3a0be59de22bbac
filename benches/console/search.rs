//! Search over 100,000 members: the answer alone, and from the key to the frame that shows it.

use std::time::{Duration, Instant};

use super::{
    bed::{Bed, WIDE, people},
    deck,
    report::{self, line, ms, p50_p99, share},
};
use larkdeck::{
    core::member::Filter,
    service::{Access, KeyOrigin, MemberQuery, Opening},
};

const MEMBERS: usize = 100_000;
/// Typed one character at a time.
const TYPED: [&str; 8] =
    ["wang", "kowalski", "anna petrov", "e", "9999", "zhang9", "liang.moreau12345", "tanaka grace"];

pub fn run() {
    report::head("search over 100,000 \"name <email>\"");
    let bed = Bed::full(MEMBERS, 1_000);
    let texts: Vec<String> =
        people(MEMBERS).map(|(name, email)| format!("{name} <{email}>").to_lowercase()).collect();
    let queries: Vec<&str> =
        TYPED.iter().flat_map(|typed| (1..=typed.len()).map(|end| &typed[..end])).collect();
    let (floor, hits): (Vec<Duration>, Vec<usize>) = queries.iter().map(|query| plain(&texts, query)).unzip();
    let floor = format!("{:.1} ms (scan)", ms(share(&floor, 50)));

    let took = answers(&bed, &queries, &hits);
    let figure = format!("{:.2} / {:.2} ms", ms(share(&took, 50)), ms(share(&took, 100)));
    line("a query, median / worst", &figure, "<= 4 / 8 ms", &floor);

    let mut terminal = bed.console_in_room(WIDE);
    terminal.type_keys("2");
    terminal.wait_text("100,000");
    terminal.type_keys("/");
    terminal.settle(Duration::from_millis(500));
    let mut took = Vec::new();
    let mut hits = hits.into_iter();
    for typed in TYPED {
        for (at, key) in typed.char_indices() {
            terminal.pass(Duration::from_millis(45));
            let place = format!("of {}", grouped(hits.next().unwrap()));
            let field = format!("search: {}", &typed[..=at]);
            // The field shows the key, and the list what it found.
            let is_complete = |text: &str| {
                text.contains(field.trim_end())
                    && (text.lines().any(|line| line.trim_end().ends_with(&place))
                        || text.contains("Nobody by that"))
            };
            let began = Instant::now();
            terminal.type_keys(key.encode_utf8(&mut [0; 4]));
            took.push(terminal.wait(&field, is_complete).saturating_duration_since(began));
        }
        terminal.type_keys("\u{15}");
        terminal.settle(Duration::from_millis(300));
    }
    line("key to complete frame, p50 / p99", &p50_p99(&took), "<= 8 / 16 ms", "");
    terminal.leave("\u{3}");
}

/// Looks at every text, as the simplest program would.
pub fn plain(texts: &[String], query: &str) -> (Duration, usize) {
    let began = Instant::now();
    let words: Vec<&str> = query.split_whitespace().collect();
    let hits = texts.iter().filter(|text| words.iter().all(|word| text.contains(word))).count();
    (began.elapsed(), hits)
}

pub fn answers(bed: &Bed, queries: &[&str], hits: &[usize]) -> Vec<Duration> {
    let opening = Opening {
        store_url: bed.store_url(),
        store_password: None,
        key: KeyOrigin::File(bed.path("config/larkdeck/key")),
        access: Access::ReadOnly,
        ..deck::opening(&bed.path("data"), "bench")
    };
    bed.runtime.block_on(async {
        let deck = opening.open().await.unwrap();
        let integration = deck.choose_integration(None).await.unwrap().integration.id;
        deck.warm_search(&integration).await.unwrap();
        let mut took = Vec::new();
        for (query, hits) in queries.iter().zip(hits) {
            let query =
                MemberQuery { filter: Filter::All, search: (*query).to_owned(), offset: 0, limit: 120 };
            let began = Instant::now();
            let page = deck.members(Some(&integration), query).await.unwrap();
            took.push(began.elapsed());
            assert_eq!(page.total, u64::try_from(*hits).unwrap());
        }
        deck.shut().await;
        took
    })
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
