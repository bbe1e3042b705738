//! Whether markup is well formed, for tests: every tag closed, in order, and nothing that is not escaped.

/// Panics where it is not.
pub(super) fn check(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.strip_prefix("<!DOCTYPE html>\n").unwrap_or(text);
    while let Some(at) = rest.find('<') {
        between(&rest[..at], open.last().copied());
        let end = at + rest[at..].find('>').unwrap_or_else(|| panic!("a tag without an end: {}", &rest[at..]));
        let tag = &rest[at + 1..end];
        assert!(tag.matches('"').count().is_multiple_of(2), "a quote without its partner: <{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in another order");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap_or_default());
        }
        rest = &rest[end + 1..];
    }
    between(rest, None);
    assert!(open.is_empty(), "not closed: {open:?}");
}

fn between(text: &str, within: Option<&str>) {
    assert!(!text.contains('>') || within == Some("style"), "not escaped: {text}");
    for (at, _) in text.match_indices('&') {
        let rest = &text[at..];
        assert!(["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|known| rest.starts_with(known)), "not escaped: {rest}");
    }
}

#[test]
fn what_is_not_well_formed_is_told_from_what_is() {
    check("<a><b c=\"d\"/>x &amp; y<e>z</e></a>");
    for bad in ["<a>", "<a></b>", "<a><b></a></b>", "<a>&</a>", "<a b=\"c></a>", "<a>></a>", "</a>"] {
        assert!(std::panic::catch_unwind(|| check(bad)).is_err(), "{bad}");
    }
}
