//! Where the service is and with which token it is asked. The token must not reach a terminal, a
//! log or an error: it has no `Display`, and its `Debug` hides it.

use clap::Args;
use reqwest::Url;

use super::failure::Failure;

/// How to reach the service; the same for every client command.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// Address of the service
    #[arg(
        long,
        global = true,
        env = "LONGSHORE_URL",
        default_value = "http://127.0.0.1:4800",
        value_parser = service_url,
        help_heading = "Connection"
    )]
    pub url: Url,
    /// Token for the service; other users of this machine can see it here, so prefer the variable
    ///
    /// Without it and without LONGSHORE_TOKEN, LONGSHORE_ADMIN_TOKEN is taken.
    #[arg(
        long,
        global = true,
        env = "LONGSHORE_TOKEN",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    pub token: Option<Token>,
}

/// A token.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token itself, for the header only.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Token {
    fn from(token: String) -> Token {
        Token(token.trim().to_owned())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

impl Connection {
    /// The token to use: the one given, else the first account's.
    pub(super) fn token(&self) -> Result<Token, Failure> {
        let given = self
            .token
            .clone()
            .filter(|token| !token.expose().is_empty());
        given.or_else(admin_token).ok_or_else(|| {
            Failure::Usage("no token: set LONGSHORE_TOKEN, or give --token".to_owned())
        })
    }

    /// Whether the service is on this machine, where no proxy must stand in between.
    pub(super) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }
}

fn admin_token() -> Option<Token> {
    let token = Token::from(std::env::var("LONGSHORE_ADMIN_TOKEN").ok()?);
    (!token.expose().is_empty()).then_some(token)
}

fn service_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" if url.username().is_empty() && url.password().is_none() => Ok(url),
        "http" | "https" => Err("it may not carry a user name or password".to_owned()),
        _ => Err("it begins with http:// or https://".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(url: &str, token: Option<&str>) -> Connection {
        let token = token.map(|token| Token::from(token.to_owned()));
        Connection {
            url: service_url(url).unwrap(),
            token,
        }
    }

    #[test]
    fn a_token_is_never_in_a_debug_text() {
        let text = format!("{:?}", connection("http://127.0.0.1:1", Some("s3cret")));
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn loopback_is_known_in_every_spelling() {
        for url in [
            "http://127.0.0.1:1",
            "http://localhost",
            "http://[::1]:4800",
            "http://127.9.9.9",
        ] {
            assert!(connection(url, None).is_loopback(), "{url}");
        }
        assert!(!connection("https://longshore.example", None).is_loopback());
        assert!(!connection("http://localhost.example", None).is_loopback());
    }

    #[test]
    fn an_address_with_credentials_or_another_scheme_is_refused() {
        for url in [
            "http://ann:pass@host",
            "ftp://host",
            "host:4800",
            "nonsense",
        ] {
            assert!(service_url(url).is_err(), "{url}");
        }
    }
}
