//! A dependency of the plugin: its type is a field of the plugin's types.

/// A place or a speed in the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vector {
    /// To the right.
    pub x: f32,
    /// Upwards.
    pub y: f32,
}

impl Vector {
    /// From its parts.
    #[must_use]
    pub fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> f32 {
        if cfg!(feature = "manhattan") { self.x.abs() + self.y.abs() } else { self.x.hypot(self.y) }
    }
}
