//! `#[needs::tools("pebble")]` on a test says what it needs beside Rust.
//!
//! Where that is missing, cargo says of the test `ignored, pebble is missing: apt install pebble`
//! and counts it, since a test that did nothing must not be called ok. Rust's own harness can only
//! be told so at compile time; the build script looks again when what is installed has changed.
//! With `CI=true` such a test fails.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// The build script's list: of each tool `name=`, and how to get it if it is missing.
const TOOLS: &str = env!("TOOLS");

/// Marks a test with the tools that it needs, by their names in `build.rs`. It stands above
/// `#[test]` or `#[tokio::test]`.
#[proc_macro_attribute]
pub fn tools(names: TokenStream, test: TokenStream) -> TokenStream {
    let names = names.to_string();
    let names = names.split(',').map(|name| name.trim().trim_matches('"'));
    let mut missing = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        let mut tools = TOOLS.split('|').filter_map(|tool| tool.split_once('='));
        match tools.find(|(known, _)| *known == name) {
            None => {
                return told("compile_error!", &format!("tests/needs/build.rs has no {name:?}"));
            }
            Some((_, "")) => {}
            Some((_, get)) => missing.push(format!("{name} is missing: {get}")),
        }
    }
    let why = missing.join("; and ");
    if why.is_empty() {
        test
    } else if option_env!("CI") == Some("true") {
        failing(test, &why)
    } else {
        let ignored: TokenStream = format!("#[ignore = {why:?}]").parse().expect("an attribute");
        ignored.into_iter().chain(test).collect()
    }
}

/// A macro with a text, as an item or a statement.
fn told(name: &str, text: &str) -> TokenStream {
    format!("{name}({text:?});").parse().expect("a macro")
}

/// The same test with another body: it says what is missing.
fn failing(test: TokenStream, why: &str) -> TokenStream {
    let mut tokens: Vec<TokenTree> = test.into_iter().collect();
    tokens.pop();
    tokens.push(Group::new(Delimiter::Brace, told("panic!", why)).into());
    tokens.into_iter().collect()
}
