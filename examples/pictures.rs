//! Takes the pictures of the README: runs `larkdeck demo` in a pseudo-terminal, presses keys, and writes what stands
//! on the screen as SVG. `cargo run --release --example pictures` builds what it needs and writes to `docs/`.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    num::NonZero,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const COLS: u16 = 120;
const ROWS: u16 = 36;
const PATIENCE: Duration = Duration::from_secs(60);

/// File, text that must be there before the picture is taken, keys that lead to it.
const SHOTS: &[(&str, &str, &str)] =
    &[("war-room.svg", "支付网关超时", "3\r"), ("users.svg", "320", "\u{1b}\u{1b}2")];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::env::args_os().nth(1).map_or_else(|| root.join("docs"), PathBuf::from);
    std::fs::create_dir_all(&docs)?;
    let mut demo = Demo::start(&program(root)?)?;
    demo.wait("Integrations")?;
    for (file, text, keys) in SHOTS {
        demo.press(keys)?;
        demo.wait(text)?;
        demo.watch(Duration::from_secs(6));
        std::fs::write(docs.join(file), svg(demo.screen.screen()))?;
    }
    demo.press("q")?;
    Ok(())
}

/// Builds the program as this example was built, and says where it is.
fn program(root: &Path) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).ok_or("the example has no folder")?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(root).args(["build", "--bin", "larkdeck"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    if !build.status()?.success() {
        return Err("larkdeck does not build".into());
    }
    Ok(folder.join("larkdeck"))
}

struct Demo {
    writer: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Demo {
    fn start(program: &Path) -> Result<Self, Failure> {
        let size = PtySize { rows: ROWS, cols: COLS, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(program);
        command.args(["demo", "--seed", "7", "--lang", "en"]);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env_remove("NO_COLOR");
        // The program ends with its terminal: nobody has to wait for it.
        drop(pty.slave.spawn_command(command)?);
        let mut reader = pty.master.try_clone_reader()?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                let bytes = chunk.get(..count).unwrap_or_default().to_vec();
                if sender.send(bytes).is_err() {
                    return;
                }
            }
        });
        let (rows, cols) = NonZero::new(ROWS).zip(NonZero::new(COLS)).ok_or("no size")?;
        Ok(Self {
            writer: pty.master.take_writer()?,
            output,
            screen: vt100::Parser::new(rows, cols, 0),
            _master: pty.master,
        })
    }

    fn press(&mut self, keys: &str) -> Result<(), Failure> {
        for key in keys.chars() {
            self.writer.write_all(key.to_string().as_bytes())?;
            self.writer.flush()?;
            // An Esc and the key after it would be read as one.
            self.watch(Duration::from_millis(300));
        }
        Ok(())
    }

    /// Lets the screen live for a while.
    fn watch(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(chunk) = self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.screen.process(&chunk);
        }
    }

    fn wait(&mut self, text: &str) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        while !self.screen.screen().contents().contains(text) {
            let Ok(chunk) = self.output.recv_timeout(until.saturating_duration_since(Instant::now())) else {
                return Err(format!("no {text:?} on the screen:\n{}", self.screen.screen().contents()).into());
            };
            self.screen.process(&chunk);
        }
        Ok(())
    }
}

const CELL: (f32, f32) = (8.4, 18.0);
const MARGIN: f32 = 14.0;
const BACKGROUND: &str = "#14161b";
const FOREGROUND: &str = "#d7dae0";

/// A run of cells that look the same.
struct Run {
    col: u16,
    cells: u16,
    text: String,
    look: Look,
}

#[derive(Clone, PartialEq)]
struct Look {
    fg: String,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
}

