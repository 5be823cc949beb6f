//! A thousand committing consumers in one thread that costs next to nothing, so that the broker is the limit: each has a
//! connection with several commits in flight, as `commitAsync` leaves them there, written at once as frames of which only the
//! offsets change. It goes from connection to connection, and rests where the answers are not there yet; of the answers it
//! reads the codes.

use super::driver::{Client, i16_at};
use anyhow::{Context as _, Result, ensure};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Commits in flight for each connection.
pub const IN_FLIGHT: usize = 8;
/// While one connection's answers are not there, the broker has all others' commits to do.
const REST: Duration = Duration::from_millis(1);
/// An answer that takes longer is none.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// What the threads of a measurement share.
#[derive(Default)]
pub struct Progress {
    /// Commits answered.
    pub commits: AtomicU64,
    /// Tells them to end.
    pub stop: AtomicBool,
}

/// One group's connection.
pub struct Committer {
    stream: TcpStream,
    /// The frames, one behind the other.
    burst: Vec<u8>,
    /// Where in them the offsets are.
    offsets: Vec<usize>,
    next_offset: i64,
    /// As large as the answers to a burst.
    answers: Vec<u8>,
    arrived: usize,
}

impl Committer {
    /// Goes on with a connection on which nothing is under way. `frame` is a commit whose offsets are all `mark`, and was
    /// answered last.
    pub fn new(client: Client, frame: &[u8], mark: i64) -> Result<Committer> {
        let answer = client.last().len() + 4;
        let burst = frame.repeat(IN_FLIGHT);
        let mark = mark.to_be_bytes();
        let marked = burst.windows(mark.len()).enumerate().filter(|(_, window)| **window == mark);
        let offsets = marked.map(|(at, _)| at).collect();
        let (stream, answers) = (client.into_idle()?, vec![0; answer * IN_FLIGHT]);
        Ok(Committer { stream, burst, offsets, next_offset: 0, answers, arrived: 0 })
    }

    /// Commits the next offsets, as often as may be in flight.
    fn send(&mut self) -> Result<()> {
        for &at in &self.offsets {
            let place = self.burst.get_mut(at..at + 8).context("a short frame")?;
            place.copy_from_slice(&self.next_offset.to_be_bytes());
        }
        self.next_offset += 1;
        self.arrived = 0;
        // The socket has room: what was written before is answered.
        Ok(self.stream.write_all(&self.burst)?)
    }

    /// Takes what has arrived, and says whether that is all.
    fn receive(&mut self) -> Result<bool> {
        let rest = self.answers.get_mut(self.arrived..).context("too many answers")?;
        match self.stream.read(rest) {
            Ok(0) => anyhow::bail!("the broker closed the connection"),
            Ok(count) => self.arrived += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.arrived == self.answers.len())
    }

    /// Each answer has one topic, whose partitions' codes begin at `code_at` of it (its length not counted) and follow each
    /// other every six bytes.
    fn check(&self, code_at: usize) -> Result<()> {
        for answer in self.answers.chunks(self.answers.len() / IN_FLIGHT) {
            for at in (4 + code_at..answer.len()).step_by(6) {
                let code = i16_at(answer, at)?;
                ensure!(code == 0, "a commit was refused with {code}");
            }
        }
        Ok(())
    }
}

/// Commits until it is told to stop, and takes the last answers.
pub fn commit(mut committers: Vec<Committer>, code_at: usize, progress: &Progress) -> Result<()> {
    for committer in &mut committers {
        committer.send()?;
    }
    while !progress.stop.load(Ordering::Relaxed) {
        for committer in &mut committers {
            answered(committer, code_at)?;
            progress.commits.fetch_add(IN_FLIGHT as u64, Ordering::Relaxed);
            committer.send()?;
        }
    }
    committers.iter_mut().try_for_each(|committer| answered(committer, code_at))
}

fn answered(committer: &mut Committer, code_at: usize) -> Result<()> {
    let start = Instant::now();
    while !committer.receive()? {
        ensure!(start.elapsed() < ANSWER_DEADLINE, "no answer");
        std::thread::sleep(REST);
    }
    committer.check(code_at)
}
