//! Who does not know the secret of a webhook learns nothing, not even whether there is one: neither
//! from the answer, nor from the time it takes.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::service::{Service, Webhook, answer, delivery, now, run_json, verify};

/// Requests of each kind in one comparison.
const REQUESTS: usize = 2_000;
/// The medians may differ by so much, in percent; the machine does other things meanwhile.
const DIFFERENCE_MAX: u32 = 10;
/// So many comparisons may be disturbed, less one.
const TRIES: usize = 5;

#[tokio::test]
async fn without_the_secret_nothing_is_told_and_nothing_kept() {
    let service = Service::start();
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let body = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
    let unknown = Webhook { path: "/webhooks/nobody".into(), secret: webhook.secret.clone() };
    let wrong = Webhook { secret: "wrong".into(), ..webhook.clone() };
    let empty = Webhook { secret: String::new(), ..webhook.clone() };
    let refused = service.post(&wrong, body.clone()).await;
    assert_eq!(refused.0, 401);
    assert_eq!(refused.1["code"], "unauthorized");
    for other in [&unknown, &empty] {
        assert_eq!(service.post(other, body.clone()).await, refused, "indistinguishable");
    }
    let bare = service.client.post(format!("{}{}", service.root, webhook.path)).body(body);
    assert_eq!(answer(bare).await, refused);
    assert_eq!(service.post(&wrong, "nonsense").await, refused);
    assert!(run_json(service.data(), &["quarantine", "list", "--json"]) == json!([]));
    assert_eq!(verify(service.data())["events"], 0);
}

/// What there is in an answer besides its body, less the time.
async fn refusal(service: &Service, webhook: &Webhook) -> (String, Duration) {
    let request = service.client.post(format!("{}{}", service.root, webhook.path));
    let request = request.header("x-api-key", &webhook.secret);
    let began = Instant::now();
    let mut answer = request.send().await.expect("an answer");
    let took = began.elapsed();
    assert!(answer.headers_mut().remove("date").is_some());
    // They come in no order, whatever is asked for.
    let mut head: Vec<_> = answer.headers().iter().map(|line| format!("{line:?}")).collect();
    head.sort_unstable();
    let head = format!("{} {head:?}", answer.status());
    (format!("{head} {}", answer.text().await.expect("a text")), took)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_webhook_are_answered_alike_and_as_fast() {
    let service = Service::start();
    let known = service.add_gym("mitte", "Europe/Berlin");
    for _ in 0..20 {
        service.add_webhook("mitte");
    }
    let wrong = Webhook { secret: "ffs_wrong".into(), ..known.clone() };
    let mut unknown = Webhook { path: known.path.clone(), ..wrong.clone() };
    unknown.path.replace_range(known.path.len() - 12.., "0123456789ab");
    let asked = [wrong, unknown];
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let (mut took, mut told) = ([Vec::new(), Vec::new()], [String::new(), String::new()]);
        for turn in 0..REQUESTS {
            // In turns, since the second of two may find the machine warm.
            for place in [turn % 2, 1 - turn % 2] {
                let (answer, time) = refusal(&service, &asked[place]).await;
                took[place].push(time);
                told[place] = answer;
            }
            assert!(told[0].starts_with("401"), "{}", told[0]);
            assert_eq!(told[0], told[1]);
        }
        let [wrong, unknown] = took.map(median);
        if wrong.abs_diff(unknown) * 100 <= wrong.min(unknown) * DIFFERENCE_MAX {
            return;
        }
        seen.push((wrong, unknown));
    }
    panic!("each time one was slower: {seen:?}");
}
