//! Prices, stores and journals that cannot be used: every command says what is wrong, where, and what to do about it, and
//! leaves everything as it was.

use crate::ledger_reads::{HAIKU, call, run};
use crate::ledgered::credentials;
use crate::postgres::Server;
use crate::program::{Ran, Running, Workplace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tollgate::ledger::journal::{Journal, Settings};
use tollgate::ledger::store::{Access, StoreUrl, open};

const JOURNAL: &str = "config/data/journal";
const STORE: &str = "config/data/ledger.db";

/// Makes a folder with a gateway's files, on free ports; `more` goes into its config.
fn place(more: &str) -> Workplace {
    let listen = "[listen]\ndata = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[log]\naccess = \"off\"\n";
    let services = "[services.checkout]\ntags = { team = 'payments' }\nprofiles = { \"amazon.nova-lite-v1:0\" = \
                    \"arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/a\" }\n";
    Workplace::with(&format!("{listen}{more}"), services)
}

/// Returns every file below a folder with its bytes, and every folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path, Some(bytes));
        }
    }
    found
}

/// Asserts that a command ended with exit status 2, an error that says all that, and a way out.
#[track_caller]
fn is_refusal(command: &str, ran: &Ran, said: &[&str]) {
    assert_eq!(ran.status, 2, "{command}: {ran:?}");
    assert!(ran.err.contains("error: ") && ran.err.contains("\nhint: "), "{command}: {ran:?}");
    let all = format!("{}{}", ran.out, ran.err);
    for words in said {
        assert!(all.contains(words), "{command}: '{words}' is missing: {ran:?}");
    }
    assert!(!all.contains("panicked") && !all.contains("secret"), "{command}: {ran:?}");
}

/// Asserts that commands are refused, with all that said, and change nothing.
#[track_caller]
fn refuse(place: &Workplace, commands: &[&str], said: &[&str]) {
    let before = contents(&place.path(""));
    for command in commands {
        is_refusal(command, &run(place, command), said);
        assert!(contents(&place.path("")) == before, "{command} has changed something");
    }
}

fn serve(place: &Workplace) -> Running {
    place.start(&["serve"], &credentials())
}

fn url(place: &Workplace) -> StoreUrl {
    StoreUrl::Sqlite(place.path(STORE))
}

#[test]
fn wrong_prices_are_refused_with_line_and_key() {
    let row = |rest: &str| format!("[[price]]\nmodel = \"vendor.model\"\n{rest}\n");
    let overlapping = format!(
        "{}{}",
        row("from = \"2026-01-01\"\nuntil = \"2026-07-01\"\nstandard = { input = \"1\" }"),
        row("from = \"2026-06-30\"\nstandard = { input = \"2\" }"),
    );
    let cases = [
        ("[[price]]\nmodel = \n".to_owned(), ":2:", "not TOML"),
        (overlapping, ":6: price[1]", "price[0]"),
        (row("standard = { input = \"-1\" }"), ":3: price[0].standard.input:", "'-1' is below zero"),
        (row("standard = { inptu = \"1\" }"), ":3: price[0].standard.inptu:", "did you mean 'input'?"),
        (row("standard = { input = 1.5 }"), ":3: price[0].standard.input:", "in quotes"),
        (row("standard = { input = \"0.0000001\" }"), ":3: price[0].standard.input:", "more than 6 decimals"),
        (row("until = \"2026-02-30\"\nstandard = { input = \"1\" }"), ":3: price[0].until:", "is no date"),
    ];
    let place = place("[prices]\noverrides = \"prices.toml\"\n");
    for (prices, at, words) in cases {
        std::fs::write(place.path("config/prices.toml"), prices).unwrap();
        let at = format!("config/prices.toml{at}");
        refuse(&place, &["serve", "check", "prices check", "prices rerate --since 1h"], &[&at, words]);
    }
    std::fs::remove_file(place.path("config/prices.toml")).unwrap();
    refuse(&place, &["serve", "check", "prices check"], &["config/prices.toml", "[prices]"]);
}