fn svg(screen: &vt100::Screen) -> String {
    let (width, height) = (f32::from(COLS) * CELL.0 + 2.0 * MARGIN, f32::from(ROWS) * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"'JetBrains Mono','DejaVu Sans Mono','Noto Sans Mono CJK SC',Menlo,Consolas,monospace\" \
         font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for row in 0..ROWS {
        for run in runs(screen, row) {
            write_run(&mut out, row, &run);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn write_run(out: &mut String, row: u16, run: &Run) {
    let (x, y) = (MARGIN + f32::from(run.col) * CELL.0, MARGIN + f32::from(row) * CELL.1);
    let width = f32::from(run.cells) * CELL.0;
    if let Some(bg) = &run.look.bg {
        _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    let mut style = String::new();
    for (is_on, attribute) in [
        (run.look.bold, " font-weight=\"bold\""),
        (run.look.italic, " font-style=\"italic\""),
        (run.look.dim, " opacity=\"0.65\""),
        (run.look.underline, " text-decoration=\"underline\""),
    ] {
        if is_on {
            style.push_str(attribute);
        }
    }
    for (at, cells, text) in pieces(run) {
        let (x, width) = (x + f32::from(at) * CELL.0, f32::from(cells) * CELL.0);
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{style}>{text}</text>",
            y + CELL.1 * 0.76,
            run.look.fg
        );
    }
}

/// The words of a run with their first cell and their cells. Viewers fold spaces at the ends of a text and in a
/// row, whatever they are told, and stretch what is left: such spaces are not drawn.
fn pieces(run: &Run) -> Vec<(u16, u16, &str)> {
    let count = |text: &str| u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let each = run.cells / count(&run.text).max(1);
    let mut pieces = Vec::new();
    let mut start = 0;
    for piece in run.text.split("  ") {
        let words = piece.trim();
        if !words.is_empty() {
            let ahead = count(piece) - count(piece.trim_start());
            pieces.push(((start + ahead) * each, count(words) * each, words));
        }
        start += count(piece) + 2;
    }
    pieces
}

fn runs(screen: &vt100::Screen, row: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for col in 0..COLS {
        let Some(cell) = screen.cell(row, col).filter(|cell| !cell.is_wide_continuation()) else { continue };
        let cells = if cell.is_wide() { 2 } else { 1 };
        let look = look(cell);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        // Wide and narrow characters in one run would be stretched alike: they stand apart.
        let same = runs.last_mut().filter(|run| {
            let is_wide = usize::from(run.cells) > run.text.chars().count();
            run.look == look && is_wide == (cells == 2)
        });
        match same {
            Some(run) => {
                run.text.push_str(text);
                run.cells += cells;
            }
            None => runs.push(Run { col, cells, text: text.to_owned(), look }),
        }
    }
    runs
}

fn look(cell: &vt100::Cell) -> Look {
    let (mut fg, mut bg) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
    if cell.inverse() {
        (fg, bg) = (
            Some(bg.unwrap_or_else(|| BACKGROUND.to_owned())),
            Some(fg.unwrap_or_else(|| FOREGROUND.to_owned())),
        );
    }
    Look {
        fg: fg.unwrap_or_else(|| FOREGROUND.to_owned()),
        bg,
        bold: cell.bold(),
        dim: cell.dim(),
        italic: cell.italic(),
        underline: cell.underline(),
    }
}

/// The sixteen colours as a common dark scheme has them, then the cube and the greys.
fn colour(colour: vt100::Color) -> Option<String> {
    const BASE: [&str; 16] = [
        "#14161b", "#e5646d", "#7fbf7f", "#e0b56a", "#6ba6e8", "#c48ae0", "#5fc0c8", "#d7dae0", "#646b78",
        "#f0828a", "#98d498", "#f0ca88", "#8cbcf2", "#d6a6ec", "#7fd6dc", "#ffffff",
    ];
    match colour {
        vt100::Color::Default => None,
        vt100::Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        vt100::Color::Idx(index @ 0..16) => BASE.get(usize::from(index)).map(|text| (*text).to_owned()),
        vt100::Color::Idx(index @ 16..232) => {
            let step = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
            let cube = index - 16;
            Some(format!("#{:02x}{:02x}{:02x}", step(cube / 36), step(cube / 6 % 6), step(cube % 6)))
        }
        vt100::Color::Idx(index) => {
            let grey = 8 + (index - 232) * 10;
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}
