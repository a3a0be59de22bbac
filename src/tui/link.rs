//! Hyperlinks (OSC 8): cells that lead to an address.
//!
//! A cell carries a short mark of its address in its underline colour, which nothing else uses; the addresses
//! themselves are kept beside the frame. So cells that lead elsewhere differ, scroll and are compared like any
//! others, and a link that is broken over two lines is one to the terminal.

use std::collections::BTreeMap;

use ratatui::style::Color;
use url::Url;

/// Terminals take no longer ones.
const MOST_BYTES: usize = 2083;

/// The addresses of a frame, by their marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links(BTreeMap<[u8; 3], String>);

impl Links {
    /// Takes an address in; the mark for its cells. None: it is not http or https, or too long.
    pub fn mark(&mut self, address: &str) -> Option<Color> {
        let address = clean(address)?;
        let mark = digest(&address);
        let known = self.0.entry(mark).or_insert_with(|| address.clone());
        // Two addresses of one mark: the second is text alone.
        (*known == address).then(|| Color::Rgb(mark[0], mark[1], mark[2]))
    }

    /// Forgets all of them: cells keep their marks, and lead nowhere.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What a cell leads to: the bytes that begin it.
    pub(super) fn opening(&self, mark: Color) -> Option<String> {
        let Color::Rgb(a, b, c) = mark else { return None };
        // The same id makes one link of parts that stand apart.
        self.0.get(&[a, b, c]).map(|address| format!("\x1b]8;id={a:02x}{b:02x}{c:02x};{address}\x1b\\"))
    }
}

/// The address as a terminal may have it: printable ASCII, http or https.
fn clean(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let text = String::from(url);
    let is_printable = text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    (is_printable && text.len() <= MOST_BYTES).then_some(text)
}

/// FNV-1a, folded.
fn digest(text: &str) -> [u8; 3] {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [top, a, b, c] = hash.to_be_bytes();
    [a ^ top, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are_links() {
        let mut links = Links::default();
        for address in [
            "ftp://a.test/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://",
            "a.test",
            "",
            "mailto:a@b.test",
        ] {
            assert_eq!(links.mark(address), None, "{address}");
        }
        assert_eq!(links.mark(&format!("https://a.test/{}", "x".repeat(3000))), None);
        let one = links.mark("https://a.test/一?q=1").unwrap();
        assert_eq!(links.mark("https://a.test/一?q=1"), Some(one));
        let opening = links.opening(one).unwrap();
        assert!(opening.ends_with(";https://a.test/%E4%B8%80?q=1\x1b\\"), "{opening:?}");
        assert_eq!(links.opening(Color::Reset), None);
        links.clear();
        assert_eq!(links.opening(one), None);
    }

    #[test]
    fn no_control_character_gets_into_one() {
        let mut links = Links::default();
        for nasty in ["https://a.test/\x1b]8;;x\x1b\\", "https://a.test/\u{9c}\u{7}y", "https://a.test/a b"] {
            if let Some(mark) = links.mark(nasty) {
                let opening = links.opening(mark).unwrap();
                let address = opening.strip_suffix("\x1b\\").unwrap().rsplit(';').next().unwrap();
                assert!(address.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{opening:?}");
            }
        }
    }
}
