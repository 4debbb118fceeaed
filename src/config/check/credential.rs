//! Checks of who clients of the API port and the admin port are, and what an entry demands of them.

use super::span;
use crate::{
    access::{self, Credential, Demands, Issuer, KeySource},
    config::{
        file::{self, Demand, JwtIssuer},
        many::{Names, OneOrMany},
        read::{Field, Reader, Spot},
        reference::FilePath,
        value::{Choice as _, Text},
    },
    tls::ServerTls,
};
use jsonwebtoken::Algorithm;
use std::time::Duration;

/// By what the clients of a port can be known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// The port's section of the file.
    pub(super) port: &'static str,
    /// They are asked for certificates.
    pub(super) certificates: bool,
    /// The JWTs of somebody are taken.
    pub(super) issuers: bool,
}

/// Of an entry at `spot`. `None` when it is faulty.
pub(super) fn credential(
    demand: &Demand,
    spot: &Spot,
    means: Means,
    reader: &mut Reader,
) -> Option<Credential> {
    let Demand { token, certificate, jwt } = demand;
    let written = [token.present, certificate.present, jwt.present];
    match written.into_iter().filter(|present| *present).count() {
        0 => return Some(Credential::Anybody),
        1 => {}
        _ => reader
            .fault(spot, "`token`, `certificate` and `jwt` exclude each other: make each an entry"),
    }
    if certificate.present && !means.certificates {
        reader.fault(
            &certificate.spot,
            format!("nobody is asked for a certificate here: set `{}.tls.client_ca`", means.port),
        );
    }
    if jwt.present && !means.issuers {
        reader.fault(&jwt.spot, "no issuer of JWTs is known: set the section `jwt`");
    }
    if let Some(claims) = &jwt.value
        && claims.0.is_empty()
    {
        reader.fault(&jwt.spot, "at least one claim is wanted here, such as `iss` or `sub`");
    }
    // One that is faulty must not open the door to anybody, though the fault keeps the file out anyway.
    let token = token.value.as_ref().map(|token| Credential::Token(token.0.clone()));
    let name = certificate.value.as_ref();
    token
        .or_else(|| name.map(|name| Credential::Certificate(name.0.as_str().into())))
        .or_else(|| jwt.value.as_ref().map(|claims| Credential::Jwt(demands(claims))))
}

fn demands(claims: &Names<OneOrMany<Text>>) -> Demands {
    let demand = |(claim, field): &(String, Field<OneOrMany<Text>>)| access::Demand {
        claim: claim.clone(),
        values: texts(field),
    };
    Demands::new(claims.0.iter().map(demand).collect())
}

/// Whose JWTs are taken.
pub(super) fn issuers(field: &Field<OneOrMany<JwtIssuer>>, reader: &mut Reader) -> Vec<Issuer> {
    let mut issuers: Vec<Issuer> = Vec::new();
    for entry in field.value.iter().flat_map(|list| &list.0) {
        let Some(issuer) = entry.value.as_ref().and_then(|it| issuer(it, reader)) else { continue };
        if issuers.iter().any(|other| other.issuer == issuer.issuer) {
            reader.fault(&entry.spot, format!("`{}` stands here twice", issuer.issuer));
        }
        issuers.push(issuer);
    }
    issuers
}

/// `None` when a part is missing.
fn issuer(written: &JwtIssuer, reader: &mut Reader) -> Option<Issuer> {
    let jwks = written.jwks.value.as_ref()?.0.clone();
    let is_https = match &jwks {
        KeySource::Url(url) => url.scheme_str() == Some("https"),
        KeySource::File(_) => false,
    };
    if written.ca.present && !is_https {
        reader.fault(&written.ca.spot, "authorities are for a `jwks` by `https://`");
    }
    let listed = written.algorithms.value.iter().flat_map(|list| &list.0);
    let named: Vec<_> = listed.filter_map(|field| field.value.as_ref()).map(|it| it.0).collect();
    let algorithms = if written.algorithms.present {
        named
    } else {
        Algorithm::WORDS.iter().map(|(_, algorithm)| *algorithm).collect()
    };
    Some(Issuer {
        issuer: written.issuer.value.as_ref()?.0.clone(),
        audience: texts(&written.audience),
        jwks,
        ca: written.ca.value.as_ref().map(|file| file.0.clone()),
        algorithms,
        refresh: span(&written.refresh).unwrap_or(Duration::from_secs(300)),
        keep_for: span(&written.keep_for).unwrap_or(Duration::from_secs(24 * 3600)),
    })
}

fn texts(field: &Field<OneOrMany<Text>>) -> Vec<String> {
    let listed = field.value.iter().flat_map(|list| &list.0);
    listed.filter_map(|field| field.value.as_ref()).map(|text| text.0.clone()).collect()
}

/// How a port shows who it is; `None` when a file is faulty.
pub(super) fn server_tls(field: &Field<file::ServerTls>) -> Option<ServerTls> {
    let tls = field.value.as_ref()?;
    let file = |field: &Field<FilePath>| field.value.as_ref().map(|file| file.0.clone());
    Some(ServerTls {
        cert: file(&tls.cert)?,
        key: file(&tls.key)?,
        client_ca: file(&tls.client_ca),
    })
}

/// By what clients of the port with this `tls` can be known.
pub(super) fn means(
    port: &'static str,
    tls: &Field<file::ServerTls>,
    jwt: &Field<OneOrMany<JwtIssuer>>,
) -> Means {
    let certificates = tls.value.as_ref().is_some_and(|tls| tls.client_ca.present);
    Means { port, certificates, issuers: jwt.present }
}
