//! Paths inside URLs.

use std::path::Path;

/// A path for a place inside a URL: everything but plain letters is written as %XX, also spaces,
/// because readers disagree about a plus sign.
pub(super) fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_letters_go_unescaped() {
        assert_eq!(encoded(Path::new("/a b/c+d&e_f.g")), "/a%20b/c%2Bd%26e_f.g");
    }
}
