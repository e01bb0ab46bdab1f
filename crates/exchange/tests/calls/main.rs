//! Calls of one tenant: what goes in, what comes out, line by line.

mod flows;
mod forwarding;
mod names;
mod support;
