//! A PostgreSQL server for tests, run from the binaries that this machine has.
//!
//! Included with `#[path]` by the tests that need one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// Runs the server until its own input says `keep` or ends, as it does when the tests' process dies; then nothing of
/// it is left. In the background a shell lets a program ignore SIGINT, but the server sets its own handler for it: a
/// fast shutdown.
const LIFELINE: &str = r#"
folder=$1; shift
"$@" >>"$folder/server.log" 2>&1 &
read -r word
kill -INT $! && wait $!
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// Who may log in how: everybody as anybody, but the user `guarded` with a password.
const HBA: &str = "local all all trust\n\
                   host all guarded 127.0.0.1/32 scram-sha-256\n\
                   host all all 127.0.0.1/32 trust\n";

/// The superuser's name.
const USER: &str = "tollgate";

/// A server of its own, in a temporary folder, on a free port of 127.0.0.1. It dies with the process that started it.
#[derive(Debug)]
pub(crate) struct Server {
    binaries: PathBuf,
    owner: Option<Owner>,
    folder: TempDir,
    port: u16,
    lifeline: Option<Child>,
}

/// Whom the server runs as, where the tests run as root: the server refuses to.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Server {
    /// Starts a server; `None`, said aloud, where there are no binaries and `TOLLGATE_REQUIRE_POSTGRES` is unset.
    pub(crate) fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(std::env::var_os("TOLLGATE_REQUIRE_POSTGRES").is_none(), "no PostgreSQL binaries");
            say_skipped();
            return None;
        };
        let owner = rustix::process::geteuid().is_root().then(unprivileged);
        let folder = tempfile::Builder::new().prefix("tollgate-postgres-").tempdir().unwrap();
        if let Some(Owner { uid, gid }) = owner {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let mut server = Self { binaries, owner, folder, port: free_port(), lifeline: None };
        server.initialize();
        server.start_again();
        Some(server)
    }

    /// Returns the URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Makes an empty database and returns its URL.
    pub(crate) fn create(&self, database: &str) -> String {
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", USER, database];
        succeed(self.command(&self.binaries.join("createdb")).args(arguments));
        self.url(database)
    }

    /// Stops the server; its connections break, its data stay.
    pub(crate) fn stop(&mut self) {
        let mut lifeline = self.lifeline.take().expect("a running server");
        lifeline.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        lifeline.wait().unwrap();
    }

    /// Starts the stopped server on the same port with the same data.
    pub(crate) fn start_again(&mut self) {
        let mut command = self.command(Path::new("sh"));
        command.arg("-c").arg(LIFELINE).arg("lifeline").arg(self.folder.path());
        command
            .arg(self.binaries.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "log_timezone=UTC"] {
            command.args(["-c", setting]);
        }
        let mut lifeline = command.stdin(Stdio::piped()).spawn().unwrap();
        self.await_ready(&mut lifeline);
        self.lifeline = Some(lifeline);
    }

    fn initialize(&self) {
        let mut command = self.command(&self.binaries.join("initdb"));
        command.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", USER, "-D"]);
        succeed(command.arg(self.data()));
        fs::write(self.data().join("pg_hba.conf"), HBA).unwrap();
    }

    /// Waits until the server says in its pid file that it takes connections.
    fn await_ready(&self, lifeline: &mut Child) {
        for _ in 0..6_000 {
            let pid_file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if pid_file.lines().nth(7).is_some_and(|status| status.trim() == "ready") {
                return;
            }
            if lifeline.try_wait().unwrap().is_some() {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {log}");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some(Owner { uid, gid }) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            drop(lifeline.stdin.take());
            let _ = lifeline.wait();
        }
    }
}

/// Says on the standard error stream itself, which the test harness does not catch, that a test was skipped.
pub(crate) fn say_skipped() {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "{name}: skipped: no PostgreSQL binaries");
}

/// Returns the folder of the server's binaries: from PATH, or where Debian puts them.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    std::env::split_paths(&path).chain(debian).find(|folder| has_binaries(folder))
}

fn has_binaries(folder: &Path) -> bool {
    ["initdb", "postgres", "createdb"].iter().all(|name| folder.join(name).is_file())
}

fn unprivileged() -> Owner {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2);
        Some(Owner { uid: ids.next()?.parse().ok()?, gid: ids.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).expect("a user postgres or nobody")
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn succeed(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
}
