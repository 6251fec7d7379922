//! What `tollgate --version` says: `tollgate 0.1.0 (f78010e, 2026-11-24, release)`.

use std::sync::LazyLock;
use time::OffsetDateTime;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (commit, profile) = (env!("TOLLGATE_COMMIT"), env!("TOLLGATE_PROFILE"));
    format!("{} ({commit}, {}, {profile})", env!("CARGO_PKG_VERSION"), date(env!("TOLLGATE_BUILT_AT")))
});

/// Returns the version with the commit, the date (UTC) and the profile of the build.
pub(super) fn version() -> &'static str {
    &VERSION
}

fn date(seconds: &str) -> String {
    let at = seconds.parse().ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.map_or_else(|| "unknown".to_owned(), |at| at.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_in_utc() {
        assert_eq!(date("1795478399"), "2026-11-23");
        assert_eq!(date("1795478400"), "2026-11-24");
        assert_eq!(date("soon"), "unknown");
    }

    #[test]
    fn the_version_names_the_build() {
        let (number, build) = version().split_once(" (").unwrap();
        assert_eq!(number, env!("CARGO_PKG_VERSION"));
        let build: Vec<&str> = build.trim_end_matches(')').split(", ").collect();
        let [commit, date, profile] = build.as_slice() else { panic!("{build:?}") };
        assert!(*commit == "unknown" || commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{commit}");
        assert!(date.len() == 10 && ["debug", "release"].contains(profile), "{date} {profile}");
    }
}
