//! One gym location of the stand-in: its webhooks, its allowance of calls, and what goes wrong
//! there on demand. What a call means; how it comes in is elsewhere.

use std::time::Instant;

use serde_json::{Value, json};

/// Calls that may come at once, and how many come back in a second.
const BURST: f64 = 60.0;
const REFILL_PER_SECOND: f64 = 6.0;

#[derive(Clone)]
pub struct Webhook {
    pub id: i64,
    pub url: String,
    pub secret: String,
}

pub struct Location {
    key: String,
    pub may_manage: bool,
    pub webhooks: Vec<Webhook>,
    next_id: i64,
    allowance: f64,
    allowed_at: Instant,
    /// So many of the next calls that do something are done, and their answers are lost.
    pub answers_lost: usize,
    /// So many of the next ones get lost themselves, before any of the above.
    pub calls_lost: usize,
    pub refuses_additions: bool,
    pub refuses_changes: bool,
}

/// An answer: its status and its body.
pub type Answer = (u16, Value);

impl Location {
    pub fn new(key: &str, may_manage: bool) -> Location {
        Location {
            key: key.to_owned(),
            may_manage,
            webhooks: Vec::new(),
            next_id: 4_711,
            allowance: BURST,
            allowed_at: Instant::now(),
            answers_lost: 0,
            calls_lost: 0,
            refuses_additions: false,
            refuses_changes: false,
        }
    }

    /// Takes one call off the allowance; how many are left, or none if it was too many.
    #[expect(clippy::cast_sign_loss, reason = "the allowance is never below zero")]
    pub fn spend(&mut self) -> Option<u32> {
        let refill = self.allowed_at.elapsed().as_secs_f64() * REFILL_PER_SECOND;
        self.allowance = (self.allowance + refill).min(BURST);
        self.allowed_at = Instant::now();
        if self.allowance < 1.0 {
            return None;
        }
        self.allowance -= 1.0;
        Some(self.allowance as u32)
    }

    /// Leaves nothing of the allowance, as one who calls much does.
    pub fn exhaust(&mut self) {
        (self.allowance, self.allowed_at) = (0.0, Instant::now());
    }

    pub fn list(&self) -> Answer {
        (200, self.webhooks.iter().map(Webhook::shown).collect())
    }

    pub fn one(&self, id: i64) -> Answer {
        self.find(id).map_or_else(not_found, |place| (200, self.webhooks[place].shown()))
    }

    pub fn add(&mut self, request: &Value) -> Answer {
        if self.refuses_additions {
            return (400, problem(400, "invalidRequest", "not today"));
        }
        let (url, secret) = match read(request) {
            Ok(parts) => parts,
            Err(refusal) => return refusal,
        };
        if self.webhooks.iter().any(|webhook| webhook.url == url) {
            return taken();
        }
        let webhook = Webhook { id: self.next_id, url, secret };
        self.next_id += 1;
        let shown = webhook.shown();
        self.webhooks.push(webhook);
        (200, shown)
    }

    pub fn change(&mut self, id: i64, request: &Value) -> Answer {
        let Some(place) = self.find(id) else { return not_found() };
        if self.refuses_changes {
            return (400, self.quoting(request));
        }
        let (url, secret) = match read(request) {
            Ok(parts) => parts,
            Err(refusal) => return refusal,
        };
        if self.webhooks.iter().any(|webhook| webhook.url == url && webhook.id != id) {
            return taken();
        }
        self.webhooks[place] = Webhook { id, url, secret };
        (200, self.webhooks[place].shown())
    }

    /// A refusal that repeats all it was told, and more than anybody wants to see.
    fn quoting(&self, request: &Value) -> Value {
        let text = format!("not today: {request} with \u{1b}[31m{}", self.key);
        let mut body = problem(400, "invalidRequest", &text);
        let field = json!({ "name": "secret", "message": format!("no: {}", request["secret"]) });
        body["fieldErrors"] = json!([field, { "name": "long", "message": "x".repeat(5_000) }]);
        body
    }

    pub fn remove(&mut self, id: i64) -> Answer {
        let Some(place) = self.find(id) else { return not_found() };
        self.webhooks.remove(place);
        (204, Value::Null)
    }

    fn find(&self, id: i64) -> Option<usize> {
        self.webhooks.iter().position(|webhook| webhook.id == id)
    }
}

impl Webhook {
    fn shown(&self) -> Value {
        json!({ "id": self.id, "url": self.url, "secret": self.secret })
    }
}

fn read(request: &Value) -> Result<(String, String), Answer> {
    let text = |name: &str| {
        let found = request[name].as_str().filter(|text| !text.is_empty());
        found.map(str::to_owned).ok_or_else(|| {
            let field =
                json!({ "name": name, "message": "must not be empty", "rejectedValue": "" });
            let mut body = problem(400, "invalidArguments", "the request is not valid");
            body["fieldErrors"] = json!([field]);
            (400, body)
        })
    };
    Ok((text("url")?, text("secret")?))
}

fn not_found() -> Answer {
    let mut body = problem(404, "notFound", "not found");
    body["metadata"] = json!({ "entity": "WEBHOOK" });
    (404, body)
}

fn taken() -> Answer {
    (409, problem(409, "webhookUrlAlreadyRegistered", "the URL is registered already"))
}

/// An error as EGYM writes it.
pub fn problem(status: u16, code: &str, message: &str) -> Value {
    json!({
        "timestamp": crate::service::now(), "path": "/api/v2/webhooks", "requestId": "0-1",
        "status": status, "error": "an error", "errorCode": code, "message": message,
        "fieldErrors": [], "metadata": {},
    })
}
