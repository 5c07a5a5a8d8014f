//! Tells a web page from data: a login form behind a 200 must never become an import.

/// How much of a page's beginning is shown.
const SHOWN_CHARS: usize = 40;
const TYPE_CHARS: usize = 60;

/// What to tell the user when an answer is a web page.
pub(super) fn found(content_type: Option<&str>, head: &[u8]) -> Option<String> {
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or("")
        .trim();
    let named = ["text/html", "application/xhtml+xml"]
        .iter()
        .any(|page| media_type.eq_ignore_ascii_case(page));
    if !named && !starts_like_a_page(head) {
        return None;
    }
    let media_type = if media_type.is_empty() {
        "an answer"
    } else {
        media_type
    };
    let media_type = printable(media_type, TYPE_CHARS);
    let start = printable(&String::from_utf8_lossy(head), SHOWN_CHARS);
    Some(format!("got {media_type} starting `{start}`"))
}

fn starts_like_a_page(head: &[u8]) -> bool {
    let head = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    ["<!doctype", "<html"].iter().any(|start| {
        head.get(..start.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()))
    })
}

fn printable(text: &str, chars_max: usize) -> String {
    let text = text.trim_start_matches('\u{feff}').trim();
    let plain = |char: char| if char.is_control() { ' ' } else { char };
    text.chars().take(chars_max).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_type_or_by_its_first_bytes() {
        for (content_type, head) in [
            (Some("text/html"), "id,name"),
            (Some("Text/HTML; charset=utf-8"), "id,name"),
            (Some("application/xhtml+xml"), "<?xml"),
            (Some("text/csv"), "<!doctype html>"),
            (None, "\u{feff}\r\n <HTML lang=en>"),
        ] {
            assert!(
                found(content_type, head.as_bytes()).is_some(),
                "{content_type:?} {head}"
            );
        }
    }

    #[test]
    fn data_is_no_page() {
        for (content_type, head) in [
            (Some("text/csv"), "id,name"),
            (Some("application/octet-stream"), "<htm"),
            (None, "html,<html>"),
            (None, ""),
        ] {
            assert_eq!(
                found(content_type, head.as_bytes()),
                None,
                "{content_type:?} {head}"
            );
        }
    }

    #[test]
    fn the_message_shows_a_short_printable_beginning() {
        let page = format!("<!DOCTYPE html>\n\u{1b}[31m{}", "x".repeat(500));
        let message = found(Some("text/html"), page.as_bytes()).unwrap();
        assert!(
            message.starts_with("got text/html starting `<!DOCTYPE html>"),
            "{message}"
        );
        assert!(message.chars().all(|char| !char.is_control()) && message.len() < 100);
    }
}