#[test]
fn sqlite_files_that_are_no_ledger_are_refused() {
    let commands = ["serve", "check", "report", "records", "prices rerate --since 1h"];
    let place = place("");
    std::fs::create_dir(place.path("config/data")).unwrap();
    std::fs::write(place.path(STORE), "somebody's notes, and no database\n".repeat(200)).unwrap();
    refuse(&place, &commands, &[STORE, "not a database", "`store` of [ledger]"]);
    std::fs::remove_file(place.path(STORE)).unwrap();

    drop(open(&url(&place), Access::Write, &[]).unwrap());
    let file = rusqlite::Connection::open(place.path(STORE)).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    refuse(&place, &commands, &[STORE, "version 99", "a newer one"]);
    std::fs::remove_file(place.path(STORE)).unwrap();

    let file = rusqlite::Connection::open(place.path(STORE)).unwrap();
    file.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(file);
    refuse(&place, &commands, &[STORE, "another program"]);
    std::fs::remove_file(place.path(STORE)).unwrap();

    std::fs::create_dir(place.path(STORE)).unwrap();
    refuse(&place, &commands, &[STORE, "is a folder"]);
}

#[test]
fn folders_that_cannot_be_made_are_refused() {
    let stuck = place("[ledger]\nstore = \"sqlite:file/ledger.db\"\n");
    std::fs::write(stuck.path("config/file"), "").unwrap();
    refuse(&stuck, &["serve", "check", "report", "records"], &["config/file", "config/file is no folder"]);
    let stuck = place("[ledger]\njournal = \"file/journal\"\n");
    std::fs::write(stuck.path("config/file"), "").unwrap();
    refuse(&stuck, &["serve", "check"], &["config/file/journal", "config/file is no folder"]);
    let stuck = place("[ledger]\njournal = \"file\"\n");
    std::fs::write(stuck.path("config/file"), "").unwrap();
    refuse(&stuck, &["serve", "check"], &["config/file", "ledger.journal"]);
}

#[test]
fn what_is_not_there_yet_is_no_mistake() {
    let place = place("");
    let before = contents(&place.path(""));
    let ran = run(&place, "check");
    assert_eq!((ran.status, ran.out.as_str()), (0, "config is valid: 1 service, 1 profile\n"), "{ran:?}");
    assert!(contents(&place.path("")) == before, "check has made something");
    let running = serve(&place);
    running.serving();
    let ran = run(&place, "check");
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "beside a gateway: {ran:?}");
    running.stop();
    assert_eq!(run(&place, "check").status, 0);
}

#[test]
fn a_locked_file_is_waited_for_by_serve_alone() {
    let place = place("");
    drop(open(&url(&place), Access::Write, &[]).unwrap());
    let locking = rusqlite::Connection::open(place.path(STORE)).unwrap();
    locking
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; PRAGMA user_version = 1;")
        .unwrap();
    let running = serve(&place);
    let place = &place;
    std::thread::scope(|scope| {
        let reading =
            ["report", "records"].map(|command| (command, scope.spawn(move || run(place, command))));
        let checking = scope.spawn(|| run(place, "check"));
        for (command, reading) in reading {
            is_refusal(command, &reading.join().unwrap(), &[STORE, "database is locked", "try again"]);
        }
        let ran = checking.join().unwrap();
        assert!(ran.status == 0 && ran.out.starts_with("warning: "), "{ran:?}");
        assert!(ran.out.contains("ledger.store: ") && ran.out.contains("database is locked"), "{ran:?}");
    });
    let line = running.logged("records stay in the journal until the store is there");
    assert!(line["error"].as_str().unwrap().contains("database is locked"), "{line}");
    running.serving();
    running.stop();
}

/// Makes a journal of two calls that the store does not have, and returns its only segment.
fn journal(place: &Workplace) -> PathBuf {
    let folder = place.path(JOURNAL);
    let started = Journal::start(&folder, Settings::default(), &mut |_| unreachable!()).unwrap();
    for start in ["2026-11-01T09:00:00Z", "2026-11-01T10:00:00Z"] {
        started.journal.closing(None, Box::new(call("checkout", HAIKU, start, "1")));
    }
    started.journal.stop();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "journal")).collect();
    let [segment] = segments.as_slice() else { panic!("{segments:?}") };
    segment.clone()
}

#[test]
fn damaged_journals_are_refused() {
    let place = place("");
    let segment = journal(&place);
    let name = format!("{JOURNAL}/{}", segment.file_name().unwrap().display());
    let whole = std::fs::read(&segment).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let cases = [
        (b"somebody's notes, and no journal of a gateway".to_vec(), "no segment of a journal", "move "),
        (with(100, !whole[100]), "damaged at byte 28", "look after the disk"),
        (with(8, 9), "format 9", "start the tollgate that wrote it"),
        (with(13, !whole[13]), "damaged at byte 0", "look after the disk"),
    ];
    for (bytes, wrong, way_out) in cases {
        std::fs::write(&segment, bytes).unwrap();
        refuse(&place, &["serve", "check"], &[&name, wrong, way_out]);
    }
}

