//! How many files and sockets this process may have open: as many as the system lets it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below this a broker soon runs out: each segment has a file, each client a socket.
const COMFORTABLE: u64 = 100_000;

/// Raises the soft limit to the hard one; a broker that gets few says so.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    if let Some(files) = getrlimit(Resource::Nofile).current.filter(|files| *files < COMFORTABLE) {
        tracing::warn!(files, "few files may be open at a time; raise the limit (ulimit -n, LimitNOFILE)");
    }
}
