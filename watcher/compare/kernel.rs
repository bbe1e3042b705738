//! The compute kernel, the same in every mechanism: a fingerprint of the Mandelbrot set.

/// So many steps stand for all that would follow.
const STEPS: u32 = 200;
/// FNV-1a, 64 bits.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The FNV-1a of the steps at each point of a grid of `size` by `size`: arithmetic in floating point and in integers, and
/// branches that are hard to foresee.
pub fn kernel(size: u32) -> u64 {
    let mut hash = BASIS;
    let scale = 3.0 / f64::from(size);
    for row in 0..size {
        for column in 0..size {
            let steps = steps(f64::from(column) * scale - 2.0, f64::from(row) * scale - 1.5);
            hash = (hash ^ u64::from(steps)).wrapping_mul(PRIME);
        }
    }
    hash
}

/// After how many steps a point leaves the circle of radius 2.
fn steps(x0: f64, y0: f64) -> u32 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..STEPS {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return step;
        }
        y = 2.0 * x * y + y0;
        x = xx - yy + x0;
    }
    STEPS
}
