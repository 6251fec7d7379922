//! How many files a gateway may hold open.

use crate::program::{Running, Workplace};

const CONFIG: &str = "listen.data = '127.0.0.1:0'\nlisten.admin = '127.0.0.1:0'\n";
const ENV: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")];

#[test]
fn a_low_soft_limit_is_raised_to_the_hard_one() {
    let place = Workplace::with(&format!("{CONFIG}listen.max_connections = 100\n"), "");
    let running = place.start_under("ulimit -Sn 100 && ulimit -Hn 900", &["serve"], &ENV);
    running.serving();
    assert_eq!(of(&running, "limits", "Max open files"), ["900", "900", "files"]);
    assert_eq!(running.end_and_count("the limit of open files"), 0);
}

/// Were it to grow later, it would hold calls up (`file_limit::have_table_for`).
#[test]
fn the_table_of_open_files_has_room_from_the_start() {
    let place = Workplace::with(&format!("{CONFIG}listen.max_connections = 100\n"), "");
    for (before, least) in [(":", 800), ("ulimit -n 500", 500)] {
        let running = place.start_under(before, &["serve"], &ENV);
        running.serving();
        let size: u32 = of(&running, "status", "FDSize:")[0].parse().unwrap();
        assert!(size >= least, "{before}: {size}");
        running.stop();
    }
}

#[test]
fn a_hard_limit_that_is_too_low_is_told() {
    let place = Workplace::with(&format!("{CONFIG}listen.max_connections = 1000\n"), "");
    let running = place.start_under("ulimit -n 900", &["serve"], &ENV);
    let told = running.logged("the limit of open files is too low for listen.max_connections");
    assert_eq!((&told["limit"], &told["wanted"]), (&900.into(), &2600.into()));
    assert!(told["hint"].as_str().unwrap().contains("LimitNOFILE"), "{told}");
    running.serving();
    running.stop();
}

/// Returns what a file of the process under `/proc` says behind a name.
fn of(running: &Running, file: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{}/{file}", running.id())).unwrap();
    let rest = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    rest.split_whitespace().map(str::to_owned).collect()
}
