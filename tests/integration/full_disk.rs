//! A journal on a disk that is full for a while.

use crate::gateway::{CLAUDE, DEADLINE, converse_body};
use crate::ledgered::Load;
use crate::program::{Running, Workplace};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;
use tollgate::ledger::store::StoreUrl;

/// A file system of two megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one; `None`, said aloud, where that is not allowed.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        // The harness does not catch what goes to the stream itself.
        let _ = writeln!(std::io::stderr(), "full disk: skipped: this user cannot mount a tmpfs");
        None
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

struct Setup {
    load: std::sync::Arc<Load>,
    place: Workplace,
    disk: SmallDisk,
    url: StoreUrl,
    running: Running,
    data: String,
    admin: String,
}

async fn setup(on_failure: &str) -> Option<Setup> {
    let load = Load::new().await;
    let place = load.workplace(&format!("on_journal_failure = \"{on_failure}\"\n"));
    let disk = SmallDisk::mount(&place.path("config/data/journal"))?;
    let url = StoreUrl::parse("sqlite:data/ledger.db", &place.path("config")).unwrap();
    let running = place.start(&["serve"], &crate::ledgered::credentials());
    let line = running.logged("serving");
    let address = |name: &str| line[name].as_str().unwrap().to_owned();
    let (data, admin) = (address("data"), address("admin"));
    Some(Setup { load, place, disk, url, running, data, admin })
}

async fn send(request: Request<Full<Bytes>>) -> (Response<()>, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).unwrap())
}

impl Setup {
    async fn get(&self, path: &str) -> (u16, String) {
        let uri = format!("http://{}{path}", self.admin);
        let (answer, body) = send(Request::get(uri).body(Full::default()).unwrap()).await;
        (answer.status().as_u16(), body)
    }

    async fn converse(&self) -> (Response<()>, String) {
        let uri = format!("http://{}/s/a/model/{CLAUDE}/converse", self.data);
        let request = Request::post(uri).header("x-tollgate-labels", "call=900000000");
        send(request.body(Full::new(converse_body("words").into())).unwrap()).await
    }

    async fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics").await;
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}")).rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Waits until `/readyz` says so.
    async fn ready(&self, status: u16) {
        let until = Instant::now() + DEADLINE;
        while self.get("/readyz").await.0 != status {
            assert!(Instant::now() < until, "never {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_calls_and_heals_without_a_restart() {
    let Some(setup) = setup("refuse").await else { return };
    setup.load.call(&setup.data, Duration::from_millis(500)).await;
    let calling = setup.load.calling(&setup.data, DEADLINE);
    tokio::time::sleep(Duration::from_millis(200)).await;
    setup.disk.fill();
    // Every caller ends at its first refusal.
    calling.join_all().await;
    let (answer, body) = setup.converse().await;
    assert_eq!(answer.status(), 503, "{body}");
    assert_eq!(answer.headers()["x-tollgate-error"], "journal_unavailable");
    assert_eq!(answer.headers()["x-amzn-errortype"], "ServiceUnavailableException");
    assert!(body.contains("message"), "{body}");
    setup.ready(503).await;
    assert_eq!(setup.metric("tollgate_journal_refusing").await, 1);
    assert!(setup.metric("tollgate_ledger_errors_total").await > 0);
    setup.disk.make_room();
    setup.ready(200).await;
    setup.load.call(&setup.data, Duration::from_millis(300)).await;
    assert_eq!(setup.metric("tollgate_ledger_lost_records_total").await, 0);
    setup.running.stop();
    assert_eq!(setup.load.check(&setup.url), 0);
    drop((setup.disk, setup.place));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_serve_calls_go_on_and_are_recorded_once_there_is_room() {
    let Some(setup) = setup("serve").await else { return };
    setup.load.call(&setup.data, Duration::from_millis(300)).await;
    setup.disk.fill();
    let before = setup.load.answered();
    setup.load.call(&setup.data, Duration::from_millis(500)).await;
    assert!(setup.load.answered() > before + 20, "calls were held up");
    assert_eq!(setup.get("/readyz").await.0, 200);
    setup.disk.make_room();
    setup.load.call(&setup.data, Duration::from_millis(300)).await;
    crate::ledgered::settled(&setup.load, &setup.url).await;
    setup.running.stop();
    assert_eq!(setup.load.check(&setup.url), 0);
    drop((setup.disk, setup.place));
}
