//! The log file: capped in size, shared by all processes of the user, one safe line an event.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _};

use crate::{
    config::{LogLevel, LogSettings},
    core::text::SafeText,
};

/// Begins to log to `path`. `verbose` raises the level: once to debug, twice to trace.
///
/// # Errors
/// When the file cannot be opened, or something logs already.
pub fn start(path: &Path, settings: &LogSettings, verbose: u8) -> io::Result<()> {
    let file = RotatingFile::open(path, settings.max_bytes(), settings.keep)?;
    let level = match (settings.level, verbose) {
        (LogLevel::Trace, _) | (_, 2..) => LevelFilter::TRACE,
        (LogLevel::Debug, _) | (_, 1) => LevelFilter::DEBUG,
        (LogLevel::Info, 0) => LevelFilter::INFO,
        (LogLevel::Warn, 0) => LevelFilter::WARN,
        (LogLevel::Error, 0) => LevelFilter::ERROR,
    };
    // Libraries below say much that nobody asked for, and sqlx at `debug` says statements.
    let filter = Targets::new().with_target("larkdeck", level).with_default(level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(file);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)
}

/// A file that is put aside as `NAME.1`, `NAME.2`, … when it has grown to its limit.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    file: Mutex<File>,
}

impl RotatingFile {
    /// Opens `path` for appending; folder and file are made readable by their owner alone.
    ///
    /// # Errors
    /// When folder or file cannot be made.
    pub fn open(path: &Path, max_bytes: u64, keep: u32) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            make_private_folder(folder)?;
        }
        Ok(Self { path: path.to_owned(), max_bytes, keep, file: Mutex::new(append_to(path)?) })
    }

    /// Appends one event as one line, whatever is in it.
    fn append(&self, event: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(event);
        let line = format!("{}\n", SafeText::line(text.trim_end_matches('\n')));
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.was_put_aside(&file) {
            *file = append_to(&self.path)?;
        }
        if file.metadata()?.len().saturating_add(line.len() as u64) > self.max_bytes {
            self.put_aside();
            *file = append_to(&self.path)?;
        }
        // One write of one line to a file opened for appending: lines of processes do not mix.
        file.write_all(line.as_bytes())
    }

    /// Whether another process has put the open file aside, or somebody has removed it.
    fn was_put_aside(&self, file: &File) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(open), Ok(named)) => (open.dev(), open.ino()) != (named.dev(), named.ino()),
            _ => true,
        }
    }

    fn put_aside(&self) {
        let numbered = |n: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        // Two processes at once may put one file aside twice; that costs old lines, never new ones.
        for n in (1..self.keep).rev() {
            _ = std::fs::rename(numbered(n), numbered(n + 1));
        }
        _ = std::fs::rename(&self.path, numbered(1));
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Makes a folder and those above it, readable by their owner alone; one that exists stays as it is.
fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl<'a> MakeWriter<'a> for RotatingFile {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// The writer of one event.
#[derive(Debug)]
pub struct Line<'a>(&'a RotatingFile);

impl Write for Line<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // A full disk must not stop larkdeck: the line is lost, the program goes on.
        _ = self.0.append(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_capped_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/larkdeck.log");
        let log = RotatingFile::open(&path, 100, 2).unwrap();
        for n in 0..40 {
            log.make_writer().write_all(format!("line {n} with some text\n").as_bytes()).unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["larkdeck.log", "larkdeck.log.1", "larkdeck.log.2"]);
        for name in names {
            assert!(std::fs::metadata(path.with_file_name(name)).unwrap().len() <= 100);
        }
        assert!(std::fs::read_to_string(&path).unwrap().contains("line 39"));
    }

    #[test]
    fn an_event_is_one_safe_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larkdeck.log");
        let log = RotatingFile::open(&path, 1000, 1).unwrap();
        log.make_writer().write_all("from a peer: \u{1b}[2J\nforged line\u{9b}\n".as_bytes()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "from a peer: ␛[2J␊forged line‹009b›\n");
    }

    #[test]
    fn a_file_put_aside_by_another_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larkdeck.log");
        let log = RotatingFile::open(&path, 1000, 1).unwrap();
        log.make_writer().write_all(b"one\n").unwrap();
        std::fs::rename(&path, path.with_extension("log.1")).unwrap();
        log.make_writer().write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }
}
