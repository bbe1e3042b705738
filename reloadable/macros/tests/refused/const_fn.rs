use pitstop_reloadable::reloadable;

#[reloadable]
pub const fn answer() -> u32 {
    42
}

fn main() {}
