//! The ways to a manager: a mail over SMTP, and JSON to a webhook as Slack takes it. A URL and a
//! password are secrets: no error here quotes one.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as SmtpTls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::Url;
use tokio::time::timeout;
use uuid::Uuid;

use super::content::Content;
use crate::app::config::{Config, MailConfig, NotifyEntry, Tls};
use crate::store::SecretHash;

/// One delivery, from the first byte to the answer, takes at most this.
const DELIVERY_MAX: Duration = Duration::from_secs(10);

/// And until there is a connection, at most this.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Where a notice goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    Mail(Mailbox),
    Webhook(Url),
}

impl Recipient {
    /// All that an entry names.
    pub fn of(entry: &NotifyEntry) -> anyhow::Result<Vec<Recipient>> {
        let mails = entry.mail.iter().map(|address| Ok(Recipient::Mail(mailbox(address)?)));
        let mut recipients = mails.collect::<anyhow::Result<Vec<_>>>()?;
        if !entry.webhook.is_empty() {
            recipients.push(Recipient::Webhook(entry.webhook.reveal().parse()?));
        }
        Ok(recipients)
    }

    /// By what it is remembered.
    pub fn hash(&self) -> SecretHash {
        match self {
            Recipient::Mail(mailbox) => SecretHash::of(mailbox.email.to_string().as_bytes()),
            Recipient::Webhook(url) => SecretHash::of(url.as_str().as_bytes()),
        }
    }

    /// What may be said of it.
    pub fn word(&self) -> &'static str {
        match self {
            Recipient::Mail(_) => "mail",
            Recipient::Webhook(_) => "webhook",
        }
    }
}

/// Why a notice did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("the mail server answered {0}")]
    Refused(lettre::transport::smtp::response::Code),
    #[error("the mail server cannot be used: {0}")]
    Smtp(String),
    #[error("the mail server broke off: {0}")]
    SmtpBroken(String),
    #[error("the mail cannot be written: {0}")]
    Mail(#[from] lettre::error::Error),
    #[error("the webhook answered {0}")]
    Status(reqwest::StatusCode),
    #[error("the webhook cannot be reached: {0}")]
    Http(String),
    #[error("the webhook broke off: {0}")]
    HttpBroken(String),
    #[error("no answer within {} s", DELIVERY_MAX.as_secs())]
    TooSlow,
}

impl DeliveryError {
    /// Whether the receiver may have taken it all the same. It has not when there was no
    /// connection, or when it answered that it did not.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::SmtpBroken(_) | Self::HttpBroken(_) | Self::TooSlow => true,
            Self::Refused(_) | Self::Smtp(_) | Self::Mail(_) | Self::Status(_) | Self::Http(_) => {
                false
            }
        }
    }

    fn of_smtp(error: &SmtpError) -> DeliveryError {
        match error.status() {
            Some(code) => DeliveryError::Refused(code),
            None if never_connected(error) => DeliveryError::Smtp(error.to_string()),
            None => DeliveryError::SmtpBroken(error.to_string()),
        }
    }

    fn of_http(error: reqwest::Error) -> DeliveryError {
        let never_connected = error.is_connect() || error.is_builder();
        let text = format!("{:#}", anyhow::Error::new(error.without_url()));
        if never_connected { DeliveryError::Http(text) } else { DeliveryError::HttpBroken(text) }
    }
}

/// Whether there was no session in which a mail could be handed over.
fn never_connected(error: &SmtpError) -> bool {
    let mut causes =
        iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    // What the other side says to a TLS handshake or to a port where nothing listens.
    let is_refusal = |kind| matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::InvalidData);
    let refused = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| is_refusal(error.kind()))
    };
    error.is_client() || error.is_tls() || causes.any(refused)
}

/// Sends notices.
pub struct Ways {
    mail: Option<(AsyncSmtpTransport<Tokio1Executor>, Mailbox)>,
    client: reqwest::Client,
}

impl Ways {
    pub fn open(config: &Config) -> anyhow::Result<Ways> {
        // A redirect could carry the secret in the URL to somebody else.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        // Sooner than the whole, so that a host that does not answer is told from a slow one.
        let client = client.connect_timeout(CONNECT_MAX);
        let has_mail = !config.mail.server.is_empty();
        let mail = has_mail.then(|| open_mail(&config.mail, config.public_host())).transpose()?;
        Ok(Ways { mail, client: client.build()? })
    }

    pub fn has_mail(&self) -> bool {
        self.mail.is_some()
    }

    pub async fn send(&self, to: &Recipient, content: &Content) -> Result<(), DeliveryError> {
        let sent = async {
            match to {
                Recipient::Mail(mailbox) => self.mail(mailbox, content).await,
                Recipient::Webhook(url) => self.post(url, content).await,
            }
        };
        timeout(DELIVERY_MAX, sent).await.unwrap_or(Err(DeliveryError::TooSlow))
    }

