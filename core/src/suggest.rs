//! Finds the word that somebody probably meant, for the last sentence of an error.
//! It only ever speaks in messages: nothing is corrected by it.

/// Longer words are not compared: the distance costs the product of both lengths.
const WORD_CHARS_MAX: usize = 100;

/// The nearest of these words without regard to case, if it is near enough to be meant.
/// Of equally near words the first one wins.
pub fn closest<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.trim().to_lowercase();
    let length = word.chars().count();
    if length == 0 || length > WORD_CHARS_MAX {
        return None;
    }
    let allowed = slips_allowed(length);
    among
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| {
            (
                strsim::osa_distance(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A sentence to append to a message, with its leading space; nothing when no word is near.
pub fn did_you_mean<'a>(word: &str, among: impl Iterator<Item = &'a str>) -> String {
    closest(word, among).map_or_else(String::new, |near| format!(" Did you mean \"{near}\"?"))
}

/// Slips of typing that still leave a word recognisable. In words of two letters there is no room
/// for any: every other such word would be near.
fn slips_allowed(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 5] = ["key_fields", "name", "action", "nl", "Été"];

    fn near(word: &str) -> Option<&'static str> {
        closest(word, WORDS.into_iter())
    }

    #[test]
    fn slips_case_and_outer_spaces_are_seen_through() {
        for (word, meant) in [
            ("key_feilds", "key_fields"),
            ("keyFields", "key_fields"),
            ("nmae", "name"),
            (" NAME ", "name"),
            ("NL", "nl"),
            ("ÉTÉ", "Été"),
        ] {
            assert_eq!(near(word), Some(meant), "{word}");
        }
    }

    #[test]
    fn a_distant_word_is_not_guessed() {
        for word in ["", " ", "ab", "n", "zebra", "fields", &"x".repeat(70_000)] {
            assert_eq!(near(word), None, "{word:.20}");
        }
    }

    #[test]
    fn the_nearest_word_wins_and_then_the_first() {
        assert_eq!(
            closest("names", ["named", "names2", "name"].into_iter()),
            Some("named")
        );
        assert_eq!(
            closest("actionn", ["actoin", "action"].into_iter()),
            Some("action")
        );
    }

    #[test]
    fn the_sentence_is_empty_without_a_near_word() {
        let sentence = |word| did_you_mean(word, WORDS.into_iter());
        assert_eq!(sentence("keyfields"), " Did you mean \"key_fields\"?");
        assert_eq!(sentence("zebra"), "");
    }
}
