//! A wire to a server's socket that a test can cut at a chosen word.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "a test fails by panicking")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
};

/// The name of the socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// Forwards connections; ends with the runtime.
pub struct Wire {
    folder: TempDir,
    cut_after: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Wire {
    /// To the server whose socket is in that folder.
    pub fn start(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let cut_after = Arc::new(Mutex::new(None));
        let (server, cut) = (server.join(SOCKET), cut_after.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server.clone(), cut.clone()));
            }
        });
        Self { folder, cut_after }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The next message with `word` in it arrives, is answered, and the answer is lost with the connection.
    pub fn cut_after(&self, word: &[u8]) {
        *self.cut_after.lock().unwrap() = Some(word.to_vec());
    }
}

async fn forward(mut client: UnixStream, server: PathBuf, cut_after: Arc<Mutex<Option<Vec<u8>>>>) {
    let mut server = UnixStream::connect(server).await.unwrap();
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            count = client.read(&mut asked) => {
                let Some(message) = count.ok().and_then(|count| asked.get(..count)).filter(|it| !it.is_empty()) else {
                    return;
                };
                let is_cut = cut_after
                    .lock()
                    .unwrap()
                    .take_if(|word| message.windows(word.len()).any(|window| window == *word))
                    .is_some();
                server.write_all(message).await.unwrap();
                if is_cut {
                    _ = server.read(&mut answered).await;
                    return;
                }
            }
            count = server.read(&mut answered) => {
                let Some(message) = count.ok().and_then(|count| answered.get(..count)).filter(|it| !it.is_empty())
                else {
                    return;
                };
                if client.write_all(message).await.is_err() {
                    return;
                }
            }
        }
    }
}