    /// Greets the mail server, if there is one, and logs in.
    pub async fn greet(&self) -> Result<(), DeliveryError> {
        let Some((transport, _)) = &self.mail else { return Ok(()) };
        match timeout(DELIVERY_MAX, transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(DeliveryError::Smtp("it does not answer as one".to_owned())),
            Ok(Err(error)) => Err(DeliveryError::of_smtp(&error)),
            Err(_) => Err(DeliveryError::TooSlow),
        }
    }

    async fn mail(&self, to: &Mailbox, content: &Content) -> Result<(), DeliveryError> {
        let (transport, from) = self.mail.as_ref().expect("entries with mail were checked for it");
        let body = MultiPart::alternative_plain_html(content.text(), content.html());
        let mail = Message::builder().from(from.clone()).to(to.clone());
        let mail = mail.message_id(Some(message_id(from)));
        let mut mail = mail.subject(one_line(&content.subject)).multipart(body)?;
        // So that nobody's absence notice answers it (RFC 3834).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
        let sent = transport.send(mail).await;
        sent.map(drop).map_err(|error| DeliveryError::of_smtp(&error))
    }

    async fn post(&self, url: &Url, content: &Content) -> Result<(), DeliveryError> {
        let sent = self.client.post(url.clone()).json(&content.json()).send().await;
        let answer = sent.map_err(DeliveryError::of_http)?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(DeliveryError::Status(status)) }
    }
}

/// A name of its own, in the sender's domain: a mail server that finds none, or one that is not the
/// sender's, takes a mail for what spammers send.
fn message_id(from: &Mailbox) -> String {
    format!("<{}@{}>", Uuid::new_v4(), from.email.domain())
}

/// Whom a mail is from or to, with the domain as it travels: not every mail server takes another.
fn mailbox(text: &str) -> anyhow::Result<Mailbox> {
    let Mailbox { name, email } = text.parse()?;
    let email = Address::new(email.user(), ascii_domain(email.domain()))?;
    Ok(Mailbox { name, email })
}

/// A domain as it travels in headers, where some letters are spelled in others.
fn ascii_domain(domain: &str) -> String {
    let spelled = Url::parse(&format!("http://{domain}/")).ok();
    spelled.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| domain.to_owned())
}

/// A subject is one line, whatever a gym is called.
fn one_line(text: &str) -> String {
    text.replace(|character: char| character.is_control(), " ")
}

/// As whom to greet the mail server: the host's name from outside, else the sender's domain. Some
/// servers refuse a name without a dot, and one that is no name.
fn greeting(public_host: Option<&str>, from: &Mailbox) -> ClientId {
    let mut names = public_host.into_iter().chain([from.email.domain()]);
    let is_whole = |name: &&str| name.contains('.') && name.parse::<IpAddr>().is_err();
    names.find(is_whole).map_or_else(ClientId::default, |name| ClientId::Domain(ascii_domain(name)))
}

fn open_mail(
    config: &MailConfig,
    public_host: Option<&str>,
) -> anyhow::Result<(AsyncSmtpTransport<Tokio1Executor>, Mailbox)> {
    let from: Mailbox =
        mailbox(&config.from).context("[mail] `from` is missing: whose mail is it?")?;
    let tls = match config.tls {
        Tls::Starttls => SmtpTls::Required(trusted(config)?),
        Tls::Tls => SmtpTls::Wrapper(trusted(config)?),
        Tls::None => SmtpTls::None,
    };
    let server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server);
    let server = server.tls(tls).port(config.port).timeout(Some(DELIVERY_MAX));
    let server = server.hello_name(greeting(public_host, &from));
    if config.user.is_empty() {
        return Ok((server.build(), from));
    }
    let credentials = Credentials::new(config.user.clone(), password(config)?);
    Ok((server.credentials(credentials).build(), from))
}

/// Whom to believe that it is the mail server: public roots, and one more if it is named.
fn trusted(config: &MailConfig) -> anyhow::Result<TlsParameters> {
    let trusted = TlsParameters::builder(config.server.clone());
    let root = &config.root;
    if root.as_os_str().is_empty() {
        return Ok(trusted.build_rustls()?);
    }
    let shown = || format!("[mail] root {}", root.display());
    let certificate = Certificate::from_pem(&std::fs::read(root).with_context(shown)?);
    Ok(trusted.add_root_certificate(certificate.with_context(shown)?).build_rustls()?)
}

fn password(config: &MailConfig) -> anyhow::Result<String> {
    let file = &config.password_file;
    match (config.password.is_empty(), file.as_os_str().is_empty()) {
        (false, true) => Ok(config.password.reveal().to_owned()),
        (true, false) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("[mail] password_file {}", file.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        (true, true) => bail!("[mail] `user` needs FOOTFALL_MAIL_PASSWORD or `password_file`"),
        (false, false) => bail!("[mail] has `password` and `password_file`; take one out"),
    }
}
