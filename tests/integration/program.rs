//! The built program as a process of its own, as a newcomer runs it.

use crate::gateway::DEADLINE;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// A folder that commands run in, which see nothing of this process's environment.
#[derive(Debug)]
pub(crate) struct Workplace(TempDir);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workplace {
    /// Makes an empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes one with a config file and a services file where they are looked for.
    pub(crate) fn with(config: &str, services: &str) -> Self {
        let place = Self::new();
        std::fs::create_dir(place.path("config")).unwrap();
        std::fs::write(place.path("config/tollgate.toml"), config).unwrap();
        std::fs::write(place.path("config/services.toml"), services).unwrap();
        place
    }

    /// Returns the path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the text of a file in it.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str], env: &[(&str, &str)]) -> Ran {
        let output = self.command(arguments, env).output().unwrap();
        Ran {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the program, which goes on until it is dropped.
    pub(crate) fn start(&self, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        Running::of(self.command(arguments, env))
    }

    /// Starts the program after what a shell does first, in its place.
    pub(crate) fn start_under(&self, first: &str, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        let script = format!("{first} && exec \"$0\" \"$@\"");
        let program = env!("CARGO_BIN_EXE_tollgate");
        let mut command = self.command_of(Path::new("/bin/sh"), &["-c", &script, program], env);
        command.args(arguments);
        Running::of(command)
    }

    fn command(&self, arguments: &[&str], env: &[(&str, &str)]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_tollgate")), arguments, env)
    }

    fn command_of(&self, program: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        let folder: &Path = self.0.path();
        command.args(arguments).current_dir(folder).env_clear().env("HOME", folder);
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: Receiver<String>,
}

impl Running {
    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (err, (lines, log)) = (child.stderr.take().unwrap(), channel());
        std::thread::spawn(move || {
            BufReader::new(err).lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
        });
        Self { child, log }
    }

    /// Returns the process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the line of the log whose message begins like this.
    pub(crate) fn logged(&self, message: &str) -> serde_json::Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left).unwrap_or_else(|_| panic!("never logged: {message}"));
            let Ok(line) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            if line["message"].as_str().is_some_and(|text| text.starts_with(message)) {
                return line;
            }
        }
    }

    /// Waits until it serves, and returns the address of its data plane.
    pub(crate) fn serving(&self) -> String {
        self.logged("serving")["data"].as_str().unwrap().to_owned()
    }

    /// Tells it to stop, and waits until it has ended well.
    pub(crate) fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let until = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            let log: Vec<String> = self.log.try_iter().collect();
            assert!(Instant::now() < until, "it does not end: {log:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends it, and returns how many lines that nobody has asked for have a message that begins like this.
    pub(crate) fn end_and_count(mut self, message: &str) -> usize {
        self.child.kill().unwrap();
        self.log.iter().filter(|line| line.contains(&format!("\"message\":\"{message}"))).count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
