//! All integration tests, in one binary: real servers on free ports, real SQLite files.

mod architecture;
mod browser;
mod crash;
mod deletions;
mod egym;
mod erasure;
mod http;
mod interrupted;
mod laws;
mod ledger;
mod lists;
mod load;
mod monitoring;
mod notices;
mod openapi;
mod random;
mod rebuild;
mod reference;
mod retention;
mod service;
mod tls;
mod tools;
mod transfer;
mod upgrade;
mod vectors;
mod year;
