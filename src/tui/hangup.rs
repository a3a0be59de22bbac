//! Notices that the terminal has gone. crossterm 0.29 does not: its reader spins on a dead terminal.

use std::{os::fd::OwnedFd, thread, time::Duration};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::watch;

/// How long an orderly end may take once the terminal is gone.
const GRACE: Duration = Duration::from_millis(1500);
/// As a shell reports an end by SIGHUP.
const EXIT_CODE: i32 = 129;

/// Watches `tty` from a thread of its own, which sleeps until the terminal hangs up. The receiver turns true
/// then, and the process ends after 1.5 s if it is still there.
pub fn watch(tty: OwnedFd) -> watch::Receiver<bool> {
    let (gone, receiver) = watch::channel(false);
    let wait = move || {
        if wait_for_hangup(&tty) {
            _ = gone.send(true);
            thread::sleep(GRACE);
            std::process::exit(EXIT_CODE);
        }
    };
    // Without the thread a hangup is still noticed by the next write.
    if let Err(error) = thread::Builder::new().name("hangup".to_owned()).stack_size(64 * 1024).spawn(wait) {
        tracing::warn!(%error, "no thread to watch the terminal");
    }
    receiver
}

/// Ends the process after the same grace: the way out when SIGHUP came first.
pub fn exit_soon() {
    _ = thread::Builder::new().name("hangup".to_owned()).spawn(|| {
        thread::sleep(GRACE);
        std::process::exit(EXIT_CODE);
    });
}

/// Sleeps until `tty` hangs up. An empty event mask still reports hangups and errors. False when that cannot
/// be told.
fn wait_for_hangup(tty: &OwnedFd) -> bool {
    loop {
        let mut fds = [PollFd::new(tty, PollFlags::empty())];
        match poll(&mut fds, None) {
            Ok(_) => {
                let [fd] = fds;
                if fd.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                    return true;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_master_is_a_hangup() {
        let pair = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).unwrap();
        let name = pair.master.tty_name().unwrap();
        let tty = std::fs::File::options()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOCTTY.bits().cast_signed())
            .open(name)
            .unwrap();
        let waiter = thread::spawn(move || wait_for_hangup(&OwnedFd::from(tty)));
        assert!(!waiter.is_finished());
        drop(pair);
        assert!(waiter.join().unwrap());
    }

    use std::os::unix::fs::OpenOptionsExt as _;
}
