//! What a failed request means, found in the chain of causes under the client's error.
//! Only classes come out: a certificate's content, an address or a server's greeting would tell a
//! user about networks that are not theirs.

use std::error::Error;
use std::io;

use longshore_core::code::Code;
use rustls::{AlertDescription, CertificateError};

use super::error::FetchError;
use super::guard::GuardError;

pub(super) fn explain(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let verdict = if let Some(guard) = find::<GuardError>(&error) {
        refused_name(guard)
    } else if let Some(tls) = find::<rustls::Error>(&error) {
        FetchError::never(
            Code::TlsFailed,
            format!("the TLS connection failed: {}", class(tls)),
        )
    } else if error.is_connect() {
        FetchError::later(Code::ConnectFailed, "could not connect")
    } else {
        let message = "the source closed the connection or did not answer in HTTP";
        FetchError::later(Code::ConnectFailed, message)
    };
    verdict.because(error)
}

fn refused_name(error: &GuardError) -> FetchError {
    match error {
        GuardError::Refused(refusal) => refusal.clone().into(),
        GuardError::Unresolved(_) | GuardError::Silent | GuardError::Nothing => {
            FetchError::later(Code::DnsFailed, "the host name could not be resolved")
        }
    }
}

fn class(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_class(certificate),
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => "no common protocol version or cipher; TLS 1.2 or 1.3 is needed",
        rustls::Error::InvalidMessage(_) => "the source does not speak TLS on this port",
        _ => "the handshake failed",
    }
}

fn certificate_class(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate is expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        CertificateError::UnknownIssuer => "the certificate's issuer is unknown",
        CertificateError::Revoked => "the certificate is revoked",
        _ => "the certificate is not acceptable",
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An I/O error passes its inner error's source on, but not the inner error itself.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
