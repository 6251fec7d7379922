//! Tests that drive the gateway from outside: sockets in front of it, the simulated Bedrock behind it.

#[cfg(test)]
mod addressing;
#[cfg(test)]
mod admin_token;
#[cfg(test)]
mod allowed_models;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod bad_body;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod books;
#[cfg(test)]
mod breaking;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod certs;
#[cfg(test)]
mod check_aws;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod discovered;
#[cfg(test)]
mod discovering;
#[cfg(test)]
mod early;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod exactness;
#[cfg(test)]
mod file_limit;
#[cfg(test)]
mod focus;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod headless;
#[cfg(test)]
mod healthcheck;
#[cfg(test)]
mod held;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod idling;
#[cfg(test)]
mod init;
#[cfg(test)]
mod key_uses;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod ledger_reads;
#[cfg(test)]
mod ledger_refusals;
#[cfg(test)]
mod ledgered;
#[cfg(test)]
mod multiplexed;
#[cfg(test)]
mod mutual_tls;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod own_profiles;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod policies;
#[cfg(test)]
#[path = "../support/postgres.rs"]
mod postgres;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod program;
#[cfg(test)]
mod provisioned;
#[cfg(test)]
mod proxied;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod request_metadata;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod session_roles;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod spend;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_front;
#[cfg(test)]
mod tls_listening;
#[cfg(test)]
mod truncated;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod unchanged;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod wire;
