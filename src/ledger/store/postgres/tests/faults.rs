//! A server that is away, or that will not have us.

use super::*;

/// Returns `reason; hint` of why a store cannot be used.
fn refusal(url: &str, access: Access) -> String {
    match PostgresStore::open(url, None, access, &[]) {
        Err(
            StoreError::Unusable { place, reason, hint } | StoreError::Unprepared { place, reason, hint },
        ) => {
            assert!(!place.contains("secret"), "{place}");
            format!("{reason}; {hint}")
        }
        other => panic!("{other:?}"),
    }
}

fn is_away<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Away { .. }))
}

#[test]
fn a_server_that_was_away_is_used_again() {
    let Some(mut server) = Server::start() else { return };
    let url = server.create("ledger");
    let mut store = open(&url);
    assert_eq!(store.append(&[samples::plain(1, 0)]).unwrap(), 1);
    server.stop();
    assert!(is_away(&store.append(&[samples::plain(2, 0)])));
    assert!(is_away(&store.append(&[samples::plain(2, 0)])));
    assert!(is_away(&PostgresStore::open(&url, None, Access::Write, &[])));
    server.start_again();
    assert_eq!(store.append(&[samples::plain(1, 0), samples::plain(2, 0)]).unwrap(), 1);
    assert_eq!(agreed_sum(&mut store).calls, 2);
}

#[test]
fn a_connection_that_the_server_ends_is_made_again() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    admin(&url).execute(others, &[]).unwrap();
    assert!(is_away(&store.append(&[samples::plain(1, 0)])));
    assert_eq!(store.append(&[samples::plain(1, 0)]).unwrap(), 1);
}

#[test]
fn a_server_with_too_many_clients_is_away() {
    let Some(url) = database() else { return };
    let mut owner = admin(&url);
    owner.batch_execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0").unwrap();
    let url = url.replace("tollgate@", "crowded@");
    assert!(is_away(&PostgresStore::open(&url, None, Access::Write, &[])));
}

#[test]
fn a_server_that_nobody_runs_is_away() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://u:secret@127.0.0.1:{port}/db");
    match PostgresStore::open(&url, None, Access::Write, &[]) {
        Err(StoreError::Away { place, reason }) => {
            assert_eq!(place, format!("postgres://u:***@127.0.0.1:{port}/db"));
            assert!(reason.contains("refused"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_password_that_is_wrong_or_missing_is_named() {
    let Some(url) = database() else { return };
    let mut owner = admin(&url);
    let name: String = owner.query_one("SELECT current_database()::text", &[]).unwrap().get(0);
    owner.batch_execute("CREATE ROLE guarded LOGIN PASSWORD 'right'").unwrap();
    owner.batch_execute(&format!("GRANT CREATE ON DATABASE {name} TO guarded")).unwrap();
    let with = |password: &str| url.replace("tollgate@", &format!("guarded{password}@"));
    let wrong = refusal(&with(":secret"), Access::Write);
    assert!(wrong.starts_with("password authentication failed for user \"guarded\"; check"), "{wrong}");
    let missing = refusal(&with(""), Access::Write);
    assert!(missing.contains("password missing") && missing.contains("PGPASSWORD"), "{missing}");
    PostgresStore::open(&with(""), Some("right"), Access::Write, &[]).unwrap();
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let Some(url) = database() else { return };
    let at = url.rfind('/').unwrap();
    let refusal = refusal(&format!("{}/nowhere?sslmode=disable", &url[..at]), Access::Write);
    assert!(refusal.contains("\"nowhere\" does not exist") && refusal.contains("createdb"), "{refusal}");
}

#[test]
fn a_user_without_rights_is_told_which() {
    let Some(url) = database() else { return };
    admin(&url).batch_execute("CREATE ROLE weak LOGIN").unwrap();
    let refusal = refusal(&url.replace("tollgate@", "weak@"), Access::Write);
    assert!(
        refusal.contains("permission denied") && refusal.contains("GRANT CREATE ON DATABASE"),
        "{refusal}"
    );
}

#[test]
fn a_schema_that_was_made_for_us_is_taken() {
    let Some(url) = database() else { return };
    admin(&url)
        .batch_execute("CREATE ROLE modest LOGIN; CREATE SCHEMA tollgate AUTHORIZATION modest")
        .unwrap();
    assert_eq!(open(&url.replace("tollgate@", "modest@")).append(&[samples::plain(1, 0)]).unwrap(), 1);
}

#[test]
fn a_newer_schema_is_left_alone() {
    let Some(url) = database() else { return };
    let mut store = open(&url);
    let mut owner = admin(&url);
    owner.batch_execute("INSERT INTO tollgate.schema_version VALUES (99)").unwrap();
    for access in [Access::Write, Access::Read] {
        let refusal = refusal(&url, access);
        assert!(refusal.contains("version 99") && refusal.contains("up to 1"), "{refusal}");
    }
    owner.batch_execute("DROP TABLE tollgate.rollups").unwrap();
    match store.append(&[samples::plain(1, 0)]) {
        Err(StoreError::Unusable { reason, .. }) => assert!(reason.contains("rollups"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn reading_makes_no_ledger() {
    let Some(url) = database() else { return };
    assert!(refusal(&url, Access::Read).contains("holds no ledger; start `tollgate serve`"));
    let found = admin(&url).query_one("SELECT to_regnamespace('tollgate') IS NULL", &[]).unwrap();
    assert!(found.get::<_, bool>(0));
}

#[test]
fn a_database_that_cannot_hold_every_text_is_refused() {
    let Some(url) = database() else { return };
    admin(&url).batch_execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0").unwrap();
    let at = url.rfind('/').unwrap();
    let refusal = refusal(&format!("{}/latin?sslmode=disable", &url[..at]), Access::Write);
    assert!(refusal.contains("encoding is LATIN1; make one with `createdb --encoding UTF8"), "{refusal}");
}
