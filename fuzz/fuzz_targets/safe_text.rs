//! Text from outside: nothing that acts on a terminal is left, and cleaning twice changes nothing.

#![cfg_attr(fuzzing, no_main)]

use larkdeck::core::text::{SafeText, fit, width, wrap};

larkdeck_fuzz::target!("safe_text", work);

fn work(data: &[u8]) {
    let foreign = String::from_utf8_lossy(data);
    for (safe, may_break) in [(SafeText::line(&foreign), false), (SafeText::block(&foreign), true)] {
        let acts = |c: char| {
            (c.is_control() && !(may_break && c == '\n'))
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{2028}' | '\u{2029}')
        };
        assert!(!safe.as_str().contains(acts), "{safe:?}");
        assert_eq!(SafeText::block(safe.as_str()).as_str(), safe.as_str());
        for range in wrap(safe.as_str(), 20) {
            assert!(safe.as_str().get(range).is_some());
        }
    }
    let line = SafeText::line(&foreign);
    assert_eq!(width(&fit(line.as_str(), 20)), 20);
}
