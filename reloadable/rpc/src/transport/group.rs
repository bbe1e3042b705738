//! Who may connect to a Unix socket: its owner, and a group if one is named.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

const GROUPS: &str = "/etc/group";

/// Lets the owner connect, and the group, by name or number.
pub(super) fn permit(socket: &Path, group: Option<&str>) -> io::Result<()> {
    let Some(group) = group.filter(|group| !group.is_empty()) else {
        return std::fs::set_permissions(socket, Permissions::from_mode(0o600));
    };
    let id = match group.parse() {
        Ok(id) => id,
        Err(_) => find(&std::fs::read_to_string(GROUPS)?, group).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("no group `{group}` is in {GROUPS}; name another, or its number"),
            )
        })?,
    };
    let refused = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot give the socket to the group `{group}`: {error}"))
    };
    chown(socket, None, Some(id)).map_err(refused)?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o660))
}

/// In the lines `name:password:number:members`.
fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_group_is_found_by_its_name() {
        let groups = "root:x:0:\nstaff:x:50:ada,grace\nodd\nbad:x:many:\n";
        assert_eq!(find(groups, "staff"), Some(50));
        assert_eq!(find(groups, "root"), Some(0));
        for name in ["sta", "odd", "bad", ""] {
            assert_eq!(find(groups, name), None, "{name}");
        }
    }
}