#[test]
fn a_torn_last_entry_is_cut_off_and_told() {
    let place = place("");
    let segment = journal(&place);
    let whole = std::fs::metadata(&segment).unwrap().len();
    let file = std::fs::File::options().write(true).open(&segment).unwrap();
    file.set_len(whole - 3).unwrap();
    let before = contents(&place.path(""));
    assert_eq!(run(&place, "check").status, 0);
    assert!(contents(&place.path("")) == before, "check has repaired something");
    let running = serve(&place);
    let line = running.logged("cut off an entry that was never written whole");
    assert!(segment.ends_with(line["file"].as_str().unwrap()), "{line}");
    running.serving();
    running.stop();
    let records = run(&place, "records --since 2026-11-01 --until 2026-11-02 --format jsonl").out;
    assert_eq!(records.lines().count(), 1, "{records}");
}

#[test]
fn one_journal_serves_one_gateway() {
    let place = place("");
    let first = serve(&place);
    let line = first.logged("serving");
    let admin = line["admin"].as_str().unwrap();
    let before = contents(&place.path(JOURNAL));
    let second = place.run(&["serve"], &credentials());
    is_refusal("serve", &second, &[JOURNAL, "in use by another process", "ledger.journal"]);
    assert!(contents(&place.path(JOURNAL)) == before);
    let health = place.run(&["healthcheck", "--url", &format!("http://{admin}/readyz")], &[]);
    assert_eq!(health.status, 0, "{health:?}");
    first.stop();
}

#[test]
fn wrong_database_urls_are_refused_without_their_password() {
    let commands = ["serve", "check", "report", "records"];
    let cases = [
        ("postgres://u:secret@h:port/db", "`port`"),
        ("postgres://u:secret@h/db?colour=red", "colour"),
        ("postgres:///db?user=u", "no host"),
        ("mysql://u:secret@h/db", "ledger.store: no such kind of store"),
    ];
    for (url, wrong) in cases {
        refuse(&place(&format!("[ledger]\nstore = \"{url}\"\n")), &commands, &[wrong]);
    }
}

#[test]
fn databases_that_do_not_take_us_are_refused() {
    let Some(server) = Server::start() else { return };
    let url = server.create("taken");
    let mut client = postgres_client(&url);
    client.batch_execute("CREATE ROLE guarded LOGIN PASSWORD 'right'").unwrap();
    let commands = ["serve", "check", "report", "records"];
    let refused = |url: &str, said: &[&str]| {
        refuse(&place(&format!("[ledger]\nstore = \"{url}\"\n")), &commands, said);
    };
    refused(&url.replace("tollgate@", "guarded:secret@"), &["guarded:***@", "password", "pg_hba.conf"]);
    refused(&server.url("nowhere"), &["/nowhere", "does not exist", "createdb"]);
    let ledger = StoreUrl::Postgres(url.clone());
    drop(open(&ledger, Access::Write, &[]).unwrap());
    client.batch_execute("INSERT INTO tollgate.schema_version (version) VALUES (99)").unwrap();
    refused(&url, &["/taken", "version 99", "a later one"]);
}

fn postgres_client(url: &str) -> postgres::Client {
    postgres::Client::connect(url, postgres::NoTls).unwrap()
}

#[test]
fn a_server_that_is_away_is_waited_for_by_serve_alone() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for host in [free.to_string(), "nowhere.invalid".to_owned()] {
        let place = place(&format!("[ledger]\nstore = \"postgres://u:secret@{host}/db\"\n"));
        let running = serve(&place);
        let line = running.logged("records stay in the journal until the store is there");
        assert!(line["error"].as_str().unwrap().contains(&host), "{line}");
        running.serving();
        for command in ["report", "records"] {
            is_refusal(command, &run(&place, command), &[&host, "is not available", "under [ledger]"]);
        }
        let ran = run(&place, "check");
        assert!(ran.status == 0 && ran.out.starts_with("warning: "), "{ran:?}");
        assert!(ran.out.contains("is not available") && !ran.out.contains("secret"), "{ran:?}");
        running.stop();
    }
}
