//! The documents that are generated from the schema: `config.example.toml` and `docs/CONFIG.md`.

use std::fmt::Write as _;

use super::schema::{SECTIONS, SPECS, Spec};

/// What each source is worth, in one sentence of the documents.
const ORDER: &str = "Flags beat the environment, which beats this file, which beats the defaults.";

fn lines(doc: &str) -> impl Iterator<Item = &str> {
    doc.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn of_section(section: &str) -> impl Iterator<Item = &'static Spec> {
    SPECS.iter().filter(move |spec| spec.section == section)
}

/// The text of `config.example.toml`: every setting, commented out, with its default or an example.
pub fn example_file() -> String {
    let mut out = String::from(
        "# larkdeck: every setting, with its default. Generated from the schema: edit a copy at\n\
         # $XDG_CONFIG_HOME/larkdeck/config.toml (usually ~/.config/larkdeck/config.toml).\n# ",
    );
    out.push_str(ORDER);
    out.push('\n');
    for (section, doc) in SECTIONS {
        out.push('\n');
        for line in lines(doc) {
            _ = writeln!(out, "# {line}");
        }
        _ = writeln!(out, "[{section}]");
        for spec in of_section(section) {
            for line in lines(spec.doc) {
                _ = writeln!(out, "# {line}");
            }
            _ = writeln!(out, "# Allowed: {}", (spec.allowed)());
            match (spec.default)() {
                Some(default) => _ = writeln!(out, "#{} = {default}", spec.key),
                None => {
                    _ = writeln!(out, "#{} = {:?}   # an example: not set by default", spec.key, spec.example)
                }
            }
        }
    }
    out.push_str(
        "\n# Key bindings, by context: docs/KEYS.md has contexts, commands and the default keys.\n\
         # \"none\" takes a key away. A binding that makes no sense is a warning, and the default stands.\n\
         #[keys.chat]\n#\"ctrl-r\" = \"reply\"\n",
    );
    out
}

/// The text of `docs/CONFIG.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Settings\n\n\
         Generated from the schema (`src/config/schema.rs`) by\n\
         `LARKDECK_WRITE=1 cargo test --test generated`.\n\n\
         The file is `config.toml` in `$XDG_CONFIG_HOME/larkdeck` (usually `~/.config/larkdeck`), or what\n\
         `--config` or `LARKDECK_CONFIG` names. All of it is optional. ",
    );
    out.push_str(&ORDER.replace("this file", "the file"));
    out.push_str(
        "\n\nAn unknown key or a bad value ends larkdeck with exit code 3 and says file, line and the nearest good\n\
         name. A file that holds a password and that others can read is refused.\n",
    );
    for (section, doc) in SECTIONS {
        _ = write!(out, "\n## [{section}]\n\n{}\n\n", lines(doc).collect::<Vec<_>>().join(" "));
        out.push_str(
            "| setting | meaning | allowed | default | variable |\n| --- | --- | --- | --- | --- |\n",
        );
        for spec in of_section(section) {
            let doc = lines(spec.doc).collect::<Vec<_>>().join(" ");
            let default = (spec.default)().map_or_else(|| "not set".to_owned(), |text| format!("`{text}`"));
            _ = writeln!(
                out,
                "| `{}` | {} | {} | {default} | `{}` |",
                spec.key,
                cell(&doc),
                cell(&(spec.allowed)()),
                spec.variable
            );
        }
    }
    out.push_str(
        "\n## [keys.CONTEXT]\n\nKey bindings: `\"ctrl-r\" = \"reply\"`; `\"none\"` takes a key away. `docs/KEYS.md` has \
         the contexts, the\ncommands and the default keys. An unknown command, a bad key or a clash is a warning with \
         file and line;\nthe default stands.\n\n\
         ## Other variables\n\n\
         | variable | meaning |\n| --- | --- |\n\
         | `LARKDECK_CONFIG` | the configuration file, as `--config` |\n\
         | `LARKDECK_KEY` | the key ring itself, instead of a file |\n\
         | `LARKDECK_APP_SECRET`, `LARKDECK_ENCRYPT_KEY`, `LARKDECK_VERIFICATION_TOKEN` | secrets for `integration add` and `edit` |\n\
         | `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | the outbound proxy, for HTTP and for the long connection |\n\
         | `NO_COLOR` | no colour |\n\
         | `LC_ALL`, `LC_MESSAGES`, `LANG` | the language, where `ui.lang` is not set |\n",
    );
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_toml_once_its_settings_are_uncommented() {
        let text: String = example_file()
            .lines()
            .map(|line| {
                line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n"
            })
            .collect();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["ui"]["mouse"].as_bool(), Some(false));
        assert_eq!(table.len(), SECTIONS.len() + 1);
    }

    #[test]
    fn every_setting_is_in_the_reference() {
        let text = reference();
        for spec in SPECS {
            assert!(text.contains(spec.variable), "{}", spec.variable);
        }
    }
}
