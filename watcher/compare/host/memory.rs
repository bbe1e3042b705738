//! The memory of this process and of those that it has started.

/// The resident bytes of this process and of all below it; `None` where nothing tells.
#[cfg(target_os = "linux")]
pub(crate) fn resident() -> Option<u64> {
    of_tree(std::process::id())
}

#[cfg(target_os = "linux")]
fn of_tree(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let own = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let own: u64 = own.trim().trim_end_matches("kB").trim().parse().ok()?;
    let mut bytes = own * 1024;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        // A child that ends meanwhile takes up nothing.
        bytes += children.split_whitespace().filter_map(|child| of_tree(child.parse().ok()?)).sum::<u64>();
    }
    Some(bytes)
}

/// The resident bytes of this process and of all below it; `None` where nothing tells.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn resident() -> Option<u64> {
    let output = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid=,rss="]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers =
        |line: &str| line.split_whitespace().map(|word| word.parse::<u64>().ok()).collect::<Option<Vec<u64>>>();
    let processes: Vec<Vec<u64>> = text.lines().filter_map(numbers).filter(|line| line.len() == 3).collect();
    let (mut tree, mut bytes) = (vec![u64::from(std::process::id())], 0);
    let mut at = 0;
    while let Some(&pid) = tree.get(at) {
        at += 1;
        bytes += processes.iter().filter(|process| process[0] == pid).map(|process| process[2] * 1024).sum::<u64>();
        tree.extend(processes.iter().filter(|process| process[1] == pid).map(|process| process[0]));
    }
    Some(bytes)
}

/// The resident bytes of this process and of all below it; `None` where nothing tells.
#[cfg(not(unix))]
pub(crate) fn resident() -> Option<u64> {
    None
}
