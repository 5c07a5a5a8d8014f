//! The cells of an entity, on their way through the decision.

use longshore_core::store::binary::Value;
use longshore_core::store::matches;

/// All fields of the side for an entity that is new; those beside the keys for one that was found.
pub(crate) enum Cells<'a> {
    /// As they came: most of what is found stays as it is, and is compared without being taken apart.
    Found(matches::Cells<'a>),
    /// As rows make them.
    Made(Vec<Value<'a>>),
}

impl<'a> Cells<'a> {
    /// Those that rows made; what stays as it was found is not written.
    pub(crate) fn made(&self) -> &[Value<'a>] {
        match self {
            Cells::Found(_) => &[],
            Cells::Made(cells) => cells,
        }
    }

    /// Takes over what a row brings for the cells from `first` on; none leaves a cell alone. True: one of
    /// them was another.
    pub(crate) fn take(
        &mut self,
        first: usize,
        brought: impl Iterator<Item = Option<Value<'a>>> + Clone,
    ) -> bool {
        if let Cells::Found(found) = self {
            let mut pairs = found.iter().skip(first).zip(brought.clone());
            if pairs.all(|(old, new)| new.is_none_or(|new| new == old)) {
                return false;
            }
            *self = Cells::Made(found.iter().collect());
        }
        let Cells::Made(cells) = self else {
            return false;
        };
        let mut changed = false;
        for (old, new) in cells[first..].iter_mut().zip(brought) {
            if let Some(new) = new.filter(|new| new != old) {
                *old = new;
                changed = true;
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made<'a>(cells: &[Value<'a>]) -> Cells<'a> {
        Cells::Made(cells.to_vec())
    }

    #[test]
    fn only_what_is_brought_and_differs_changes_a_cell() {
        let (ann, bob) = (Some(b"ann".as_slice()), Some(b"bob".as_slice()));
        for (brought, changed, left) in [
            ([None, None], false, [ann, None]),
            ([Some(ann), Some(None)], false, [ann, None]),
            ([Some(bob), None], true, [bob, None]),
            ([Some(None), Some(bob)], true, [None, bob]),
        ] {
            let mut cells = made(&[Some(b"key"), ann, None]);
            assert_eq!(cells.take(1, brought.into_iter()), changed, "{brought:?}");
            assert_eq!(cells.made()[1..], left, "{brought:?}");
        }
    }
}
