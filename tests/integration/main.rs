//! Tests that drive the gateway from outside.
