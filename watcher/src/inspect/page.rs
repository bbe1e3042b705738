//! Lines for a person. Names come from files that nobody vouches for, so that no control character gets through.

use std::fmt::Write as _;

/// Text that grows line by line.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A line that begins a part of the page.
    pub(super) fn heading(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.line(0, text);
    }

    /// A line that stands so many steps to the right.
    pub(super) fn line(&mut self, depth: usize, text: &str) {
        let _ = write!(self.0, "{:1$}", "", 4 * depth);
        for letter in text.chars() {
            match letter {
                letter if letter.is_control() => self.0.extend(letter.escape_default()),
                letter => self.0.push(letter),
            }
        }
        self.0.push('\n');
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0.trim_end().to_owned()
    }
}
