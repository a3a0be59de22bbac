//! What stands in for libFuzzer on a stable toolchain: the same targets, over given or made-up inputs.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Makes `main` of a target: libFuzzer's under `--cfg fuzzing`, else [`run`].
#[macro_export]
macro_rules! target {
    ($name:literal, $work:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $work(data));
        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::run($name, $work)
        }
    };
}

/// Runs `work` over the files and folders of the command line; without any, over the target's corpus and
/// mutations of it for 10 s (`FUZZ_SECONDS`). A panic ends it: the input is then in `fuzz/crash-TARGET`.
pub fn run(target: &str, work: fn(&[u8])) -> io::Result<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let is_replay = !given.is_empty();
    let mut inputs = Vec::new();
    for path in if is_replay { given } else { vec![home.join("corpus").join(target)] } {
        read(&path, &mut inputs)?;
    }
    for input in &inputs {
        work(input);
    }
    if is_replay {
        return Ok(());
    }
    let seconds = env::var("FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(10);
    let end = Instant::now() + Duration::from_secs(seconds);
    let crash = home.join(format!("crash-{target}"));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
    let mut rounds = 0_u64;
    while Instant::now() < end {
        let input = mutated(&inputs, &mut dice);
        let result = std::panic::catch_unwind(|| work(&input));
        if let Err(panic) = result {
            fs::write(&crash, &input)?;
            std::panic::resume_unwind(panic);
        }
        rounds += 1;
    }
    println!("{target}: {} inputs, {rounds} mutations, no panic", inputs.len());
    Ok(())
}

fn read(path: &Path, inputs: &mut Vec<Vec<u8>>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            read(&entry?.path(), inputs)?;
        }
    } else if path.exists() {
        inputs.push(fs::read(path)?);
    }
    Ok(())
}

/// xorshift: good enough to poke at bytes.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or(0)
    }
}

const TOKENS: &[&[u8]] = &[
    b"null",
    b"\"\"",
    b"{}",
    b"[]",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"\xff",
    b"\x1b[2J",
    "\u{202e}".as_bytes(),
    b"\x80\x80\x80\x80\x80\x01",
];

fn mutated(inputs: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut out = inputs.get(dice.below(inputs.len())).cloned().unwrap_or_default();
    for _ in 0..=dice.below(6) {
        let at = dice.below(out.len() + 1);
        match dice.below(6) {
            0 => out.truncate(at),
            1 => out.insert(at, dice.next().to_le_bytes()[0]),
            2 if at < out.len() => out[at] ^= 1 << dice.below(8),
            3 if at < out.len() => drop(out.remove(at)),
            4 => {
                let token = TOKENS[dice.below(TOKENS.len())];
                out.splice(at..at, token.iter().copied());
            }
            _ => {
                let other = inputs.get(dice.below(inputs.len())).map_or(&[][..], Vec::as_slice);
                let from = dice.below(other.len());
                let piece = other[from..].iter().take(64).copied().collect::<Vec<_>>();
                out.splice(at..at, piece);
            }
        }
    }
    out
}
