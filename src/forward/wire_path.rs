//! A path as it goes upstream, and as its signature covers it.

use crate::sigv4::push_canonical_path;
use std::borrow::Cow;

/// The part of a path that calls share, in both of its forms, so that neither is encoded anew for each.
#[derive(Debug, Clone, Default)]
pub struct Stem {
    wire: String,
    /// What is signed: the wire form, each segment encoded once more.
    canonical: String,
}

/// A path for upstream.
#[derive(Debug, Clone)]
pub struct WirePath<'a> {
    stem: Cow<'a, Stem>,
    /// What follows the stem. Nothing in it is to be encoded.
    leaf: &'static str,
}

impl Stem {
    /// Returns the stem of that form on the wire.
    pub fn new(wire: String) -> Self {
        let mut canonical = String::with_capacity(wire.len().saturating_mul(2));
        push_canonical_path(&mut canonical, &wire);
        Self { wire, canonical }
    }

    /// Returns the path of a stem and what follows it: a slash and a name.
    pub fn join(&self, leaf: &'static str) -> WirePath<'_> {
        WirePath { stem: Cow::Borrowed(self), leaf }
    }
}

impl From<String> for WirePath<'_> {
    /// Makes a path of its form on the wire.
    fn from(wire: String) -> Self {
        Self { stem: Cow::Owned(Stem::new(wire)), leaf: "" }
    }
}

impl WirePath<'_> {
    /// Returns the parts of what goes on the wire.
    pub(super) fn wire(&self) -> [&str; 2] {
        [&self.stem.wire, self.leaf]
    }

    /// Returns the parts of what is signed.
    pub(super) fn canonical(&self) -> [&str; 2] {
        [&self.stem.canonical, self.leaf]
    }
}
