//! Tests that drive the gateway from outside: sockets in front of it, the simulated Bedrock behind it.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod gateway;
