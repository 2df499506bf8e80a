//! Metrics and traces by OTLP, to a receiver that reads them with the types of the protocol itself.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric};
use prost::Message;
use tempfile::TempDir;
use uuid::Uuid;

use crate::patience::Patience;
use crate::service::{Service, delivery, now};

const START: Duration = Duration::from_secs(30);

/// What came, by path.
type Came = Mutex<Vec<(String, Vec<u8>)>>;

struct Collector {
    came: Arc<Came>,
    url: String,
    server: ServerHandle,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (came, (tell, told)) = (Arc::<Came>::default(), mpsc::channel());
        let state = web::Data::from(came.clone());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    let limit = web::PayloadConfig::new(16 << 20);
                    let take = web::route().to(take);
                    App::new().app_data(state.clone()).app_data(limit).default_service(take)
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.listen(listener).expect("it listens").run();
                tell.send(server.handle()).expect("somebody waits");
                server.await.expect("it ends well");
            });
        });
        let server = told.recv_timeout(START).expect("it starts");
        Collector { came, url, server }
    }

    /// All that came at a path.
    fn at<M: Message + Default>(&self, path: &str) -> Vec<M> {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let bodies = came.iter().filter(|(at, _)| at == path);
        bodies.map(|(_, body)| M::decode(&body[..]).expect("a message of the protocol")).collect()
    }

    /// The newest state of a metric.
    fn metric(&self, name: &str) -> Option<Metric> {
        let newest = self.at::<ExportMetricsServiceRequest>("/v1/metrics").pop()?;
        let [resource] = &newest.resource_metrics[..] else { panic!("one resource") };
        let service = &resource.resource.as_ref().expect("it is named").attributes[0];
        assert_eq!(service.key, "service.name");
        let all = resource.scope_metrics.iter().flat_map(|scope| scope.metrics.clone());
        all.into_iter().find(|metric| metric.name == name)
    }

    /// The name of each span that came.
    fn spans(&self) -> Vec<String> {
        let all = self.at::<ExportTraceServiceRequest>("/v1/traces");
        let resources = all.into_iter().flat_map(|one| one.resource_spans);
        let spans = resources.flat_map(|one| one.scope_spans).flat_map(|one| one.spans);
        let named = spans.map(|span| {
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            span.name
        });
        named.collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn take(request: HttpRequest, body: web::Bytes, came: web::Data<Came>) -> HttpResponse {
    let kind = request.headers().get("content-type").map(|kind| kind.as_bytes().to_vec());
    assert_eq!(kind.as_deref(), Some(&b"application/x-protobuf"[..]));
    let mut came = came.lock().unwrap_or_else(PoisonError::into_inner);
    came.push((request.path().to_owned(), body.to_vec()));
    HttpResponse::Ok().finish()
}

fn sending_to(url: &str) -> Service {
    let folder = Arc::new(TempDir::new().expect("a temporary folder"));
    let every = ("FOOTFALL_OTLP_EVERY", "1");
    Service::start_with(folder, "127.0.0.1:0", &[("FOOTFALL_OTLP_ENDPOINT", url), every])
}

fn numbers(metric: Metric) -> Vec<f64> {
    let points = match metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points,
        Some(Data::Sum(sum)) => sum.data_points,
        other => panic!("no number: {other:?}"),
    };
    let value = |value| match value {
        Some(Value::AsDouble(value)) => value,
        other => panic!("no number: {other:?}"),
    };
    points.into_iter().map(|point| value(point.value)).collect()
}

#[tokio::test]
async fn a_collector_is_told_what_is_measured_and_of_no_member() {
    let collector = Collector::start();
    let service = sending_to(&collector.url);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let token = service.add_token("mia", "manager", &[]);
    let account = Uuid::new_v4();
    let came = delivery(account, now(), "GYM_CHECKIN");
    assert_eq!(service.post(&webhook, came).await.0, 200);
    service.get_ok(&token, &format!("/api/v1/gyms/mitte/members/{account}")).await;
    let patience = Patience::until("the collector knows of it");
    let is_told = || {
        let present = collector.metric("footfall_gym_members_present").map(numbers);
        let spans = collector.spans();
        let has = |name: &str| spans.iter().any(|span| span == name);
        present == Some(vec![1.0])
            && has("POST /webhooks/{webhook}")
            && has("GET /api/v1/gyms/{gym}/members/{account}")
    };
    while !is_told() {
        patience.again().await;
    }
    let accepted = collector.metric("footfall_deliveries_total").map(numbers).expect("it is there");
    let counted: Vec<_> = accepted.into_iter().filter(|count| *count > 0.0).collect();
    assert_eq!(counted, [1.0], "one delivery, of one kind");
    let answers = collector.metric("footfall_delivery_answer_seconds").expect("it is there");
    let Some(Data::Histogram(answers)) = answers.data else { panic!("a histogram") };
    let [HistogramDataPoint { count: 1, bucket_counts, explicit_bounds, .. }] =
        &answers.data_points[..]
    else {
        panic!("one answer: {answers:?}")
    };
    assert_eq!(bucket_counts.iter().sum::<u64>(), 1);
    assert_eq!(bucket_counts.len(), explicit_bounds.len() + 1);
    let bodies = collector.came.lock().unwrap_or_else(PoisonError::into_inner);
    let simple = account.simple().to_string();
    let hyphened = account.to_string();
    let secrets = [&hyphened, &simple, &webhook.secret, &token, &webhook.path[10..]];
    let secrets = secrets.map(str::as_bytes).into_iter().chain([&account.as_bytes()[..]]);
    for secret in secrets {
        let is_there = |body: &[u8]| body.windows(secret.len()).any(|part| part == secret);
        assert!(bodies.iter().all(|(_, body)| !is_there(body)), "{secret:?}");
    }
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_deliveries_nor_a_stop() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let service = sending_to(&url);
    let webhook = service.add_gym("mitte", "Europe/Berlin");
    let asked = tokio::task::spawn_blocking(move || silent.accept().expect("somebody comes"));
    let _connection = asked.await.expect("it was asked");
    for _ in 0..20 {
        let came = delivery(Uuid::new_v4(), now(), "GYM_CHECKIN");
        assert_eq!(service.post(&webhook, came).await.0, 200);
    }
    let ready = service.client.get(format!("{}/readyz", service.root)).send().await;
    assert_eq!(ready.expect("it answers").status(), 200, "the job is not down");
    assert!(service.stop(), "it ends well");
}
