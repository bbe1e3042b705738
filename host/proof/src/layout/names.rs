//! Names of types without what changes from build to build.

/// Leaves out the numbers of `{impl#3}` and `{closure_env#0}`, which count the items before.
pub(super) fn normalised(name: &str) -> String {
    if !name.contains('{') {
        return name.to_owned();
    }
    let mut rest = name;
    let mut clean = String::with_capacity(name.len());
    while let Some(open) = rest.find('{') {
        let (before, brace) = rest.split_at(open);
        clean.push_str(before);
        let Some(close) = brace.find('}') else {
            rest = brace;
            break;
        };
        let (inside, after) = brace.split_at(close + 1);
        match inside.split_once('#') {
            Some((word, _)) => {
                clean.push_str(word);
                clean.push('}');
            }
            None => clean.push_str(inside),
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}
