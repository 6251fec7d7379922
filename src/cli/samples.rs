//! The sample files, as they are shipped.

/// The config file: every setting with its default.
pub(super) const CONFIG: &str = include_str!("../../config/tollgate.toml");

/// The services file: two services.
pub(super) const SERVICES: &str = include_str!("../../config/services.toml");
