//! A certificate authority of the test's own, and clients that trust it alone.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CrlDistributionPoint, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

use crate::service::client;

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// How long a certificate is valid.
#[derive(Clone, Copy)]
pub enum Term {
    Now,
    Over,
    ToCome,
}

/// The files of a certificate and its key.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the test's authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Authority { issuer }
    }

    /// Writes its own certificate into a folder.
    pub fn write_root(&self, folder: &Path) -> PathBuf {
        let path = folder.join("root.pem");
        std::fs::write(&path, self.issuer.pem()).expect("it can be written");
        path
    }

    /// Writes a certificate for this machine into a folder.
    pub fn issue(&self, folder: &Path, name: &str, term: Term) -> Files {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("good names");
        params.distinguished_name.push(DnType::CommonName, name);
        // Where it would be listed if it were revoked, as public authorities say it.
        let uris = vec!["http://authority.test/revoked.crl".to_owned()];
        params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Clients want a server's certificate to end before long.
        let today = footfall::domain::calendar::day_of(chrono_tz::UTC, crate::service::now());
        let date = |days| {
            use chrono::Datelike;
            let date = today.plus(days).date();
            let small = |number: u32| u8::try_from(number).expect("days and months are small");
            date_time_ymd(date.year(), small(date.month()), small(date.day()))
        };
        let (from, until) = match term {
            Term::Now => (-1, 90),
            Term::Over => (-90, -1),
            Term::ToCome => (2, 90),
        };
        (params.not_before, params.not_after) = (date(from), date(until));
        let key = KeyPair::generate().expect("a key");
        let issued = params.signed_by(&key, &self.issuer).expect("it is issued");
        let files = Files {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.certificate, issued.pem()).expect("it can be written");
        std::fs::write(&files.key, key.serialize_pem()).expect("it can be written");
        files
    }

    pub fn client(&self) -> reqwest::Client {
        trusting(self.issuer.pem().as_bytes()).build().expect("a client")
    }
}

impl Files {
    /// The settings that make a service use them.
    pub fn env(&self) -> [(&str, &str); 2] {
        [
            ("FOOTFALL_TLS_CERTIFICATE", self.certificate.to_str().expect("text")),
            ("FOOTFALL_TLS_KEY", self.key.to_str().expect("text")),
        ]
    }

    /// Puts them where others are, as one who renews them does.
    pub fn replace(&self, others: &Files) {
        std::fs::copy(&self.certificate, &others.certificate).expect("it can be written");
        std::fs::copy(&self.key, &others.key).expect("it can be written");
    }
}

/// A client that trusts one authority and nobody else.
pub fn trusting(root: &[u8]) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(root).expect("it is PEM");
    client().tls_built_in_root_certs(false).add_root_certificate(root).no_proxy()
}
