//! `larkdeck room tail`: follows a room until interrupted.

use std::{collections::VecDeque, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{error::CliError, output::note, room::resolve, room_read, setup::Context};
use crate::{
    core::{
        ids::{ChatId, MessageId, Seq},
        lang::Lang,
        message::Message,
        time::{Clock as _, SystemClock, Timestamp},
    },
    service::{Deck, Follow, LiveMode},
};

/// Between two tries while the store is out of reach.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// So many of the messages that were printed last are known by name.
const RECENT: usize = 4_096;

/// Where the following begins.
enum Since {
    Seq(Seq),
    Time(Timestamp),
}

pub(super) async fn run(context: &mut Context, room: &str, since: Option<&str>) -> Result<(), CliError> {
    let since = match since {
        None => None,
        Some(text) => Some(match text.parse() {
            Ok(seq) => Since::Seq(Seq(seq)),
            Err(_) => Since::Time(room_read::instant(context, text)?),
        }),
    };
    context.setup.what = "tail";
    let (deck, view) = context.integration(None).await?;
    let integration = view.integration.id;
    // Before the room is looked for: nothing that happens from here on is missed.
    let head = deck.head().await?;
    let room = resolve(&deck, &integration, room).await?;
    let (after, from) = match since {
        None => (head, None),
        Some(Since::Seq(seq)) => (seq, None),
        Some(Since::Time(time)) => (deck.seq_at(time).await?, Some(time)),
    };
    end_with_the_reader(context.cancel.clone());
    let live = deck.go_live(&integration, LiveMode::TakePart);
    // Of what is long past the order is forgotten, but not what was said.
    let floor = deck.feed_floor().await?;
    let mut forgotten = Vec::new();
    if after < floor {
        forgotten = deck.history(&room.chat_id, from, 0).await?;
        forgotten.retain(|message| message.seq > after && message.seq <= floor);
        forgotten.sort_by_key(|message| message.seq);
    }
    let follow = deck.follow(after.max(floor));
    let printed = Printed { recent: VecDeque::new(), before: SystemClock.now() };
    let mut tail = Tail { deck, follow, chat: room.chat_id, last: after, from, printed };
    let result = tail.run(context, forgotten).await;
    live.stop().await;
    result
}

struct Tail {
    deck: Deck,
    follow: Follow,
    chat: ChatId,
    last: Seq,
    from: Option<Timestamp>,
    printed: Printed,
}

/// What was printed last: by it one goes on where the numbers of the store are others than before.
struct Printed {
    recent: VecDeque<(Timestamp, MessageId)>,
    /// What is older and not among them is not missed.
    before: Timestamp,
}

impl Printed {
    fn take(&mut self, message: &Message) {
        if self.recent.is_empty() {
            self.before = self.before.min(message.body.created_at);
        }
        self.recent.push_back((message.body.created_at, message.body.message_id.clone()));
        if self.recent.len() > RECENT
            && let Some((at, _)) = self.recent.pop_front()
        {
            self.before = self.before.max(at);
        }
    }

    fn has(&self, message: &Message) -> bool {
        self.recent.iter().any(|(_, id)| *id == message.body.message_id)
    }
}

impl Tail {
    /// Prints what is `forgotten` by the feed, then what the feed has.
    async fn run(&mut self, context: &mut Context, forgotten: Vec<Message>) -> Result<(), CliError> {
        let lang = context.setup.loaded.lang;
        for message in &forgotten {
            self.print(context, message, lang)?;
        }
        context.out.flush()?;
        let mut is_away = false;
        loop {
            let next = tokio::select! {
                next = self.follow.next() => next,
                () = context.cancel.cancelled() => return Ok(()),
            };
            let batch = match next {
                Err(fault) if self.follow.is_store_away() => {
                    // Said once, not each second.
                    if !std::mem::replace(&mut is_away, true) {
                        note(&format!("{}; following goes on once it is back", fault.message));
                    }
                    tokio::select! {
                        () = tokio::time::sleep(STORE_PAUSE) => continue,
                        () = context.cancel.cancelled() => return Ok(()),
                    }
                }
                next => next?,
            };
            is_away = false;
            if batch.reload {
                self.print_missed(context, batch.cursor, lang).await?;
            }
            for message in &batch.messages {
                let is_early = self.from.is_some_and(|from| message.body.created_at < from);
                if message.body.chat_id != self.chat || message.seq <= self.last || is_early {
                    continue;
                }
                self.print(context, message, lang)?;
            }
            if !context.out.is_json() {
                for seam in batch.seams.iter().filter(|seam| seam.chat_id == self.chat) {
                    room_read::print_seam(&mut context.out, seam, lang)?;
                }
            }
            context.out.flush()?;
        }
    }

    fn print(&mut self, context: &mut Context, message: &Message, lang: Lang) -> Result<(), CliError> {
        self.last = message.seq;
        self.printed.take(message);
        room_read::print(&mut context.out, message, lang)
    }

    /// The store is another one than before, or has forgotten in which order it learned: says so, and prints what it
    /// has up to `head` and was not printed.
    async fn print_missed(&mut self, context: &mut Context, head: Seq, lang: Lang) -> Result<(), CliError> {
        let since = self.from.unwrap_or(self.printed.before).max(self.printed.before);
        let mut missed = self.deck.history(&self.chat, Some(since), 0).await?;
        missed.retain(|message| message.seq <= head && !self.printed.has(message));
        missed.sort_by_key(|message| message.seq);
        note(&format!(
            "the store was restored, has failed over, or has forgotten its order: numbers may begin anew; {} missed",
            match missed.len() {
                1 => "1 message was".to_owned(),
                count => format!("{count} messages were"),
            }
        ));
        for message in &missed {
            self.print(context, message, lang)?;
        }
        self.last = head;
        Ok(())
    }
}

/// Ends the command when the reader of stdout goes away, also while there is nothing to print.
fn end_with_the_reader(cancel: CancellationToken) {
    use rustix::event::{PollFd, PollFlags, poll};
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        loop {
            // An empty mask wakes only for what cannot be masked: an error or a hang-up of the other side.
            let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
                Ok(_) => return cancel.cancel(),
            }
        }
    });
}
