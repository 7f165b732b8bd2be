//! What NATS servers are shown, and what they have to show.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};

use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};

use crate::error::LogError;

/// How a certificate begins in a PEM file.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// The files of a connection. Users and passwords stand in the URLs of the servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// A credentials file, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// A PEM file with the certificates of the authorities that servers over TLS have theirs from;
    /// without it those of the system count.
    pub ca: Option<PathBuf>,
}

impl Access {
    /// Adds to the options of a connection what these servers ask for.
    ///
    /// # Errors
    /// [`LogError::Denied`] where a file cannot be read or holds something else.
    pub async fn let_in(
        &self,
        options: ConnectOptions,
        servers: &[ServerAddr],
    ) -> Result<ConnectOptions, LogError> {
        let mut options = signed_in(options, servers);
        if let Some(file) = &self.credentials {
            let read = options.credentials_file(file).await;
            options = read.map_err(|error| unusable("credentials", file, &error))?;
        }
        if let Some(file) = &self.ca {
            let read = tokio::fs::read_to_string(file).await;
            let text = read.map_err(|error| unusable("certificates", file, &error))?;
            if !text.contains(CERTIFICATE) {
                return Err(unusable("certificates", file, &"it holds no certificate in PEM"));
            }
            options = options.add_root_certificates(file.clone());
        }
        Ok(options)
    }
}

/// What it means that no connection came about.
pub(crate) fn not_connected(doing: &str, error: &ConnectError) -> LogError {
    let (doing, why) = (doing.to_owned(), error.to_string());
    // The client tells what TLS objects to as what it has read.
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let is_tls = error.kind() == ConnectErrorKind::Tls
        || source.is_some_and(|error| error.kind() == io::ErrorKind::InvalidData);
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            LogError::Denied { doing, why }
        }
        // A certificate does not become right by waiting.
        _ if is_tls => LogError::Denied { doing, why: format!("TLS: {why}") },
        _ => LogError::Unavailable { doing, why },
    }
}

fn unusable(what: &str, file: &Path, why: &dyn std::fmt::Display) -> LogError {
    let doing = format!("reading the {what} in {}", file.display());
    LogError::Denied { doing, why: why.to_string() }
}

/// Adds the user and password of the first of these URLs that has them, as in
/// `nats://user:password@host`: the client library itself leaves them aside.
fn signed_in(options: ConnectOptions, servers: &[ServerAddr]) -> ConnectOptions {
    let user = |server: &ServerAddr| Some((plain(server.username()?)?, plain(server.password()?)?));
    match servers.iter().find_map(user) {
        Some((user, password)) => options.user_and_password(user, password),
        None => options,
    }
}

/// A part of a URL without its escapes, such as `%40`; `None` where one is none.
fn plain(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_a_url_are_undone() {
        assert_eq!(plain("a%40b%25c").as_deref(), Some("a@b%c"));
        assert_eq!(plain("plain").as_deref(), Some("plain"));
        for wrong in ["a%4", "a%zz", "%", "%ff"] {
            assert_eq!(plain(wrong), None, "{wrong}");
        }
    }
}
