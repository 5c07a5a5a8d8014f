//! Tokens: `lsh_<id>_<secret>_<checksum>`. The prefix is for scanners of leaked secrets, the
//! checksum lets them and us refuse a typo without a look-up.

use rand::Rng;
use sha2::{Digest, Sha256};

/// What a token may do. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See databases, profiles and imports.
    Read,
    /// Submit imports, make databases.
    Write,
    /// Make and revoke tokens.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Admin];

    /// The word in the API and in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }

    /// The scope of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// What is kept of a token: its public id and the hash of its whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The public part.
    pub id: String,
    /// SHA-256 of the text. The secret is random, so no slow hash is needed.
    pub hash: [u8; 32],
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_CHARS: usize = 8;
const SECRET_CHARS: usize = 32;

/// A new token and its text, which is shown once and kept nowhere.
#[must_use]
pub fn generate() -> (Token, String) {
    let body = format!("lsh_{}_{}", random(ID_CHARS), random(SECRET_CHARS));
    let text = format!("{body}_{}", checksum(&body));
    let token = Token {
        id: body[4..4 + ID_CHARS].to_owned(),
        hash: Sha256::digest(&text).into(),
    };
    (token, text)
}

/// What is kept of the token with this text. None if it cannot be one: a typo costs no look-up.
/// A text of another shape, such as one that an operator chose, is known by its hash alone.
#[must_use]
pub fn read(text: &str) -> Option<Token> {
    let hash: [u8; 32] = Sha256::digest(text).into();
    let Some(rest) = text.strip_prefix("lsh_") else {
        return (16..=256).contains(&text.len()).then(|| Token {
            id: chosen_id(&hash),
            hash,
        });
    };
    let (body, sum) = text.rsplit_once('_')?;
    let id = rest.get(..ID_CHARS)?;
    (checksum(body) == sum).then(|| Token {
        id: id.to_owned(),
        hash,
    })
}

/// Operators may choose the first token themselves; its public part then follows from its hash.
fn chosen_id(hash: &[u8; 32]) -> String {
    hash[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random(chars: usize) -> String {
    let mut rng = rand::rng();
    (0..chars)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}

fn checksum(body: &str) -> String {
    let mut sum = crc32fast::hash(body.as_bytes()) as usize;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(char::from(ALPHABET[sum % ALPHABET.len()]));
        sum /= ALPHABET.len();
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_a_typo_is_not() {
        let (token, text) = generate();
        assert_eq!(read(&text), Some(token));
        let mut typo = text.clone();
        typo.replace_range(20..21, if &text[20..21] == "x" { "y" } else { "x" });
        assert_eq!(read(&typo), None);
        assert_eq!(read("short"), None);
    }

    #[test]
    fn scopes_include_the_ones_before_them() {
        assert!(Scope::Admin > Scope::Write && Scope::Write > Scope::Read);
    }
}
