//! Variables that others set.

use std::process::Command;

use tempfile::TempDir;

use crate::service::BINARY;

fn check_config(variables: &[(&str, &str)]) -> (bool, String) {
    let folder = TempDir::new().expect("a temporary folder");
    let mut command = Command::new(BINARY);
    command.arg("check-config").env("FOOTFALL_DATA", folder.path());
    let output = command.envs(variables.iter().copied()).output().expect("the binary runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_passed_over() {
    let (ok, said) = check_config(&[
        ("FOOTFALL_SERVICE_HOST", "10.96.0.17"),
        ("FOOTFALL_SERVICE_PORT", "8080"),
        ("FOOTFALL_SERVICE_PORT_HTTP", "8080"),
        ("FOOTFALL_PORT", "tcp://10.96.0.17:8080"),
        ("FOOTFALL_PORT_8080_TCP", "tcp://10.96.0.17:8080"),
        ("FOOTFALL_PORT_8080_TCP_PROTO", "tcp"),
        ("FOOTFALL_PORT_8080_TCP_PORT", "8080"),
        ("FOOTFALL_PORT_8080_TCP_ADDR", "10.96.0.17"),
        ("FOOTFALL_MAIL_PORT", "tcp://10.96.0.18:25"),
        ("FOOTFALL_METRICS_SERVICE_HOST", "10.96.0.19"),
        ("FOOTFALL_NAME", "/web/footfall"),
        ("FOOTFALL_ENV_FOOTFALL_DATA", "/data"),
        ("FOOTFALL_PORT_8080_TCP_PORT_START", "8080"),
    ]);
    assert!(ok, "{said}");
}

#[test]
fn whatever_the_service_would_not_start_with_is_said_before() {
    let mail = [("FOOTFALL_NOTIFY", r#"[{ mail = ["ann@example.com"] }]"#)];
    let server = ("FOOTFALL_MAIL_SERVER", "mail.example.com");
    let from = ("FOOTFALL_MAIL_FROM", "footfall@example.com");
    let wrong: [(&[(&str, &str)], &str); 7] = [
        (&mail, "names no `server`"),
        (&[mail[0], server], "`from` is missing"),
        (&[mail[0], server, from, ("FOOTFALL_MAIL_USER", "ann")], "FOOTFALL_MAIL_PASSWORD"),
        (&[mail[0], server, from, ("FOOTFALL_MAIL_ROOT", "/nowhere.pem")], "/nowhere.pem"),
        (&[("FOOTFALL_EGYM_ROOT", "/nowhere.pem")], "`egym.root`"),
        (&[("FOOTFALL_LOG_FILTER", "!!")], "filter \"!!\""),
        (
            &[("FOOTFALL_METRICS_LISTEN", "127.0.0.1:8080")],
            "`metrics.listen` and `listen` are both",
        ),
    ];
    for (variables, word) in wrong {
        let (ok, said) = check_config(variables);
        assert!(!ok && said.contains(word), "{variables:?}: {said}");
    }
    let (ok, said) = check_config(&[mail[0], server, from]);
    assert!(ok, "{said}");
}

#[test]
fn a_variable_that_is_meant_for_us_and_is_no_key_is_refused_with_the_nearest_one() {
    let wrong =
        [("FOOTFALL_LISTN", "x"), ("FOOTFALL_PORT", "8080"), ("FOOTFALL_HTTP_PORT", "8080")];
    for (name, value) in wrong {
        let (ok, said) = check_config(&[(name, value)]);
        assert!(!ok && said.contains(name) && said.contains("nearest one is FOOTFALL_"), "{said}");
    }
}
