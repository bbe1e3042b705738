//! Values by small numbers, of which few are there: a map whose code is short, since it comes once for each type.

#[derive(Debug)]
pub(crate) struct Sparse<T>(Vec<Option<T>>);

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Sparse<T> {
    pub(crate) fn get(&self, number: usize) -> Option<&T> {
        self.0.get(number)?.as_ref()
    }

    /// The number must be one of a list that is in memory anyway.
    pub(crate) fn insert(&mut self, number: usize, value: T) {
        while self.0.len() <= number {
            self.0.push(None);
        }
        self.0[number] = Some(value);
    }

    /// In the order of their numbers.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}
