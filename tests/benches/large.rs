//! What makes the fixture a crate of 2,000 lines.

/// A hundred types with both derives, and functions over them.
pub(crate) fn large() -> String {
    let kind = |n: usize| {
        format!(
            "\n/// Number {n} of the kinds.\n\
             #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]\n\
             pub struct Kind{n} {{\n    pub id: u64,\n    pub name: String,\n    pub weight: f32,\n    \
             pub tags: Vec<String>,\n    pub parent: Option<Box<Kind{n}>>,\n}}\n\n\
             pub fn total{n}(kinds: &[Kind{n}]) -> f32 {{\n    let mut sum = 0.0;\n    for kind in kinds {{\n        \
             sum += kind.weight;\n        if let Some(parent) = &kind.parent {{\n            sum += parent.weight;\n        \
             }}\n    }}\n    sum\n}}\n"
        )
    };
    (0..100).map(kind).collect()
}
