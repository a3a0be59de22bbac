//! The terminal itself: its modes, and that it always gets them back.

use std::{
    fs::File,
    io::{self, IsTerminal, Write as _},
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::ThreadId,
};

use ratatui::layout::Size;
use rustix::process::{Pid, Signal};

use super::TuiError;

/// Alternate screen, bracketed paste, focus events; the window title is kept aside.
const ENTER: &[u8] = b"\x1b[22;0t\x1b[?1049h\x1b[?2004h\x1b[?1004h";
/// Everything back: an unfinished frame, colours, region, mouse, focus events, paste, cursor, screen, title.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[m\x1b[r\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;0t";
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Who may write to the terminal, shared with the panic hook.
#[derive(Debug)]
struct Claim {
    /// The terminal is in our modes.
    is_entered: AtomicBool,
    /// The thread that draws: its panic ends the console.
    owner: ThreadId,
}

/// The terminal in the modes of the console. Restored on drop, also by a panic of the thread that made it.
#[derive(Debug)]
pub struct Term {
    out: File,
    claim: Arc<Claim>,
    mouse: bool,
    /// The terminal is gone: nothing may be written any more.
    is_dead: bool,
}

impl Term {
    /// Takes the terminal.
    ///
    /// # Errors
    /// [`TuiError::NoTerminal`] when standard input or output is none, [`TuiError::Terminal`] when it
    /// refuses its modes.
    pub fn enter() -> Result<Self, TuiError> {
        for (what, is_terminal) in
            [("standard input", io::stdin().is_terminal()), ("standard output", io::stdout().is_terminal())]
        {
            if !is_terminal {
                return Err(TuiError::NoTerminal(what));
            }
        }
        let tty = duplicate().map_err(|source| TuiError::Terminal { what: "open the terminal", source })?;
        let claim =
            Arc::new(Claim { is_entered: AtomicBool::new(false), owner: std::thread::current().id() });
        let mut term = Self { out: File::from(tty), claim, mouse: false, is_dead: false };
        install_panic_hook(Arc::clone(&term.claim));
        term.take().map_err(|source| TuiError::Terminal { what: "set the modes of the terminal", source })?;
        Ok(term)
    }

    /// Another handle of the same terminal, for the thread that waits for its end.
    ///
    /// # Errors
    /// When no more files can be opened.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        self.out.as_fd().try_clone_to_owned()
    }

    /// Its size; 80x24 where it does not say, as over some serial lines.
    pub fn size(&self) -> Size {
        match rustix::termios::tcgetwinsize(&self.out) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size::new(size.ws_col, size.ws_row),
            _ => Size::new(80, 24),
        }
    }

    /// Writes `bytes`, all at once as far as the terminal takes them.
    ///
    /// # Errors
    /// When the terminal is gone; from then on nothing is written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_dead || bytes.is_empty() {
            return Ok(());
        }
        let result = write_all(&mut self.out, bytes);
        if result.is_err() {
            self.abandon();
        }
        result
    }

    /// Whether the terminal is gone.
    pub const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// The terminal is gone: nothing is written to it any more, not even to restore it.
    pub fn abandon(&mut self) {
        self.is_dead = true;
        self.claim.is_entered.store(false, Ordering::SeqCst);
    }

    /// Has the mouse reported, or leaves it to the terminal.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        if on == self.mouse {
            return Ok(());
        }
        self.mouse = on;
        self.write(if on { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Puts the terminal into our modes, at the start and after a stop.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn take(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        self.claim.is_entered.store(true, Ordering::SeqCst);
        self.write(ENTER)?;
        if self.mouse { self.write(MOUSE_ON) } else { Ok(()) }
    }

    /// Gives the terminal back as it was found.
    pub fn leave(&mut self) {
        if !self.is_dead {
            restore(&self.claim);
        }
    }

    /// Gives the terminal back, stops until the shell continues us, and takes it again. Answers whether
    /// there was a shell to go back to; without one nothing happens.
    ///
    /// # Errors
    /// When the terminal refuses its modes afterwards.
    pub fn suspend(&mut self) -> io::Result<bool> {
        if self.is_dead || !has_job_control() {
            return Ok(false);
        }
        self.leave();
        // The whole group first (`cargo run` waits in it), then this process, which catches SIGTSTP. Raised in
        // this very thread: a stop of the process may begin in another one, while this one goes on and takes
        // the terminal from the shell.
        _ = rustix::process::kill_current_process_group(Signal::TSTP);
        _ = signal_hook::low_level::raise(Signal::STOP.as_raw());
        self.take()?;
        Ok(true)
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.leave();
    }
}

fn duplicate() -> io::Result<OwnedFd> {
    io::stdout().as_fd().try_clone_to_owned()
}

/// Restores the terminal once, whoever comes first: the end, a stop or a panic.
fn restore(claim: &Claim) {
    if claim.is_entered.swap(false, Ordering::SeqCst) {
        if let Ok(tty) = duplicate() {
            _ = write_all(&mut File::from(tty), LEAVE);
        }
        _ = crossterm::terminal::disable_raw_mode();
    }
}

fn write_all(out: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_writable(out)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait_writable(out: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(out, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A panic of the drawing thread gives the terminal back before it is reported. One of another thread is a
/// task that failed: it goes to the log, the screen stays.
fn install_panic_hook(claim: Arc<Claim>) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == claim.owner || !claim.is_entered.load(Ordering::SeqCst) {
            restore(&claim);
            report(info);
        } else {
            tracing::error!(panic = %info, "a task panicked");
        }
    }));
}

/// Whether a shell waits that would continue this process group: some member's parent is of the same session
/// and another group. Without one a stop would be for ever, and the kernel ignores SIGTSTP too.
fn has_job_control() -> bool {
    use rustix::process::{getpgid, getpgrp, getppid, getsid};
    let group = getpgrp();
    let parent = parent_of(group).or_else(getppid);
    let is_shell = |parent: Pid| {
        getsid(Some(parent)).ok() == getsid(None).ok() && getpgid(Some(parent)).is_ok_and(|of| of != group)
    };
    parent.is_some_and(is_shell)
}

/// The parent of a process, where the system tells.
fn parent_of(process: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    // After the name, which may hold anything: state, then the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}
