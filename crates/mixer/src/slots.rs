/// One leg's place in a room. It stays good until the leg leaves, and is never given to another leg after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    index: u32,
    generation: u32,
}

/// Values in a packed vector, found by ids that a removal elsewhere doesn't change.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    packed: Vec<(SlotId, T)>,
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    at: Option<usize>,
}

impl<T> Slots<T> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            packed: Vec::with_capacity(capacity),
            places: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> SlotId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                at: None,
            });
            // So that a removal allocates nothing.
            self.free.reserve(self.places.len());
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.at = Some(self.packed.len());
        let id = SlotId {
            index,
            generation: place.generation,
        };
        self.packed.push((id, value));
        id
    }

    pub(crate) fn remove(&mut self, id: SlotId) -> Option<T> {
        let at = self.at(id)?;
        let (_, value) = self.packed.swap_remove(at);
        if let Some((moved, _)) = self.packed.get(at) {
            self.places[moved.index as usize].at = Some(at);
        }
        let place = &mut self.places[id.index as usize];
        place.at = None;
        // A place whose generations are used up is left empty rather than given out under an old id.
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(id.index);
        }
        Some(value)
    }

    pub(crate) fn get(&self, id: SlotId) -> Option<&T> {
        self.at(id).map(|at| &self.packed[at].1)
    }

    pub(crate) fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        self.at(id).map(|at| &mut self.packed[at].1)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.packed.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.packed.len()
    }

    fn at(&self, id: SlotId) -> Option<usize> {
        let place = self.places.get(id.index as usize)?;
        place.at.filter(|_| place.generation == id.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_finds_its_own_value_until_it_is_removed() {
        let mut slots = Slots::with_capacity(0);
        let [a, b, c] = ["a", "b", "c"].map(|name| slots.insert(name));
        assert_eq!(slots.remove(a), Some("a"));
        assert_eq!(
            (slots.get(a), slots.get(b), slots.get(c)),
            (None, Some(&"b"), Some(&"c"))
        );
        let d = slots.insert("d");
        assert_eq!(
            (slots.get(a), slots.get(d), slots.len()),
            (None, Some(&"d"), 3)
        );
        assert_eq!(slots.remove(a), None);
        assert_eq!(slots.remove(c), Some("c"));
        assert_eq!((slots.get(b), slots.get(d)), (Some(&"b"), Some(&"d")));
    }
}
